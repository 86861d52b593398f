#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "domain/memory.h"
#include "domain/phrases.h"
#include "domain/sentences.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxProposals = 8;
constexpr std::size_t kMaxSentenceBytes = 1'000;  // a longer "sentence" is pasted text, not something told
constexpr std::size_t kMaxToldBytes = 8'000;      // of a message: beyond it, a pasted document

// --- what the user asks to be remembered in so many words -----------------------------------------------------------

constexpr auto kRequests = std::to_array<std::string_view>({"remember",
                                                            "don't forget that",
                                                            "do not forget that",
                                                            "don't forget my",
                                                            "don't forget i",
                                                            "don't forget:",
                                                            "note that",
                                                            "note:",
                                                            "note to self",
                                                            "make a note",
                                                            "take a note",
                                                            "take note",
                                                            "keep in mind",
                                                            "bear in mind",
                                                            "for future reference",
                                                            "for the record",
                                                            "i want you to remember",
                                                            "i'd like you to remember",
                                                            "make sure you remember",
                                                            "make sure to remember",
                                                            "can you remember that",
                                                            "could you remember that",
                                                            "can you please remember that",
                                                            "could you please remember that",
                                                            "will you remember that",
                                                            "would you remember that"});
// Reminiscing and asking, not telling.
constexpr auto kReminiscing =
    std::to_array<std::string_view>({"when", "how", "what", "where", "why", "who", "which", "the time", "the day", "me",
                                     "us", "him", "her", "them", "anything", "nothing"});
constexpr auto kPointers = std::to_array<std::string_view>(
    {"that", "this", "it", "the following", "these", "those", "these things", "of that", "of this", "of it"});

// --- what he tells of himself ---------------------------------------------------------------------------------------

constexpr auto kAdverbs = std::to_array<std::string_view>(
    {"really", "absolutely", "also", "generally", "usually", "always", "still", "truly", "especially", "particularly",
     "currently", "now", "just", "recently", "much", "definitely"});
constexpr auto kTastes = std::to_array<std::string_view>(
    {"i prefer",      "i like",        "i love",        "i hate",         "i dislike",
     "i enjoy",       "i adore",       "i can't stand", "i cannot stand", "i don't like",
     "i do not like", "i don't eat",   "i do not eat",  "i don't drink",  "i do not drink",
     "i never eat",   "i never drink", "i avoid",       "i favour",       "i favor"});
// Of what is before us, not lasting: "I like that", "I love your idea", "I prefer the second one".
constexpr auto kPointing = std::to_array<std::string_view>(
    {"that",     "this",      "it",         "these",     "those",    "them",      "him",        "her",
     "you",      "your",      "his",        "their",     "its",      "how",       "what",       "the way",
     "the idea", "the first", "the second", "the third", "the last", "the other", "the former", "the latter",
     "the new",  "the sound", "where",      "both",      "either",   "none"});
constexpr auto kNaming =
    std::to_array<std::string_view>({"call me", "you can call me", "you may call me", "everyone calls me",
                                     "people call me", "my friends call me", "i go by", "i am called", "i'm called"});
constexpr auto kNotNames = std::to_array<std::string_view>({"back", "later", "when", "at", "tomorrow", "tonight",
                                                            "maybe", "if", "an", "a", "crazy", "old-fashioned", "on",
                                                            "after", "before", "once", "in", "for", "anytime"});
constexpr auto kOrders = std::to_array<std::string_view>(
    {"answer",  "reply", "respond", "use",     "write",     "give",   "address", "call",    "speak",   "talk",
     "tell",    "ask",   "include", "add",     "show",      "format", "keep",    "explain", "suggest", "recommend",
     "mention", "say",   "send",    "put",     "translate", "cite",   "check",   "start",   "end",     "assume",
     "quote",   "make",  "remind",  "convert", "avoid",     "round",  "sign",    "greet",   "begin",   "offer"});
