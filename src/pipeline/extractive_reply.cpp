#include "pipeline/extractive_reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/derive.h"
#include "domain/memory.h"

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

// "User: I am allergic to peanuts" → the words alone; another speaker's name stays.
std::string words_of(const GatheredItem& item) {
  std::string_view text = item.text;
  if (text.starts_with(kUser)) text.remove_prefix(kUser.size());
  return ellipsize(collapse_space(text), kMaxQuoteBytes);
}

std::string quote_of(const GatheredItem& item) {
  const bool is_turn = item.kind == GatheredKind::kTurn || item.kind == GatheredKind::kPreviousTurn;
  const std::string_view who = is_turn && !item.text.starts_with(kUser) ? "it was said" : "you said";
  const std::string words = words_of(item);
  switch (item.trust) {
    case Trust::kWeb:
      return fmt::format("On {} the web said ({}; quoted, not checked): “{}”", day_of(item.at), item.source, words);
    case Trust::kTool:
      return fmt::format("On {} a tool reported ({}; quoted): “{}”", day_of(item.at), item.source, words);
    case Trust::kModel:
      return fmt::format("On {} the assistant noted ({}): “{}”", day_of(item.at), item.source, words);
    case Trust::kUser:
      break;
  }
  return fmt::format("On {} {} ({}): “{}”", day_of(item.at), who, item.source, words);
}

std::set<std::string> terms_of(std::string_view text) {
  std::set<std::string> terms;
  for (const Term& term : analyze(text)) terms.insert(term.text);
  return terms;
}

bool asks(std::string_view message) {
  const Intent intent = derive_intent(message);
  return trim(message).ends_with('?') || intent == Intent::kQuestion || intent == Intent::kLookup;
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
    const std::string_view first_line = std::string_view(item.text).substr(0, item.text.find('\n'));
    if (trim(first_line).ends_with('?') && item.text.find('\n') == std::string::npos) continue;
    if (!quoted.insert(words_of(item)).second) continue;  // a turn, and the memory made of it
    found.push_back(&item);
  }
  return found;
}

}  // namespace

std::string extractive_reply(std::string_view message, const GatherSection& gathered, std::string_view reason) {
  if (!asks(message)) {
    const bool told = !propose_memories(message).empty();
    const std::string_view text = told ? "Noted; I will remember that." : "Noted; I will find this again when you ask.";
    return fmt::format("{}\n\n{}.", text, reason);
  }
  const auto found = answers(message, gathered);
  std::string reply = found.empty() ? "I found nothing about that in what you have told me." : "";
  for (const auto* item : found) reply += fmt::format("{}{}", reply.empty() ? "" : "\n", quote_of(*item));
  if (gathered.mode != RecallMode::kHybrid && !gathered.missing.empty())
    reply += fmt::format("\n(The search was incomplete: {}.)", gathered.missing.front());
  return fmt::format("{}\n\n{}{}.", reply, reason, found.empty() ? "" : "; these are your own words, not an answer");
}

}  // namespace pandora
