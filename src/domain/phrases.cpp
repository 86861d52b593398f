#include "domain/phrases.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace pandora {
namespace {

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}
// A phrase that ends in a sign ("c++", "note:") ends by itself.
bool ends_at(std::string_view low, std::size_t end) {
  return end >= low.size() || !in_word(low[end]) || !in_word(low[end - 1]);
}

constexpr auto kOpeners = std::to_array<std::string_view>({"ok",
                                                           "okay",
                                                           "so",
                                                           "and",
                                                           "also",
                                                           "btw",
                                                           "by the way",
                                                           "please",
                                                           "actually",
                                                           "well",
                                                           "oh",
                                                           "yes",
                                                           "yeah",
                                                           "fyi",
                                                           "just so you know",
                                                           "for your information",
                                                           "right",
                                                           "sure",
                                                           "anyway",
                                                           "thanks",
                                                           "thank you",
                                                           "hmm",
                                                           "ah",
                                                           "plus",
                                                           "just"});
constexpr auto kGreetings =
    std::to_array<std::string_view>({"hi", "hello", "hey", "good morning", "good evening", "dear"});

}  // namespace

std::string plain_lower(std::string_view text) {
  std::string low = collapse_space(text);
  std::ranges::transform(low, low.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const std::string_view mark : {"\u2018", "\u2019"})
    for (std::size_t at = 0; (at = low.find(mark, at)) != std::string::npos; ++at) low.replace(at, mark.size(), "'");
  return low;
}

bool begins_with_phrase(std::string_view low, std::string_view phrase) {
  return low.starts_with(phrase) && ends_at(low, phrase.size());
}

bool contains_phrase(std::string_view low, std::string_view phrase) {
  for (auto at = low.find(phrase); at != std::string_view::npos; at = low.find(phrase, at + 1))
    if ((at == 0 || !in_word(low[at - 1]) || !in_word(low[at])) && ends_at(low, at + phrase.size())) return true;
  return false;
}

std::string_view beginning_of(std::string_view low, Phrases phrases) {
  const auto found =
      std::ranges::find_if(phrases, [&](std::string_view phrase) { return begins_with_phrase(low, phrase); });
  return found == phrases.end() ? std::string_view() : *found;
}
bool begins_with_any(std::string_view low, Phrases phrases) { return !beginning_of(low, phrases).empty(); }
bool contains_any(std::string_view low, Phrases phrases) {
  return std::ranges::any_of(phrases, [&](std::string_view phrase) { return contains_phrase(low, phrase); });
}

std::string_view after_openers(std::string_view low) {
  constexpr std::size_t kMaxGreeting = 30;  // "hi Pandora, …": a greeting and whom it is for
  for (;;) {
    const auto comma = low.find(',');
    if (begins_with_any(low, kGreetings) && comma != std::string_view::npos && comma < kMaxGreeting) {
      low = trim(low.substr(comma + 1));
      continue;
    }
    const std::string_view opener = beginning_of(low, kOpeners);
    if (opener.empty() || opener.size() == low.size()) return low;
    std::string_view rest = low.substr(opener.size());
    if (rest[0] != ' ' && rest[0] != ',' && rest[0] != ':') return low;
    rest.remove_prefix(1);
    low = trim(rest);
  }
}

std::vector<std::string_view> words_of(std::string_view low) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < low.size();) {
    if (!in_word(low[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < low.size() && in_word(low[at])) ++at;
    words.push_back(low.substr(begin, at - begin));
  }
  return words;
}

}  // namespace pandora