constexpr auto kPossessions = std::to_array<std::string_view>({"i live in",
                                                               "we live in",
                                                               "i've been vegan",
                                                               "i've been vegetarian",
                                                               "i have been vegan",
                                                               "i have been vegetarian",
                                                               "i live at",
                                                               "i live near",
                                                               "i live on",
                                                               "i live with",
                                                               "i moved to",
                                                               "i've moved to",
                                                               "i have moved to",
                                                               "i come from",
                                                               "i'm from",
                                                               "i am from",
                                                               "i was born",
                                                               "i grew up",
                                                               "i work at",
                                                               "i work as",
                                                               "i work for",
                                                               "i work in",
                                                               "i work with",
                                                               "i speak",
                                                               "i own",
                                                               "i drive a",
                                                               "i drive an",
                                                               "i study",
                                                               "i'm studying",
                                                               "i am studying",
                                                               "i graduated",
                                                               "i'm married",
                                                               "i am married",
                                                               "i'm divorced",
                                                               "i am divorced",
                                                               "i play the",
                                                               "i was diagnosed with",
                                                               "i suffer from",
                                                               "i have an allergy",
                                                               "i'm intolerant to",
                                                               "i am intolerant to"});
constexpr auto kBeing = std::to_array<std::string_view>(
    {"allergic to", "severely allergic to", "highly allergic to", "very allergic to", "vegetarian", "vegan",
     "pescatarian", "diabetic", "coeliac", "celiac", "left-handed", "colour-blind", "color-blind", "colourblind",
     "lactose intolerant", "a vegetarian", "a vegan", "gluten intolerant"});
constexpr auto kNotTrades =
    std::to_array<std::string_view>({"bit", "little", "tad", "lot", "few", "mess", "fool", "total", "huge", "big",
                                     "human", "fan", "loss", "bad", "better", "hundred", "thousand", "person"});
constexpr auto kKin = std::to_array<std::string_view>(
    {"son",      "sons",          "daughter",  "daughters",     "child",  "children", "kid",     "kids",   "brother",
     "brothers", "sister",        "sisters",   "dog",           "dogs",   "cat",      "cats",    "wife",   "husband",
     "partner",  "girlfriend",    "boyfriend", "twins",         "puppy",  "kitten",   "horse",   "parrot", "rabbit",
     "hamster",  "grandchildren", "grandson",  "granddaughter", "nephew", "niece",    "allergy", "asthma", "diabetes"});
constexpr auto kCopulas =
    std::to_array<std::string_view>({" is ", " are ", " was born ", " lives in ", " live in ", " works ", " likes ",
                                     " loves ", " hates ", " prefers ", "'s name is ", " name's ", " has "});
// "My question is …", "my guess is …": nothing of the speaker's own.
constexpr auto kPassingThings = std::to_array<std::string_view>(
    {"question", "questions", "point",   "problem",       "guess",    "idea",      "plan",   "code",  "program",
     "computer", "internet",  "screen",  "function",      "query",    "script",    "test",   "tests", "build",
     "server",   "app",       "opinion", "understanding", "concern",  "issue",     "error",  "bad",   "mistake",
     "goal",     "hope",      "fear",    "thought",       "thoughts", "turn",      "answer", "next",  "head",
     "back",     "input",     "output",  "data",          "file",     "apologies", "advice", "first"});
constexpr auto kStates = std::to_array<std::string_view>(
    {"broken", "slow",    "not",     "too",  "so",   "very",  "really",  "late",  "down",  "open",  "closed",
     "always", "awesome", "amazing", "like", "here", "there", "ready",   "done",  "gone",  "full",  "empty",
     "stuck",  "tired",   "sick",    "sore", "ok",   "okay",  "good",    "bad",   "great", "about", "still",
     "just",   "out",     "away",    "what", "that", "if",    "whether", "wrong", "right", "mad",   "angry"});
constexpr auto kForNow = std::to_array<std::string_view>(
    {"right now", "today", "at the moment", "tonight", "tomorrow", "this week", "this morning", "yesterday"});
constexpr auto kSupposing = std::to_array<std::string_view>(
    {"if", "suppose", "supposing", "imagine", "what if", "let's say", "pretend", "assume", "assuming", "say"});
constexpr auto kSupposed =
    std::to_array<std::string_view>({"would be", "could be", "might be", "may be", "would have", "if i were", "as if"});
constexpr auto kReported = std::to_array<std::string_view>(
    {"said", "says", "told", "asked", "wrote", "writes", "if", "when", "whether", "claims", "thinks"});
// After these the rest of the message is material to work on, not something told.
constexpr auto kWorkOn = std::to_array<std::string_view>({"translate",
                                                          "proofread",
                                                          "paraphrase",
                                                          "rewrite",
                                                          "rephrase",
                                                          "correct",
                                                          "summarise",
                                                          "summarize",
                                                          "edit",
                                                          "improve",
                                                          "fix",
                                                          "shorten",
                                                          "analyse",
                                                          "analyze",
                                                          "continue",
                                                          "complete",
                                                          "write",
                                                          "role-play",
                                                          "roleplay",
                                                          "here is a",
                                                          "here's a",
                                                          "read this",
                                                          "consider the following",
                                                          "pretend",
                                                          "imagine",
                                                          "suppose"});

