#include "domain/derive.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/sentences.h"

namespace pandora {
namespace {

constexpr std::size_t kTopicTerms = 3;
constexpr std::size_t kMaxAnalysedBytes = 64 * 1024;  // of a message: the rest of a pasted book names no topic

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return low;
}

struct WeighedTerm {
  std::string term, written;
  double weight = 0;
  std::size_t first = 0;  // position of its first occurrence
};

// By tf·idf, heaviest first; equal weights in the order of the text.
std::vector<WeighedTerm> heaviest_terms(std::string_view text, const TermStatistics& statistics) {
  const auto terms = analyze(text.substr(0, std::min(text.size(), kMaxAnalysedBytes)));
  std::map<std::string, WeighedTerm> found;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    auto& entry = found[terms[i].text];
    if (entry.weight == 0) entry = {terms[i].text, std::string(terms[i].written), 0, i};
    entry.weight += 1;
  }
  std::vector<WeighedTerm> weighed;
  for (auto& [term, entry] : found) {
    const double with = statistics.turns_with ? statistics.turns_with(term) : 0;
    entry.weight *= std::log(1 + (statistics.turns + 1) / (with + 0.5));
    weighed.push_back(std::move(entry));
  }
  std::ranges::sort(weighed, [](const auto& a, const auto& b) { return a.weight != b.weight ? a.weight > b.weight : a.first < b.first; });
  return weighed;
}

bool contains_word(std::string_view low, std::string_view word) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '\''; };
  for (auto at = low.find(word); at != std::string_view::npos; at = low.find(word, at + 1)) {
    const bool left = at == 0 || !is_letter(low[at - 1]);
    const bool right = at + word.size() == low.size() || !is_letter(low[at + word.size()]);
    if (left && right) return true;
  }
  return false;
}
template <std::size_t N>
bool contains_any(std::string_view low, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return contains_word(low, word); });
}
template <std::size_t N>
bool begins_with_any(std::string_view low, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) {
    return low.starts_with(word) && (low.size() == word.size() || std::isalnum(static_cast<unsigned char>(low[word.size()])) == 0);
  });
}

constexpr auto kPronouns = std::to_array<std::string_view>({"it", "that", "this", "they", "them", "those", "these", "he", "she", "him", "her", "there"});
constexpr auto kReferences = std::to_array<std::string_view>({"that one", "the first one", "the second one", "the last one", "the other one",
                                                              "the same", "the former", "the latter", "more about it", "and then"});
constexpr auto kQuestionWords = std::to_array<std::string_view>({"what", "when", "where", "who", "whom", "whose", "which", "why", "how", "is", "are", "was",
                                                                 "were", "do", "does", "did", "can", "could", "will", "would", "should", "has", "have", "am", "shall"});
constexpr auto kLookupWords = std::to_array<std::string_view>({"did i", "have i", "do i", "am i", "was i", "what's my", "what is my", "what was my", "what are my",
                                                               "who is my", "who's my", "where is my", "where do i", "when is my", "when did i", "what did we", "did we",
                                                               "what did i", "which of my", "how old is my", "turn", "earlier", "last time"});
constexpr auto kShopping = std::to_array<std::string_view>({"buy", "price", "cheapest", "cheap", "order", "deal", "discount", "in stock", "purchase", "for sale"});
constexpr auto kResearch = std::to_array<std::string_view>({"research", "compare", "find out", "look up", "investigate", "sources", "latest news", "pros and cons"});
constexpr auto kCode = std::to_array<std::string_view>({"function", "compile", "compiler", "python", "javascript", "c++", "rust", "sql", "regex", "bug", "stack trace",
                                                        "segfault", "git", "script", "exception", "api", "unit test"});
constexpr auto kMemoryWords = std::to_array<std::string_view>({"remember", "don't forget", "note that", "keep in mind", "forget that", "for the record"});
constexpr auto kPreference = std::to_array<std::string_view>({"i prefer", "i like", "i love", "i hate", "i dislike", "i don't like", "my favourite", "my favorite", "i'd rather", "call me"});
constexpr auto kSmalltalk = std::to_array<std::string_view>({"hi", "hello", "hey", "good morning", "good evening", "good night", "thanks", "thank you", "bye", "goodbye",
                                                             "how are you", "nice", "cool", "great", "ok", "okay", "lol", "haha"});
constexpr auto kTaskVerbs = std::to_array<std::string_view>({"write", "make", "create", "draft", "translate", "summarise", "summarize", "plan", "list", "explain", "show",
                                                             "give", "tell", "help", "calculate", "convert", "set", "send", "schedule", "book", "open", "find", "please", "generate", "rewrite"});
