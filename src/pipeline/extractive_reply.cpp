#include "pipeline/extractive_reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/derive.h"
#include "domain/memory.h"
#include "domain/phrases.h"

namespace pandora {
namespace {

// "5 January 2026"
std::string day_of(Timestamp time) {
  constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                        "May",       "June",     "July",     "August",
                                                        "September", "October",  "November", "December"};
  const std::chrono::year_month_day date{
      std::chrono::floor<std::chrono::days>(std::chrono::sys_time<Duration>(Duration(time.micros)))};
  return fmt::format("{} {} {}", static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()));
}

constexpr std::string_view kUser = "User: ";
constexpr std::string_view kAssistant = "\nAssistant: ";

// Inside quotation marks nothing may look like their end, nor speak to the terminal.
std::string quotable(std::string_view text) {
  std::string quoted = ellipsize(collapse_space(one_line(text)), kMaxQuoteBytes);
  for (const auto& [mark, harmless] : {std::pair{"“", "‘"}, std::pair{"”", "’"}})
    for (auto at = quoted.find(mark); at != std::string::npos; at = quoted.find(mark, at))
      quoted.replace(at, std::string_view(mark).size(), harmless);
  return quoted;
}

struct Spoken {
  Trust trust = Trust::kUser;  // of the words; a turn is trusted as little as what answered them
  bool by_user = false;        // another speaker's name stays in his words
  std::string words, answered_by_assistant;
};

// "User: I am allergic to peanuts", with what the assistant answered when a model did.
Spoken spoken_of(const GatheredItem& item) {
  std::string_view text = item.text;
  Spoken spoken;
  const bool is_turn = item.kind == GatheredKind::kTurn || item.kind == GatheredKind::kPreviousTurn;
  spoken.trust = is_turn ? Trust::kUser : item.trust;
  spoken.by_user = !is_turn || text.starts_with(kUser);
  if (text.starts_with(kUser)) text.remove_prefix(kUser.size());
  if (const auto at = is_turn ? text.find(kAssistant) : std::string_view::npos; at != std::string_view::npos) {
    spoken.answered_by_assistant = quotable(text.substr(at + kAssistant.size()));
    text = text.substr(0, at);
  }
  spoken.words = quotable(text);
  return spoken;
}

std::string quote_of(const GatheredItem& item, const Spoken& spoken) {
  const std::string day = day_of(item.at), source = quotable(item.source);
  switch (spoken.trust) {
    case Trust::kWeb:
      return fmt::format("On {} the web said ({}; quoted, not checked): “{}”", day, source, spoken.words);
    case Trust::kTool:
      return fmt::format("On {} a tool reported ({}; quoted): “{}”", day, source, spoken.words);
    case Trust::kModel:
      return fmt::format("On {} the assistant noted ({}): “{}”", day, source, spoken.words);
    case Trust::kUser:
      break;
  }
  std::string quote =
      fmt::format("On {} {} ({}): “{}”", day, spoken.by_user ? "you said" : "it was said", source, spoken.words);
  if (!spoken.answered_by_assistant.empty())
    quote += fmt::format("; the assistant answered: “{}”", spoken.answered_by_assistant);
  return quote;
}

std::set<std::string> terms_of(std::string_view text) {
  std::set<std::string> terms;
  for (const Term& term : analyze(text)) terms.insert(term.text);
  return terms;
}

// A question without an answer, a request, a greeting.
bool says_nothing(const GatheredItem& item) {
  std::string_view text = item.text;
  if (text.starts_with(kUser)) text.remove_prefix(kUser.size());
  if (text.find('\n') != std::string_view::npos) return false;
  return wants_answer(text) || derive_intent(text) == Intent::kSmalltalk;
}

// What answers: never what only asked, nor what merely stands there as context without a word in common.
std::vector<const GatheredItem*> answers(std::string_view message, const GatherSection& gathered) {
  std::vector<const GatheredItem*> found;
  std::set<std::string> quoted;
  const auto wanted = terms_of(message);
  for (const auto& item : gathered.items) {
    if (found.size() == kMaxQuotes) break;
    const bool context = item.kind == GatheredKind::kPreviousTurn || item.kind == GatheredKind::kPreference;
    const auto terms = terms_of(item.text);
    const bool shares = std::ranges::any_of(wanted, [&](const auto& term) { return terms.contains(term); });
    if (context && !shares) continue;
    if (says_nothing(item)) continue;
    if (!quoted.insert(spoken_of(item).words).second) continue;  // a turn, and the memory made of it
    found.push_back(&item);
  }
  return found;
}

}  // namespace

bool wants_answer(std::string_view message) {
  // Tasks that one who only quotes can do. "Remind me to …" is none of them.
  constexpr auto kRequests = std::to_array<std::string_view>(
      {"tell me", "show me", "remind me what", "remind me where", "remind me who", "remind me when", "remind me how",
       "remind me of", "find", "look up", "summarise what", "summarize what"});
  const Intent intent = derive_intent(message);
  const std::string low = plain_lower(trim(message));
  return low.ends_with('?') || intent == Intent::kQuestion || intent == Intent::kLookup ||
         begins_with_any(after_openers(low), kRequests);
}

std::string extractive_reply(std::string_view message, const GatherSection& gathered, std::string_view reason,
                             Staged staged) {
  if (derive_intent(message) == Intent::kSmalltalk)
    return fmt::format("Tell me what I should remember, or ask about what you have told me.\n\n{}.", reason);
  if (!wants_answer(message)) {
    const bool remembered = staged == Staged::kKept && !propose_memories(message).empty();
    const std::string_view text =
        remembered ? "Noted; I will remember that." : "Noted; I will find this again when you ask.";
    return fmt::format("{}\n\n{}.", text, reason);
  }
  const auto found = answers(message, gathered);
  std::string reply = found.empty() ? "I found nothing about that in what you have told me." : "";
  bool own_words = true;  // nobody's but the user's
  for (const auto* item : found) {
    const Spoken spoken = spoken_of(*item);
    own_words &= spoken.trust == Trust::kUser && spoken.by_user && spoken.answered_by_assistant.empty();
    reply += fmt::format("{}{}", reply.empty() ? "" : "\n", quote_of(*item, spoken));
  }
  if (!gathered.missing.empty())
    reply += fmt::format("\n(The search was incomplete: {}.)", quotable(gathered.missing.front()));
  const std::string_view nature = found.empty() ? ""
                                  : own_words   ? "; these are your own words, not an answer"
                                                : "; these are quotes, not an answer";
  return fmt::format("{}\n\n{}{}.", reply, reason, nature);
}

}  // namespace pandora