bool first_word_in(std::string_view text, Phrases words) { return begins_with_any(trim(text), words); }

// "i really like" → "i like".
std::string without_adverbs(std::string_view low) {
  if (!low.starts_with("i ")) return std::string(low);
  std::string_view rest = low.substr(2);
  for (std::string_view adverb; !(adverb = beginning_of(rest, kAdverbs)).empty() && adverb.size() < rest.size();)
    rest = trim(rest.substr(adverb.size()));
  return "i " + std::string(rest);
}

// "the" of what is before us ("I love the colour"), unless it begins a name ("I love the Beatles").
bool points(std::string_view object, std::string_view form, std::string_view written) {
  if (begins_with_any(object, kPointing)) return true;
  if (!object.starts_with("the ") || form == "i prefer") return false;
  constexpr std::string_view kArticle = " the ";
  const auto at = written.find(kArticle);
  if (at == std::string_view::npos || at + kArticle.size() >= written.size()) return true;
  const char initial = written[at + kArticle.size()];
  return initial < 'A' || initial > 'Z';
}

bool taste(std::string_view low, std::string_view written) {
  const std::string_view form = beginning_of(low, kTastes);
  if (form.empty()) return false;
  const std::string_view object = trim(low.substr(form.size()));
  const auto words = words_of(object);
  return !words.empty() && !(words.size() == 1 && words[0] == "to") && !points(object, form, written);
}

bool named(std::string_view low) {
  const std::string_view form = beginning_of(low, kNaming);
  return !form.empty() && low.size() > form.size() + 1 && !first_word_in(low.substr(form.size()), kNotNames);
}

// "always answer in French", "from now on, …": how the assistant is to behave.
bool standing_order(std::string_view low) {
  for (const std::string_view wish : {"i want you to", "i'd like you to", "i need you to", "you should", "you must"})
    if (begins_with_phrase(low, wish)) low = trim(low.substr(wish.size()));
  if (contains_phrase(low, "give up")) return false;
  if (begins_with_any(low, kOrders) && contains_phrase(low, "from now on")) return true;
  for (const std::string_view stop : {"stop using", "stop calling", "stop saying", "stop adding"})
    if (begins_with_phrase(low, stop)) return true;

  for (const std::string_view lasting : {"always", "never", "don't ever", "do not ever"})
    if (begins_with_phrase(low, lasting) && first_word_in(low.substr(lasting.size()), kOrders)) return true;
  for (const std::string_view lasting : {"from now on", "in future", "in the future", "going forward"}) {
    if (!begins_with_phrase(low, lasting)) continue;
    std::string_view rest = low.substr(lasting.size());
    while (!rest.empty() && (rest[0] == ',' || rest[0] == ' ')) rest.remove_prefix(1);
    const std::string_view order = after_openers(rest);
    for (const std::string_view begin :
         {"always", "never", "don't", "do not", "you should", "i want you", "i'd like you"})
      if (begins_with_phrase(order, begin)) return true;
    return begins_with_any(order, kOrders);
  }
  return false;
}

// "I'm Ann." "I am Bob Smith.": one to three words, each with a capital.
bool introduces(std::string_view written, std::string_view low) {
  if (low.starts_with("i'm ok") || low.starts_with("i am ok")) return false;
  const auto at = low.starts_with("i'm ") ? 1 : low.starts_with("i am ") ? 2 : 0;
  if (at == 0) return false;
  const std::string plain = collapse_space(written);
  auto words = words_of(plain);
  const auto me = std::ranges::find_if(words, [](std::string_view word) { return word.starts_with("I"); });
  words.erase(words.begin(), me == words.end() ? me : me + at);
  return !words.empty() && words.size() <= 3 && std::ranges::all_of(words, [](std::string_view word) {
    return word[0] >= 'A' && word[0] <= 'Z' && word != "I";
  });
}

