// Terms from text: the one analyser of the lexical leg, of topics and of keywords.
//
// Unicode words (utf8proc), lower case, marks removed, English stop words out, Snowball's English stemmer; CJK by
// bigrams; numbers and code identifiers kept whole, identifiers also by their parts (`read_file` → read_file, read,
// file; `readFile` likewise). An apostrophe ends a word: "Mel's" → mel. "C++" and "C#" are words. A term is at most
// kMaxTermBytes; longer runs are cut. Deterministic; its version stands beside the data, and another one is reported,
// never mixed. Thread-safe.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pandora {

inline constexpr int kAnalyzerVersion = 1;
inline constexpr std::size_t kMaxTermBytes = 64;

struct Term {
  std::string text;          // normalised: what is indexed
  std::string_view written;  // as it stands in the input
};

// In the order of the text, with repetitions. Broken UTF-8 separates words. Stop words are kept only where every word
// matters, as in comparing two statements ("I like tea" / "I do not like tea"); what is indexed is without them.
enum class StopWords { kDropped, kKept };
std::vector<Term> analyze(std::string_view text, StopWords stop_words = StopWords::kDropped);

bool has_terms(std::string_view text, std::span<const std::string> terms);  // each of them, wherever it stands

// The 32-bit id of a term in a sparse vector: the first bytes of its FNV-1a hash. Two terms rarely share one (1 % for
// 9,000 terms); they then share their weight.
std::uint32_t term_id(std::string_view term);

bool is_stop_word(std::string_view lower_case_word);

}  // namespace pandora
