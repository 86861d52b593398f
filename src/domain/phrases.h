// Phrases in a text, for the rules on words and form. Pure.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pandora {

using Phrases = std::span<const std::string_view>;

// ASCII letters lower, typographic apostrophes plain, white space collapsed: what every other call here expects.
std::string plain_lower(std::string_view text);

// A phrase counts only between the ends of words: "i like" is not in "i likened".
bool begins_with_phrase(std::string_view low, std::string_view phrase);
bool contains_phrase(std::string_view low, std::string_view phrase);
// The first of `phrases` that `low` begins with; empty when none does.
std::string_view beginning_of(std::string_view low, Phrases phrases);
bool begins_with_any(std::string_view low, Phrases phrases);
bool contains_any(std::string_view low, Phrases phrases);

// Without the words that only open a sentence: "ok, ", "hi Pandora, ", "by the way, ", "please ".
std::string_view after_openers(std::string_view low);
// Words with their apostrophes, without punctuation.
std::vector<std::string_view> words_of(std::string_view low);

}  // namespace pandora
