#include "domain/memory.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/phrases.h"

namespace pandora {
namespace {

// What a statement says of its subject is one thing at a time: another one takes its place.
constexpr auto kVerbs = std::to_array<std::string_view>(
    {" is ",      " are ",      " was ",      " were ",      " live in ",   " lives in ", " moved to ",
     " work at ", " works at ", " work for ", " works for ", " work as ",   " works as ", " prefer ",
     " prefers ", "call me ",   "answer in ", "reply in ",   "respond in ", "am called ", "go by "});
constexpr auto kRequests =
    std::to_array<std::string_view>({"remember that", "remember", "note that", "don't forget that", "keep in mind that",
                                     "for the record", "from now on", "you can", "just"});
constexpr auto kLikings = std::to_array<std::string_view>(
    {"i really like", "i really love", "i like", "i love", "i enjoy", "i adore", "always"});
constexpr auto kDislikings =
    std::to_array<std::string_view>({"i don't like", "i do not like", "i no longer like", "i really hate", "i hate",
                                     "i dislike", "i can't stand", "i cannot stand", "never"});

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// The statement itself, in one spelling.
std::string plain_statement(std::string_view text) {
  const std::string low = plain_lower(text);
  std::string_view rest = after_openers(low);
  for (std::string_view request; !(request = beginning_of(rest, kRequests)).empty() && request.size() < rest.size();) {
    rest.remove_prefix(request.size());
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == ',' || rest[0] == ':')) rest.remove_prefix(1);
    rest = after_openers(rest);
  }
  std::string statement(rest);
  replace_all(statement, "favorite", "favourite");
  replace_all(statement, "name's ", "name is ");
  replace_all(statement, "i'm ", "i am ");
  replace_all(statement, "i now ", "i ");
  replace_all(statement, "i currently ", "i ");
  return statement;
}

std::set<std::string> words_set(std::string_view text) {
  std::set<std::string> words;
  for (Term& term : analyze(text, StopWords::kKept))
    if (term.text != "a" && term.text != "an" && term.text != "the" && term.text != "now")
      words.insert(std::move(term.text));
  return words;
}

struct Statement {
  std::string subject;  // with its verb
  std::string said;
};
std::optional<Statement> split_statement(const std::string& statement) {
  std::size_t best = std::string::npos;
  std::string_view verb;
  for (const std::string_view candidate : kVerbs) {
    const auto at = statement.find(candidate);
    if (at < best) best = at, verb = candidate;
  }
  if (best == std::string::npos) return std::nullopt;
  std::string subject = statement.substr(0, best) + std::string(verb);
  if (subject == "i moved to ") subject = "i live in ";
  if (subject == "reply in " || subject == "respond in " || subject == "always reply in " ||
      subject == "always respond in " || subject == "always answer in ")
    subject = "answer in ";
  return Statement{std::move(subject), statement.substr(best + verb.size())};
}

// "I like coffee" / "I hate coffee", "always use emojis" / "never use emojis".
bool opposed(const std::string& a, const std::string& b) {
  const std::string_view liking = beginning_of(a, kLikings), disliking = beginning_of(b, kDislikings);
  if (liking.empty() || disliking.empty() || (liking == "always") != (disliking == "never")) return false;
  return words_set(a.substr(liking.size())) == words_set(b.substr(disliking.size()));
}

// "called Rex" and "brown" are said of one dog, and do not exclude each other.
bool names(std::string_view said) { return said.starts_with("called ") || said.starts_with("named "); }

}  // namespace

bool contradicts(std::string_view newer, std::string_view older) {
  const std::string a = plain_statement(newer), b = plain_statement(older);
  if (opposed(a, b) || opposed(b, a)) return true;
  const auto one = split_statement(a), other = split_statement(b);
  if (!one || !other || one->subject != other->subject || names(one->said) != names(other->said)) return false;
  const auto said = words_set(one->said), before = words_set(other->said);
  // More of the same ("in Paris" / "in Paris, France") makes it more exact, not different; a "not" does not.
  const bool negated = said.contains("not") != before.contains("not");
  return negated || (!std::ranges::includes(said, before) && !std::ranges::includes(before, said));
}

}  // namespace pandora