constexpr auto kRejecting = std::to_array<std::string_view>({"no, that is wrong", "no, that's wrong", "that is wrong", "that's wrong", "that is not right", "that's not right",
                                                             "that is incorrect", "that's incorrect", "wrong", "no, not that", "not what i asked", "that is not what i",
                                                             "that's not what i", "you are wrong", "you're wrong", "incorrect", "that is not true", "that's not true"});
constexpr auto kContinuing = std::to_array<std::string_view>({"thanks", "thank you", "great", "perfect", "good", "nice", "ok, and", "okay, and", "and what", "and how",
                                                              "and when", "and where", "and who", "what about", "how about", "tell me more", "go on", "continue", "exactly",
                                                              "yes, and", "that helps", "that's right", "that is right", "correct"});

constexpr std::size_t kSmalltalkBytes = 40;  // longer than this says something

}  // namespace

std::string self_contained_question(std::string_view message, const std::vector<Turn>& last_turns) {
  constexpr std::size_t kShort = 80;  // a long message carries its own subject
  const std::string low = lower(message);
  const auto topic = std::ranges::find_if(last_turns, [](const Turn& turn) { return !turn.topic.empty(); });
  if (message.size() > kShort || topic == last_turns.end()) return std::string(message);
  const bool refers = contains_any(low, kReferences) || contains_any(low, kPronouns) || begins_with_any(low, kContinuing);
  if (!refers || derive_intent(message) == Intent::kSmalltalk) return std::string(message);
  return fmt::format("{} [{}]", message, topic->topic);
}

std::string derive_summary(std::string_view question, std::string_view reply) {
  std::string summary = collapse_space(ellipsize(question, kMaxSummaryBytes));
  for (const std::string_view sentence : sentences(reply.substr(0, 4 * kMaxSummaryBytes))) {
    const std::string one = collapse_space(sentence);
    if (summary.size() + 1 + one.size() > kMaxSummaryBytes) break;
    summary += (summary.empty() ? "" : " ") + one;
  }
  return ellipsize(summary, kMaxSummaryBytes);
}

std::string derive_topic(std::string_view question, const TermStatistics& statistics) {
  auto terms = heaviest_terms(question, statistics);
  if (terms.size() > kTopicTerms) terms.resize(kTopicTerms);
  std::ranges::sort(terms, {}, &WeighedTerm::first);
  std::string topic;
  for (const auto& term : terms) topic += (topic.empty() ? "" : " ") + term.written;
  return topic;
}

std::vector<std::string> derive_keywords(std::string_view question, std::string_view reply, const TermStatistics& statistics) {
  auto terms = heaviest_terms(fmt::format("{}\n{}", question, reply), statistics);
  if (terms.size() > kMaxKeywords) terms.resize(kMaxKeywords);
  std::vector<std::string> keywords;
  for (auto& term : terms) keywords.push_back(std::move(term.term));
  return keywords;
}

Intent derive_intent(std::string_view message) {
  const std::string low = lower(trim(message));
  if (low.empty()) return Intent::kOther;
  const bool asks = low.ends_with('?') || begins_with_any(low, kQuestionWords);
  if (low.find("```") != std::string::npos || contains_any(low, kCode)) return Intent::kCode;
  if (!asks && contains_any(low, kMemoryWords)) return Intent::kMemory;
  if (!asks && contains_any(low, kPreference)) return Intent::kPreference;
  if (low.size() <= kSmalltalkBytes && begins_with_any(low, kSmalltalk)) return Intent::kSmalltalk;
  if (contains_any(low, kShopping)) return Intent::kShopping;
  if (contains_any(low, kResearch)) return Intent::kResearch;
  if (asks && contains_any(low, kLookupWords)) return Intent::kLookup;
  if (asks) return Intent::kQuestion;
  if (begins_with_any(low, kTaskVerbs)) return Intent::kTask;
  return Intent::kOther;
}

Feedback derive_feedback(std::string_view message) {
  const std::string low = lower(trim(message));
  if (begins_with_any(low, kRejecting)) return Feedback::kRejects;
  if (low.size() <= 2 * kSmalltalkBytes && begins_with_any(low, kContinuing)) return Feedback::kContinues;
  return Feedback::kNone;
}

void derive_fields(Turn& turn, const std::vector<Turn>& last_turns, const TermStatistics& statistics) {
  const Utterance* said = own_reply(turn);
  const std::string_view reply = said ? std::string_view(said->text) : std::string_view();
  turn.question = self_contained_question(turn.message.text, last_turns);
  turn.summary = derive_summary(turn.question, reply);
  turn.topic = derive_topic(turn.question, statistics);
  turn.intent = derive_intent(turn.message.text);
  turn.keywords = derive_keywords(turn.question, reply, statistics);
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
}

}  // namespace pandora
