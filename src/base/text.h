// UTF-8 text, as bytes that strangers send it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace pandora {

bool is_valid_utf8(std::string_view text);
// Every maximal broken sequence becomes one U+FFFD; NUL becomes U+FFFD as well. Valid text comes back unchanged.
std::string sanitize_utf8(std::string_view text);
// At most `max_bytes`, cut at a code point; with "…" appended when something was cut (the mark counts).
std::string ellipsize(std::string_view text, std::size_t max_bytes);
// Runs of white space become one space; ends trimmed.
std::string collapse_space(std::string_view text);
std::string_view trim(std::string_view text);
// Control characters become spaces: for one line of a terminal or a log.
std::string one_line(std::string_view text);
// How many letters must be changed, added or taken away to make one of the other: for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace pandora