bool of_himself(const std::string& low) {
  if (const auto form = beginning_of(low, kPossessions); !form.empty())
    return low.size() > form.size() + 1 || form.ends_with("married");
  for (const std::string_view begin : {"i am ", "i'm "}) {
    if (!low.starts_with(begin)) continue;
    const std::string_view rest = std::string_view(low).substr(begin.size());
    if (begins_with_any(rest, kBeing)) return true;
    const auto words = words_of(rest);
    if (words.size() >= 3 && words[1] == "years" && words[2] == "old") return true;
    constexpr std::size_t kTrade = 8;  // "I'm a nurse at the children's hospital"
    if (words.size() >= 2 && words.size() <= kTrade && (words[0] == "a" || words[0] == "an"))
      return std::ranges::find(kNotTrades, words[1]) == kNotTrades.end();
  }
  for (const std::string_view begin : {"i have ", "i've got ", "we have ", "we've got "}) {
    if (!low.starts_with(begin)) continue;
    const auto words = words_of(std::string_view(low).substr(begin.size()));
    constexpr std::size_t kNear = 4;
    for (std::size_t i = 0; i < std::min(words.size(), kNear); ++i)
      if (std::ranges::find(kKin, words[i]) != kKin.end()) return true;
  }
  return false;
}

// "My sister's name is …", "My car is a …": what belongs to the speaker and is said to be something lasting.
bool possession_is(std::string_view low, std::string_view written) {
  if (!low.starts_with("my ") || first_word_in(low.substr(3), kPassingThings)) return false;
  constexpr std::size_t kMaxSubject = 60;  // the copula stands near the front
  std::size_t best = kMaxSubject, length = 0;
  for (const std::string_view verb : kCopulas) {
    const auto at = low.find(verb);
    if (at < best) best = at, length = verb.size();
  }
  if (length == 0) return false;
  const auto words = words_of(low.substr(best + length));
  if (words.empty() || begins_with_any(low.substr(best + length), kStates)) return false;
  const bool going_on =
      words[0].ends_with("ing") && written.find(words[0]) != std::string_view::npos;  // no name: "Beijing"
  return !going_on;
}

std::optional<MemoryKind> told_of_himself(std::string_view sentence, std::string_view opened) {
  if (opened.ends_with('?') || begins_with_any(opened, kSupposing) || contains_any(opened, kSupposed))
    return std::nullopt;
  const std::string low = without_adverbs(opened);
  if (begins_with_phrase(low, "my favourite") || begins_with_phrase(low, "my favorite") ||
      begins_with_phrase(low, "my preferred") || begins_with_phrase(low, "my preference"))
    return possession_is(low, sentence) ? std::optional(MemoryKind::kPreference) : std::nullopt;
  if (taste(low, sentence) || named(low) || standing_order(opened)) return MemoryKind::kPreference;
  if (contains_any(low, kForNow)) return std::nullopt;
  if (of_himself(low) || introduces(sentence, low) || possession_is(low, sentence)) return MemoryKind::kFact;
  return std::nullopt;
}

// "I can't eat that, I'm allergic to nuts": the few things that matter wherever they stand in a sentence.
bool told_within(std::string_view low) {
  if (low.ends_with('?') || contains_any(low, kReported) || contains_any(low, kSupposed)) return false;
  for (const std::string_view joint : {", ", "; ", " and ", " but ", " because ", " since "})
    for (auto at = low.find(joint); at != std::string_view::npos; at = low.find(joint, at + 1)) {
      const std::string_view clause = low.substr(at + joint.size());
      for (const std::string_view form : {"i'm allergic to", "i am allergic to", "my name is", "my birthday is",
                                          "i live in", "i'm vegan", "i am vegan", "i'm vegetarian", "i am vegetarian"})
        if (begins_with_phrase(clause, form) && !contains_any(clause, kForNow)) return true;
    }
  return false;
}

enum class Where { kHere, kElsewhere };  // kElsewhere: "remember this:", and it stands in a sentence beside
struct Told {
  MemoryKind kind;
  Where where = Where::kHere;
};

std::optional<Told> requested(std::string_view sentence, std::string_view opened) {
  const std::string_view request = beginning_of(opened, kRequests);
  if (request.empty()) return std::nullopt;
  if (opened.ends_with('?') && !request.starts_with("can ") && !request.starts_with("could ") &&
      !request.starts_with("w"))
    return std::nullopt;
  std::string_view rest = opened.substr(request.size());
  const auto skip = [&rest] {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == ',' || rest[0] == ':')) rest.remove_prefix(1);
  };
  skip();
  if (begins_with_any(rest, kReminiscing) && !begins_with_phrase(rest, "when i")) return std::nullopt;
  if (begins_with_phrase(rest, "when i")) return std::nullopt;
  std::string_view bare = rest;
  while (!bare.empty() && (bare.back() == '.' || bare.back() == '!' || bare.back() == ':' || bare.back() == ' '))
    bare.remove_suffix(1);
  if (bare.empty() || std::ranges::find(kPointers, bare) != kPointers.end())
    return Told{MemoryKind::kNote, Where::kElsewhere};
  for (const std::string_view pointer : {"that", "this", "the following"})
    if (begins_with_phrase(rest, pointer)) rest.remove_prefix(pointer.size());
  skip();
  if (rest.ends_with('?')) rest.remove_suffix(1);  // "can you remember that …?" asks for nothing
  return Told{told_of_himself(sentence, rest).value_or(MemoryKind::kNote), Where::kHere};
}

