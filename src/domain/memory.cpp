#include "domain/memory.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/sentences.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxProposals = 8;
constexpr std::size_t kMaxSentenceBytes = 1'000;  // a longer "sentence" is pasted text, not something told

struct Form {
  std::string_view begins;  // lower case; the sentence must begin so, at a word's end
  MemoryKind kind;
};
// Longest first where one begins another.
constexpr auto kForms = std::to_array<Form>({
    {"remember that ", MemoryKind::kNote},       {"remember: ", MemoryKind::kNote},
    {"please remember ", MemoryKind::kNote},     {"don't forget that ", MemoryKind::kNote},
    {"note that ", MemoryKind::kNote},           {"for the record, ", MemoryKind::kNote},
    {"keep in mind that ", MemoryKind::kNote},   {"my favourite ", MemoryKind::kPreference},
    {"my favorite ", MemoryKind::kPreference},   {"my preferred ", MemoryKind::kPreference},
    {"i prefer ", MemoryKind::kPreference},      {"i'd rather ", MemoryKind::kPreference},
    {"i like ", MemoryKind::kPreference},        {"i love ", MemoryKind::kPreference},
    {"i hate ", MemoryKind::kPreference},        {"i dislike ", MemoryKind::kPreference},
    {"i don't like ", MemoryKind::kPreference},  {"i do not like ", MemoryKind::kPreference},
    {"i can't stand ", MemoryKind::kPreference}, {"i always want ", MemoryKind::kPreference},
    {"always answer ", MemoryKind::kPreference}, {"always use ", MemoryKind::kPreference},
    {"always write ", MemoryKind::kPreference},  {"never use ", MemoryKind::kPreference},
    {"never suggest ", MemoryKind::kPreference}, {"never mention ", MemoryKind::kPreference},
    {"please always ", MemoryKind::kPreference}, {"please never ", MemoryKind::kPreference},
    {"call me ", MemoryKind::kPreference},       {"i am allergic to ", MemoryKind::kFact},
    {"i'm allergic to ", MemoryKind::kFact},     {"i am vegetarian", MemoryKind::kFact},
    {"i'm vegetarian", MemoryKind::kFact},       {"i am vegan", MemoryKind::kFact},
    {"i'm vegan", MemoryKind::kFact},            {"i live in ", MemoryKind::kFact},
    {"i moved to ", MemoryKind::kFact},          {"i work at ", MemoryKind::kFact},
    {"i work as ", MemoryKind::kFact},           {"i work for ", MemoryKind::kFact},
    {"i was born ", MemoryKind::kFact},          {"i speak ", MemoryKind::kFact},
    {"i have two ", MemoryKind::kFact},          {"i have three ", MemoryKind::kFact},
});

// "My sister's name is …", "My car is a …": what belongs to the speaker and is said to be something.
bool possession_is(std::string_view sentence) {
  if (!sentence.starts_with("my ")) return false;
  constexpr std::size_t kMaxSubject = 60;  // "my … is": the copula stands near the front
  for (const std::string_view verb : {" is ", " are ", " was born ", " lives in ", " works "}) {
    const auto at = sentence.find(verb);
    if (at != std::string_view::npos && at < kMaxSubject) return true;
  }
  return false;
}

// What is only played with is not told: questions, conditions, quotations.
bool hypothetical(std::string_view sentence) {
  for (const std::string_view begin : {"if ", "suppose ", "imagine ", "what if ", "let's say ", "pretend "})
    if (sentence.starts_with(begin)) return true;
  for (const std::string_view inside : {" would be ", " could be ", " might be "})
    if (sentence.find(inside) != std::string_view::npos) return true;
  return false;
}

// The point of a possessive that says nothing lasting: "my question is", "my computer is slow today".
bool passing(std::string_view sentence) {
  for (const std::string_view begin : {"my question is", "my point is", "my problem is", "my guess is", "my idea is",
                                       "my plan is", "my code is", "my program is", "i like that", "i like it",
                                       "i like this", "i love it", "i love this", "i love that", "i hate it",
                                       "i hate this", "i hate that", "i like your", "i love your", "i like how"})
    if (sentence.starts_with(begin)) return true;
  for (const std::string_view inside : {" right now", " today", " at the moment", " currently"})
    if (sentence.find(inside) != std::string_view::npos) return true;
  return false;
}

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::size_t at = 0; (at = low.find("\xE2\x80\x99", at)) != std::string::npos;) low.replace(at, 3, "'");
  return low;
}

std::optional<MemoryKind> told(std::string_view sentence) {
  const std::string low = lower(sentence);
  if (low.ends_with('?') || low.starts_with('>') || low.starts_with('"') || low.starts_with("\xE2\x80\x9C")) return std::nullopt;
  if (hypothetical(low) || passing(low)) return std::nullopt;
  for (const auto& form : kForms)
    if (low.starts_with(form.begins) && low.size() > form.begins.size()) return form.kind;
  if (low.starts_with("i am vegetarian") || low.starts_with("i'm vegan")) return MemoryKind::kFact;
  if (possession_is(low)) return MemoryKind::kFact;
  return std::nullopt;
}

// The verb at which a statement turns from its subject to what is said of it: the first of the copulas and the verbs that
// name one thing at a time.
struct Split {
  std::string subject, rest;
};
std::optional<Split> split_statement(std::string_view statement) {
  const std::string low = collapse_space(lower(statement));
  std::size_t best = std::string::npos, length = 0;
  for (const std::string_view verb : {" is ", " are ", " was ", " live in ", " lives in ", " moved to ", " work at ", " work for ",
                                      " works at ", " prefer ", "call me "}) {
    const auto at = low.find(verb);
    if (at < best) best = at, length = verb.size();
  }
  if (best == std::string::npos) return std::nullopt;
  return Split{low.substr(0, best) + "|" + low.substr(best, length), low.substr(best + length)};
}

std::set<std::string> terms_of(std::string_view text) {
  std::set<std::string> terms;
  for (const Term& term : analyze(text)) terms.insert(term.text);
  return terms;
}

}  // namespace

std::vector<MemoryProposal> propose_memories(std::string_view message) {
  std::vector<MemoryProposal> proposals;
  for (const std::string_view sentence : sentences(message)) {
    if (proposals.size() == kMaxProposals) break;
    if (sentence.size() > kMaxSentenceBytes) continue;
    if (const auto kind = told(sentence)) proposals.push_back({*kind, collapse_space(sentence), Trust::kUser});
  }
  return proposals;
}

bool contradicts(std::string_view newer, std::string_view older) {
  const auto a = split_statement(newer), b = split_statement(older);
  if (!a || !b) return false;
  // "I live in" and "I moved to" say the same of the same.
  const auto place = [](const std::string& subject) {
    return subject == "i| live in " || subject == "i| moved to " ? std::string("i|place") : subject;
  };
  if (place(a->subject) != place(b->subject)) return false;
  return terms_of(a->rest) != terms_of(b->rest);
}

}  // namespace pandora
