#include "recall/references.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string>

namespace pandora {
namespace {

struct Token {
  std::string word;  // lower case letters, or digits, or one other character
  bool number = false;
};

std::optional<Token> next_token(std::string_view text, std::size_t& at) {
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  while (at < text.size() && (text[at] == ' ' || text[at] == ',' || text[at] == '\n' || text[at] == '\t')) ++at;
  if (at == text.size()) return std::nullopt;
  const std::size_t begin = at;
  if (is_digit(text[at])) {
    while (at < text.size() && is_digit(text[at])) ++at;
    return Token{std::string(text.substr(begin, at - begin)), true};
  }
  if (!is_letter(text[at])) return Token{std::string(1, text[at++]), false};
  while (at < text.size() && is_letter(text[at])) ++at;
  Token token{std::string(text.substr(begin, at - begin)), false};
  std::ranges::transform(token.word, token.word.begin(), [](unsigned char c) { return std::tolower(c); });
  return token;
}

}  // namespace

std::vector<TurnNumber> referenced_turns(std::string_view question) {
  std::vector<TurnNumber> turns;
  bool listening = false;  // after "turn", "turns" or "#", until a word that is no list
  for (std::size_t at = 0; const auto token = next_token(question, at);) {
    if (token->number) {
      std::int64_t value = 0;
      const auto* end = token->word.data() + token->word.size();
      const auto parsed = std::from_chars(token->word.data(), end, value);
      const bool fits = parsed.ec == std::errc() && value > 0;
      if (listening && fits && turns.size() < kMaxReferences &&
          std::ranges::find(turns, TurnNumber{value}) == turns.end())
        turns.push_back({value});
      continue;
    }
    listening = token->word == "turn" || token->word == "turns" || token->word == "#" ||
                (listening && (token->word == "and" || token->word == "or" || token->word == "&" ||
                               token->word == "number" || token->word == "no"));
  }
  return turns;
}

}  // namespace pandora