std::string_view without_bullet(std::string_view line) {
  line = trim(line);
  for (const std::string_view bullet : {"- ", "* ", "• "})
    if (line.starts_with(bullet)) return trim(line.substr(bullet.size()));
  return line;
}

bool quoted(std::string_view sentence) {
  return std::ranges::any_of(std::to_array<std::string_view>({"\"", "'", "“", "‘", "«", ">", "`", "|"}),
                             [&](std::string_view mark) { return sentence.starts_with(mark); });
}

// Is `line` inside a quotation where the sentence at `at` begins?
bool inside_quotes(std::string_view line, std::size_t at) {
  bool open = false;
  for (std::size_t i = 0; i < at; ++i) {
    if (line[i] == '"') open = !open;
    if (line.substr(i).starts_with("“") || line.substr(i).starts_with("«")) open = true;
    if (line.substr(i).starts_with("”") || line.substr(i).starts_with("»")) open = false;
  }
  return open;
}

// The sentences that the user says himself: none of quotations, code, or material that he wants worked on.
std::vector<std::string_view> own_sentences(std::string_view message) {
  std::vector<std::string_view> own;
  bool in_code = false;
  for (std::size_t begin = 0; begin < message.size();) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    const std::string_view line = message.substr(begin, end - begin);
    begin = end + 1;
    if (trim(line).starts_with("```")) in_code = !in_code;
    if (in_code || trim(line).starts_with(">") || line.size() > kMaxToldBytes) continue;
    for (const std::string_view raw : sentences(line)) {
      const std::string_view sentence = without_bullet(raw);
      if (begins_with_any(after_openers(plain_lower(sentence.substr(0, 100))), kWorkOn)) return own;
      const bool fits = !sentence.empty() && sentence.size() <= kMaxSentenceBytes;
      if (fits && !quoted(sentence) && !inside_quotes(line, static_cast<std::size_t>(raw.data() - line.data())))
        own.push_back(sentence);
    }
  }
  return own;
}

std::optional<Told> told(std::string_view sentence) {
  const std::string low = plain_lower(sentence);
  const std::string_view opened = after_openers(low);
  if (const auto request = requested(sentence, opened)) return request;
  if (const auto kind = told_of_himself(sentence, opened)) return Told{*kind};
  if (told_within(low)) return Told{MemoryKind::kFact};
  return std::nullopt;
}

}  // namespace

std::vector<MemoryProposal> propose_memories(std::string_view message) {
  std::vector<MemoryProposal> proposals;
  const auto propose = [&](MemoryKind kind, const std::string& content) {
    const bool known = std::ranges::any_of(proposals, [&](const auto& other) { return other.content == content; });
    if (!known && proposals.size() < kMaxProposals) proposals.push_back({kind, content, Trust::kUser});
  };
  const std::string_view told_part = message.substr(0, kMaxToldBytes);
  auto own = own_sentences(told_part);
  const bool cut = told_part.size() < message.size() && !own.empty() &&
                   own.back().data() + own.back().size() == told_part.data() + told_part.size();
  if (cut) own.pop_back();  // half a sentence is not what he said
  for (std::size_t i = 0; i < own.size(); ++i) {
    const auto found = told(own[i]);
    if (!found) continue;
    if (found->where == Where::kHere) {
      propose(found->kind, collapse_space(own[i]));
      continue;
    }
    // "Remember this:" looks ahead, "… Remember that." back.
    const bool ahead = own[i].ends_with(':') || i == 0;
    if (ahead ? i + 1 == own.size() : i == 0) continue;
    const std::string_view beside = ahead ? own[i + 1] : own[i - 1];
    if (!beside.ends_with('?') && !told(beside)) propose(found->kind, collapse_space(beside));
  }
  return proposals;
}

}  // namespace pandora
