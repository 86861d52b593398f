// Any bytes become terms: each short, of whole characters and written somewhere in the text, in its order; without stop
// words all others are there; a space between two texts separates them; and a sparse vector is made of them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <utf8proc.h>

#include "domain/analyzer.h"
#include "domain/sparse_weights.h"

namespace {
using namespace pandora;

constexpr std::size_t kMaxInput = 1 << 14;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    if (used <= 0) return false;
    at += static_cast<std::size_t>(used);
  }
  return true;
}

std::vector<std::string> words(std::string_view text, StopWords stop_words) {
  std::vector<std::string> all;
  for (const Term& term : analyze(text, stop_words)) all.push_back(term.text);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), std::min(size, kMaxInput));
  const char* reached = text.data();
  for (const Term& term : analyze(text)) {
    require(!term.text.empty() && term.text.size() <= kMaxTermBytes && is_utf8(term.text));
    require(!term.written.empty() && term.written.data() >= text.data());
    require(term.written.data() + term.written.size() <= text.data() + text.size());
    require(term.written.data() >= reached || term.written.data() + term.written.size() >= reached);
    reached = std::max(reached, term.written.data());
  }

  // Without stop words everything else is there, in the same order; it may be another form of the word.
  const auto kept = analyze(text, StopWords::kKept);
  auto next = kept.begin();
  for (const Term& term : analyze(text)) {
    const auto is_it = [&](const Term& one) {
      return one.written.data() == term.written.data() && one.written.size() == term.written.size();
    };
    next = std::find_if(next, kept.end(), is_it);
    require(next != kept.end());
    ++next;
  }

  // A space is a border: both sides are read as they are alone. Within a character it breaks what separates anyway.
  const std::size_t middle = text.empty() ? 0 : static_cast<unsigned char>(text[0]) % text.size();
  const std::string left = text.substr(0, middle), right = text.substr(middle);
  auto apart = words(left, StopWords::kKept);
  for (std::string& word : words(right, StopWords::kKept)) apart.push_back(std::move(word));
  require(words(left + " " + right, StopWords::kKept) == apart);

  const WindowText window[] = {{0, left}, {1, right}};
  for (const SparseVector& vector : {document_weights(window), query_weights(text)}) {
    require(vector.indices.size() == vector.values.size());
    require(std::ranges::adjacent_find(vector.indices, std::greater_equal<>()) == vector.indices.end());
    require(std::ranges::all_of(vector.values, [](float value) { return value > 0 && value < 100; }));
  }
  return 0;
}
