// What a message is about to do, and what it says of the reply before it: rules on words and form.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "domain/derive.h"
#include "domain/memory.h"
#include "domain/phrases.h"
#include "domain/sentences.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxJudgedBytes = 4'000;  // of a message; what it is shows at its beginning
constexpr std::size_t kSmalltalkBytes = 60;     // longer than this says something

constexpr auto kQuestionWords = std::to_array<std::string_view>(
    {"what", "what's", "when",  "when's", "where", "where's", "who",       "who's",   "whom",  "whose", "which",
     "why",  "how",    "how's", "is",     "are",   "was",     "were",      "do",      "does",  "did",   "has",
     "have", "am",     "shall", "should", "isn't", "aren't",  "don't you", "doesn't", "didn't"});
// A task asked for politely: "could you write …".
constexpr auto kPolite = std::to_array<std::string_view>(
    {"can you", "could you", "would you", "will you", "can you please", "could you please", "would you please",
     "i want you to", "i need you to", "i'd like you to", "help me", "let's", "i need", "i want"});
constexpr auto kTasks = std::to_array<std::string_view>(
    {"write",      "make",     "create", "draft",  "translate", "summarise", "summarize", "plan",      "list",
     "explain",    "show",     "give",   "tell",   "help",      "calculate", "convert",   "set",       "send",
     "schedule",   "book",     "open",   "find",   "generate",  "rewrite",   "rephrase",  "proofread", "suggest",
     "recommend",  "describe", "remind", "add",    "remove",    "delete",    "change",    "compose",   "outline",
     "brainstorm", "read",     "sort",   "format", "turn",      "play",      "call",      "design",    "correct"});
// Asking for what was said or is known of the speaker.
constexpr auto kLookup = std::to_array<std::string_view>({"did i",
                                                          "have i",
                                                          "do i",
                                                          "am i",
                                                          "was i",
                                                          "what's my",
                                                          "what is my",
                                                          "what was my",
                                                          "what are my",
                                                          "what were my",
                                                          "who is my",
                                                          "who's my",
                                                          "where is my",
                                                          "where's my",
                                                          "when is my",
                                                          "when's my",
                                                          "which of my",
                                                          "how old is my",
                                                          "how old am i",
                                                          "did we",
                                                          "have we",
                                                          "were we",
                                                          "i told you",
                                                          "i tell you",
                                                          "you told me",
                                                          "did you say",
                                                          "did you tell",
                                                          "last time",
                                                          "our last conversation",
                                                          "we talked about",
                                                          "i mentioned",
                                                          "i said",
                                                          "do you remember",
                                                          "you remember",
                                                          "do you know my",
                                                          "is my",
                                                          "are my",
                                                          "does my",
                                                          "did my"});
// Asking for a way, not for what is known of the speaker.
constexpr auto kHowTo = std::to_array<std::string_view>(
    {"how do i", "what do i do", "what do i need", "where do i find", "where do i get", "which do i"});
constexpr auto kShopping = std::to_array<std::string_view>(
    {"buy", "buying", "cheapest", "price of", "prices", "best price", "how much does", "how much is", "how much do",
     "in stock", "purchase", "for sale", "discount", "shop for", "best deal", "on sale", "order me", "cost of"});
constexpr auto kResearch = std::to_array<std::string_view>(
    {"research", "compare", "find out", "look up", "investigate", "latest news", "pros and cons", "look into",
     "search the web", "search for", "studies on", "comparison of", "state of the art", "literature on"});
constexpr auto kCode = std::to_array<std::string_view>({"compile",
                                                        "compiler",
                                                        "compiles",
                                                        "python",
                                                        "javascript",
                                                        "typescript",
                                                        "java",
                                                        "c++",
                                                        "c#",
                                                        "golang",
                                                        "sql",
                                                        "regex",
                                                        "regular expression",
                                                        "stack trace",
                                                        "segfault",
                                                        "segmentation fault",
                                                        "unit test",
                                                        "unit tests",
                                                        "null pointer",
                                                        "git commit",
                                                        "git rebase",
                                                        "git merge",
                                                        "docker",
                                                        "cmake",
                                                        "makefile",
                                                        "bash script",
                                                        "shell script",
                                                        "api endpoint",
                                                        "linked list",
                                                        "hash map",
                                                        "traceback",
                                                        "syntax error",
                                                        "typeerror",
                                                        "source code",
                                                        "my code",
                                                        "this code",
                                                        "html",
                                                        "css",
                                                        "json",
                                                        "refactor",
                                                        "debug",
                                                        "recursive function"});
