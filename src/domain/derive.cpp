#include "domain/derive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/phrases.h"
#include "domain/sentences.h"

namespace pandora {
namespace {

constexpr std::size_t kTopicTerms = 3;
constexpr std::size_t kMaxAnalysedBytes = 64 * 1024;  // of a message: the rest of a pasted book names no topic

// Words of asking and doing: they say how, not what about.
constexpr auto kGeneric = std::to_array<std::string_view>(
    {"tell",   "explain",   "show",    "give",    "get",      "got",    "know",    "think",    "mean",
     "make",   "want",      "need",    "like",    "thank",    "thanks", "please",  "help",     "find",
     "go",     "come",      "say",     "see",     "use",      "work",   "cost",    "buy",      "one",
     "ones",   "thing",     "things",  "much",    "many",     "long",   "old",     "good",     "best",
     "well",   "ok",        "okay",    "yes",     "hi",       "hello",  "hey",     "let",      "try",
     "really", "example",   "detail",  "details", "else",     "other",  "another", "remember", "now",
     "first",  "second",    "last",    "happen",  "happened", "big",    "open",    "start",    "end",
     "done",   "recommend", "suggest", "list",    "write",    "call",   "look",    "take",     "put"});
bool generic(std::string_view written) {
  const std::string low = plain_lower(written);
  return std::ranges::find(kGeneric, low) != kGeneric.end();
}

struct WeighedTerm {
  std::string term;
  std::string_view written;  // where it stands first
  double weight = 0;
  std::size_t first = 0;
};

// By tf·idf, heaviest first; equal weights in the order of the text.
std::vector<WeighedTerm> heaviest_terms(std::string_view text, const TermStatistics& statistics) {
  const auto terms = analyze(text.substr(0, std::min(text.size(), kMaxAnalysedBytes)));
  std::map<std::string_view, WeighedTerm> found;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    auto& entry = found[terms[i].text];
    if (entry.weight == 0) entry = {terms[i].text, terms[i].written, 0, i};
    entry.weight += 1;
  }
  std::vector<std::string_view> asked;
  std::vector<WeighedTerm> weighed;
  for (auto& [term, entry] : found) {
    asked.push_back(term);
    weighed.push_back(std::move(entry));
  }
  const auto with = statistics.turns_with ? statistics.turns_with(asked) : std::vector<double>(asked.size());
  for (std::size_t i = 0; i < weighed.size(); ++i)
    weighed[i].weight *= std::log(1 + (statistics.turns + 1) / (with[i] + 0.5));
  std::ranges::sort(weighed, [](const auto& a, const auto& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.first < b.first;
  });
  return weighed;
}

bool overlap(std::string_view a, std::string_view b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

// --- references to what was said before -----------------------------------------------------------------------------

constexpr auto kPersons = std::to_array<std::string_view>(
    {"they", "them", "their", "theirs", "he", "him", "his", "she", "her", "hers", "its"});
constexpr auto kReferences = std::to_array<std::string_view>(
    {"the first one", "the second one", "the third one", "the last one", "the other one", "the other", "the same one",
     "the same thing", "the former", "the latter", "the previous one", "the one you", "which one", "which ones"});
constexpr auto kElliptic = std::to_array<std::string_view>(
    {"what about", "how about",   "tell me more",  "more details",    "more detail", "go on",
     "continue",   "what else",   "anything else", "another example", "another one", "and in",
     "and for",    "and what",    "and how",       "and when",        "and where",   "and why",
     "and who",    "why",         "how so",        "how come",        "how much",    "how many",
     "since when", "for example", "such as",       "any others",      "more"});
// "it's raining", "what time is it": an "it" that stands for nothing.
constexpr auto kExpletive = std::to_array<std::string_view>({"it rain",
                                                             "far is it",
                                                             "is it from",
                                                             "it snow",
                                                             "is it possible",
                                                             "is it true",
                                                             "is it ok",
                                                             "is it okay",
                                                             "is it raining",
                                                             "is it snowing",
                                                             "is it cold",
                                                             "is it hot",
                                                             "is it safe to",
                                                             "time is it",
                                                             "it possible",
                                                             "day is it",
                                                             "it take to",
                                                             "it cost to",
                                                             "is it going to rain",
                                                             "it is possible",
                                                             "it's possible",
                                                             "it is raining",
                                                             "it's raining",
                                                             "it like to",
                                                             "it mean to",
                                                             "does it take",
                                                             "it will rain",
                                                             "it going to"});
constexpr auto kConjunctionBefore = std::to_array<std::string_view>(
    {"think", "know", "say",  "said", "so",      "hope",   "guess",    "remember", "believe",
     "sure",  "told", "tell", "mean", "note",    "heard",  "such",     "now",      "see",
     "feel",  "fact", "you",  "me",   "imagine", "assume", "thinking", "wish"});
constexpr auto kTimeAfter =
    std::to_array<std::string_view>({"week", "weekend", "month", "year", "morning", "afternoon", "evening", "night",
                                     "time", "day", "summer", "winter", "spring", "autumn", "century"});

bool is_one_of(std::string_view word, Phrases words) { return std::ranges::find(words, word) != words.end(); }

// A subject named in an earlier clause of the same message is what the pronoun stands for.
bool has_own_subject(std::string_view low, std::string_view pronoun) {
  const auto at = static_cast<std::size_t>(pronoun.data() - low.data());
  std::size_t clause = 0;
  for (const std::string_view joint : {", ", ". ", "; ", "? ", "! ", ": ", " and ", " but ", " so ", " then ",
                                       " because ", " before ", " after ", " if ", " when ", " to "})
    for (auto found = low.find(joint); found != std::string_view::npos && found < at;
         found = low.find(joint, found + 1))
      clause = std::max(clause, found);
  const auto terms = analyze(low.substr(0, clause));
  return std::ranges::any_of(terms, [](const Term& term) { return !generic(term.written); });
}

bool is_reference(std::string_view low, const std::vector<std::string_view>& words, std::size_t i) {
  const std::string_view word = words[i].substr(0, words[i].find('\''));
  const std::string_view next = i + 1 < words.size() ? words[i + 1] : std::string_view();
  if (word == "it") return !contains_any(low, kExpletive);
  if (is_one_of(word, kPersons)) return true;
  if (word == "there") return i + 1 == words.size() && i > 0;
  const bool demonstrative = word == "that" || word == "this" || word == "these" || word == "those";
  if (!demonstrative || is_one_of(next, kTimeAfter)) return false;
  return word != "that" || i == 0 || !is_one_of(words[i - 1], kConjunctionBefore);
}

// A question, a request or a few words; a longer statement tells its own story.
bool asks_or_is_short(std::string_view low, std::size_t words) {
  constexpr std::size_t kFew = 8;
  const Intent intent = derive_intent(low);
  const bool tells = intent == Intent::kOther || intent == Intent::kMemory || intent == Intent::kPreference;
  return words <= kFew || !tells || low.find('?') != std::string_view::npos;
}

bool refers_back(std::string_view message) {
  const std::string all = plain_lower(message);
  const std::string_view low = after_openers(all);
  const auto words = words_of(low);
  if (!asks_or_is_short(all, words.size())) return false;
  constexpr std::size_t kFewWords = 5;  // "why is that", "how much does it cost"; more bring their own subject
  if (contains_any(low, kReferences)) return true;
  if (words.size() <= kFewWords && (begins_with_any(all, kElliptic) || begins_with_any(low, kElliptic))) {
    // "what about Rome": the subject is new, the question is the old one. "why do cats purr": both are there.
    const bool asks_of_old = begins_with_any(all, std::span(kElliptic).first(18));
    const auto terms = analyze(low);
    if (asks_of_old || std::ranges::all_of(terms, [](const Term& term) { return generic(term.written); })) return true;
  }
  for (std::size_t i = 0; i < words.size(); ++i)
    if (is_reference(low, words, i) && !has_own_subject(low, words[i])) return true;
  return false;
}

// The longest beginning that ends at a word's end and leaves room for the mark.
std::string cut_at_word(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kMark = "…";
  if (text.size() <= max_bytes) return std::string(text);
  std::string cut = ellipsize(text, max_bytes);
  const auto space = cut.find_last_of(' ');
  if (space == std::string::npos || space < max_bytes / 2) return cut;
  return cut.substr(0, space) + std::string(kMark);
}

}  // namespace

std::string self_contained_question(std::string_view message, const std::vector<Turn>& last_turns) {
  constexpr std::size_t kMaxReferring = 200;  // a longer message carries its own subject
  if (message.size() > kMaxReferring) return std::string(message);
  const auto turn = std::ranges::find_if(
      last_turns, [](const Turn& t) { return !t.topic.empty() && t.intent != Intent::kSmalltalk; });
  if (turn == last_turns.end() || derive_intent(message) == Intent::kSmalltalk || !refers_back(message))
    return std::string(message);
  return fmt::format("{} [{}]", message, turn->topic);
}

std::string derive_summary(std::string_view question, std::string_view reply) {
  constexpr std::size_t kMaxQuestion = 240;  // beside a reply: it must have room as well
  constexpr std::size_t kMaxSentences = 3;
  constexpr std::size_t kMinPiece = 40;  // less of a sentence says nothing
  const std::string replied = collapse_space(ellipsize(reply, 4 * kMaxSummaryBytes));
  std::string summary = cut_at_word(collapse_space(ellipsize(question, 4 * kMaxSummaryBytes)),
                                    replied.empty() ? kMaxSummaryBytes : kMaxQuestion);
  std::size_t taken = 0;
  for (const std::string_view sentence : sentences(replied)) {
    if (taken == kMaxSentences || summary.size() + 1 >= kMaxSummaryBytes) break;
    const std::string_view between = summary.empty() ? "" : " ";
    const std::size_t room = kMaxSummaryBytes - summary.size() - between.size();
    if (sentence.size() > room && (taken > 0 || room < kMinPiece)) break;
    summary += std::string(between) + cut_at_word(sentence, room);
    ++taken;
  }
  return summary;
}

std::string derive_topic(std::string_view question, const TermStatistics& statistics) {
  auto terms = heaviest_terms(question, statistics);
  const bool only_generic = std::ranges::all_of(terms, [](const auto& term) { return generic(term.written); });
  std::vector<WeighedTerm> chosen;
  for (const auto& term : terms) {
    // An identifier and its parts are one.
    const bool again =
        std::ranges::any_of(chosen, [&](const auto& other) { return overlap(term.written, other.written); });
    if (chosen.size() < kTopicTerms && !again && (only_generic || !generic(term.written))) chosen.push_back(term);
  }
  std::ranges::sort(chosen, {}, &WeighedTerm::first);
  std::string topic;
  for (const auto& term : chosen) topic += fmt::format("{}{}", topic.empty() ? "" : " ", term.written);
  return topic;
}

std::vector<std::string> derive_keywords(std::string_view question, std::string_view reply,
                                         const TermStatistics& statistics) {
  const std::string both = fmt::format("{}\n{}", question, reply);
  auto terms = heaviest_terms(both, statistics);
  if (terms.size() > kMaxKeywords) terms.resize(kMaxKeywords);
  std::vector<std::string> keywords;
  for (auto& term : terms) keywords.push_back(std::move(term.term));
  return keywords;
}

void derive_fields(Turn& turn, const std::vector<Turn>& last_turns, const TermStatistics& statistics) {
  const Utterance* said = own_reply(turn);
  const std::string_view reply = said ? std::string_view(said->text) : std::string_view();
  turn.question = self_contained_question(turn.message.text, last_turns);
  turn.summary = derive_summary(turn.question, reply);
  // First: they are of the question too, so that the topic's terms have been counted already.
  turn.keywords = derive_keywords(turn.question, reply, statistics);
  turn.topic = derive_topic(turn.question, statistics);
  turn.intent = derive_intent(turn.message.text);
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
}

}  // namespace pandora
