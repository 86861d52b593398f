#include "domain/sentences.h"

#include <array>
#include <span>

#include "base/text.h"

namespace pandora {
namespace {

constexpr auto kAbbreviations = std::to_array<std::string_view>(
    {"e.g.", "i.e.", "Dr.", "Mr.", "Mrs.", "Ms.", "St.", "vs.", "Prof.", "Jr.", "a.m.", "p.m."});
constexpr auto kFullWidth = std::to_array<std::string_view>({"。", "！", "？"});
constexpr auto kClosing = std::to_array<std::string_view>({"\"", "'", ")", "”", "’", "»"});

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Length of the mark that `text` begins with, 0 for none.
std::size_t starts_with_one_of(std::string_view text, std::span<const std::string_view> marks) {
  for (const std::string_view mark : marks)
    if (text.starts_with(mark)) return mark.size();
  return 0;
}

// Length of an end mark at `at`, 0 for none.
std::size_t end_mark(std::string_view text, std::size_t at) {
  if (text[at] == '.' || text[at] == '!' || text[at] == '?') return 1;
  if (text.substr(at).starts_with("…")) return std::string_view("…").size();
  return starts_with_one_of(text.substr(at), kFullWidth);
}

bool abbreviates(std::string_view before_with_dot) {
  for (const std::string_view abbreviation : kAbbreviations) {
    if (!before_with_dot.ends_with(abbreviation)) continue;
    const std::size_t rest = before_with_dot.size() - abbreviation.size();
    if (rest == 0 || is_space(before_with_dot[rest - 1])) return true;
  }
  const std::size_t size = before_with_dot.size();  // "J. Smith", but "so do I."
  return size >= 2 && before_with_dot[size - 2] >= 'A' && before_with_dot[size - 2] <= 'Z' &&
         before_with_dot[size - 2] != 'I' && (size == 2 || is_space(before_with_dot[size - 3]));
}

}  // namespace

std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> result;
  std::size_t begin = 0;
  const auto close = [&](std::size_t end) {
    const std::string_view sentence = trim(text.substr(begin, end - begin));
    if (!sentence.empty()) result.push_back(sentence);
    begin = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\n') {
      close(++at);
      continue;
    }
    const std::size_t mark = end_mark(text, at);
    if (mark == 0) {
      ++at;
      continue;
    }
    const bool full_width = starts_with_one_of(text.substr(at), kFullWidth) > 0;
    at += mark;
    while (const std::size_t closing = starts_with_one_of(text.substr(at), kClosing)) at += closing;
    const bool ends = at == text.size() || is_space(text[at]) || full_width;
    if (ends && !(mark == 1 && abbreviates(text.substr(begin, at - begin)))) close(at);
  }
  close(text.size());
  return result;
}

}  // namespace pandora