constexpr auto kCodeMarks = std::to_array<std::string_view>(
    {"```", "();", "#include", "def ", "std::", "=> {", "</", "int main", "select * from", "::", "() {"});
constexpr auto kAsksToKeep = std::to_array<std::string_view>(
    {"remember", "don't forget that", "do not forget that", "don't forget", "note that", "note:", "keep in mind",
     "bear in mind", "forget that", "forget what", "forget about", "forget my", "for the record", "can you remember",
     "could you remember", "make a note", "for future reference"});
constexpr auto kSmalltalk = std::to_array<std::string_view>({"hi",
                                                             "hello",
                                                             "hey",
                                                             "hi there",
                                                             "hello there",
                                                             "good morning",
                                                             "good evening",
                                                             "good afternoon",
                                                             "good night",
                                                             "thanks",
                                                             "thank you",
                                                             "bye",
                                                             "goodbye",
                                                             "see you",
                                                             "how are you",
                                                             "how's it going",
                                                             "what's up",
                                                             "nice",
                                                             "cool",
                                                             "great",
                                                             "ok",
                                                             "okay",
                                                             "lol",
                                                             "haha",
                                                             "awesome",
                                                             "wow",
                                                             "nice to meet you",
                                                             "you're welcome",
                                                             "no problem",
                                                             "good job",
                                                             "well done",
                                                             "perfect",
                                                             "cheers",
                                                             "sounds good",
                                                             "got it",
                                                             "no thanks",
                                                             "no thank you",
                                                             "never mind",
                                                             "yes",
                                                             "no",
                                                             "sure",
                                                             "i see",
                                                             "have a nice day",
                                                             "have a good"});

bool tells_taste(std::string_view message) {
  const auto told = propose_memories(message);
  return std::ranges::any_of(told,
                             [](const MemoryProposal& proposal) { return proposal.kind == MemoryKind::kPreference; });
}

constexpr auto kPoliteQuestions =
    std::to_array<std::string_view>({"how are you", "how's it going", "what's up", "how do you do"});
constexpr auto kShortWords =
    std::to_array<std::string_view>({"yes", "no", "sure", "ok", "okay", "great", "nice", "cool", "perfect", "wow"});

// Nothing but pleasantries: every sentence of it opens with one and stays short.
bool only_smalltalk(std::string_view low) {
  if (low.size() > kSmalltalkBytes) return false;
  constexpr std::size_t kMaxWords = 6, kMaxAfterShortWord = 3;
  return std::ranges::all_of(sentences(low), [](std::string_view sentence) {
    const std::size_t limit = begins_with_any(sentence, kShortWords) ? kMaxAfterShortWord : kMaxWords;
    if (words_of(sentence).size() > limit || !begins_with_any(sentence, kSmalltalk)) return false;
    return !sentence.ends_with('?') || contains_any(sentence, kPoliteQuestions);
  });
}

constexpr auto kWrong = std::to_array<std::string_view>({"that is wrong",
                                                         "that's wrong",
                                                         "this is wrong",
                                                         "it's wrong",
                                                         "it is wrong",
                                                         "that is not right",
                                                         "that's not right",
                                                         "that isn't right",
                                                         "that is incorrect",
                                                         "that's incorrect",
                                                         "that is not correct",
                                                         "that's not correct",
                                                         "that isn't correct",
                                                         "not what i asked",
                                                         "that is not what i",
                                                         "that's not what i",
                                                         "that isn't what i",
                                                         "this is not what i",
                                                         "this isn't what i",
                                                         "you are wrong",
                                                         "you're wrong",
                                                         "that is not true",
                                                         "that's not true",
                                                         "that isn't true",
                                                         "you misunderstood",
                                                         "you got it wrong",
                                                         "you got that wrong",
                                                         "you are mistaken",
                                                         "you're mistaken",
                                                         "i didn't ask",
                                                         "i did not ask",
                                                         "that's nonsense",
                                                         "that is nonsense",
                                                         "that makes no sense",
                                                         "that's not it",
                                                         "that is not it",
                                                         "that doesn't answer",
                                                         "that does not answer",
                                                         "you didn't answer",
                                                         "not true",
                                                         "i said",
                                                         "i meant",
                                                         "that's completely wrong",
                                                         "that is completely wrong",
                                                         "that's false",
                                                         "that is false"});
// These only after a "no": alone they may tell something else.
constexpr auto kOnlyAfterNo = std::to_array<std::string_view>({"i said", "i meant", "not true"});
constexpr auto kWrongAlone =
    std::to_array<std::string_view>({"wrong", "incorrect", "false", "nope, wrong", "no, wrong", "not true",
                                     "not correct", "bad answer", "wrong answer", "useless"});
constexpr auto kGoesOn = std::to_array<std::string_view>(
    {"thanks",      "thank you",        "perfect",      "excellent",     "awesome",        "exactly",
     "that helps",  "that helped",      "that's right", "that is right", "that's correct", "that is correct",
     "correct",     "tell me more",     "go on",        "continue",      "ok, and",        "okay, and",
     "and what",    "and how",          "and when",     "and where",     "and who",        "and why",
     "and which",   "what about",       "how about",    "yes, and",      "great, ",        "great!",
     "great.",      "nice, ",           "nice!",        "good, ",        "cool, ",         "got it",
     "makes sense", "that makes sense", "what else",    "sounds good",   "good idea",      "love it",
     "i see",       "very helpful"});

}  // namespace

Intent derive_intent(std::string_view message) {
  const std::string all = plain_lower(ellipsize(message, kMaxJudgedBytes));
  const std::string_view low = after_openers(all);
  if (words_of(all).empty()) return Intent::kOther;
  const bool marks =
      std::ranges::any_of(kCodeMarks, [&](std::string_view mark) { return all.find(mark) != std::string::npos; });
  if (marks || contains_any(all, kCode)) return Intent::kCode;
  const bool forbids = begins_with_phrase(low, "do not");  // "do not use …" asks nothing
  const bool asks = all.ends_with('?') || (begins_with_any(low, kQuestionWords) && !forbids);
  if (begins_with_any(low, kAsksToKeep) && !begins_with_phrase(low, "remember when")) return Intent::kMemory;
  if (only_smalltalk(all)) return Intent::kSmalltalk;
  if (!asks && tells_taste(message)) return Intent::kPreference;
  if (contains_any(all, kShopping)) return Intent::kShopping;
  if (begins_with_any(low, kResearch) || contains_any(all, std::span(kResearch).first(9))) return Intent::kResearch;
  if (asks && contains_any(all, kLookup) && !begins_with_any(low, kHowTo)) return Intent::kLookup;
  std::string_view task = low;
  if (const auto polite = beginning_of(low, kPolite); !polite.empty())
    task = after_openers(trim(low.substr(polite.size())));
  if (begins_with_any(task, kTasks) || (task.size() != low.size() && !asks)) return Intent::kTask;
  if (asks) return Intent::kQuestion;
  return propose_memories(message).empty() ? Intent::kOther : Intent::kMemory;
}

// Rather none than a wrong one: a reply that was fine is not to be hidden.
Feedback derive_feedback(std::string_view message) {
  constexpr std::size_t kMaxGoingOn = 120;
  const std::string all = plain_lower(ellipsize(message, kMaxJudgedBytes));
  const auto parts = sentences(all);
  if (parts.empty()) return Feedback::kNone;
  std::string_view first = parts.front();
  std::string_view bare = first;
  while (!bare.empty() && (bare.back() == '.' || bare.back() == '!')) bare.remove_suffix(1);
  if (std::ranges::find(kWrongAlone, bare) != kWrongAlone.end()) return Feedback::kRejects;
  bool after_no = false;
  for (const std::string_view opener : {"thanks, but", "thank you, but", "great, but", "sorry, but", "sorry", "hmm",
                                        "no", "no", "nope", "but", "wait", "actually"}) {
    if (!begins_with_phrase(first, opener) || first.size() == opener.size()) continue;
    after_no |= opener.starts_with("no");
    first.remove_prefix(opener.size());
    while (!first.empty() && (first[0] == ',' || first[0] == ' ')) first.remove_prefix(1);
  }
  if ((bare == "no" || bare == "nope") && parts.size() > 1) after_no = true, first = parts[1];
  const std::string_view wrong = beginning_of(first, kWrong);
  const bool needs_no = std::ranges::find(kOnlyAfterNo, wrong) != kOnlyAfterNo.end();
  if (!wrong.empty() && !first.ends_with('?') && (after_no || !needs_no)) return Feedback::kRejects;
  const bool but = all.find(" but ") != std::string::npos;
  if (all.size() <= kMaxGoingOn && !but && begins_with_any(all, kGoesOn)) return Feedback::kContinues;
  return Feedback::kNone;
}

}  // namespace pandora
