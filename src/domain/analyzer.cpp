#include "domain/analyzer.h"

#include <algorithm>
#include <array>
#include <memory>

#include <libstemmer.h>
#include <utf8proc.h>

namespace pandora {
namespace {

// The words of English that carry no subject of their own; with the pieces that an apostrophe leaves.
constexpr std::array kStopWords = std::to_array<std::string_view>(
    {"a",    "about", "after", "again",  "all",    "also",    "am",    "an",     "and",   "any",   "are",    "aren",
     "as",   "at",    "be",    "been",   "before", "being",   "but",   "by",     "can",   "could", "couldn", "d",
     "did",  "didn",  "do",    "does",   "doesn",  "doing",   "don",   "for",    "from",  "had",   "hadn",   "has",
     "hasn", "have",  "haven", "having", "he",     "her",     "here",  "hers",   "him",   "his",   "how",    "i",
     "if",   "in",    "into",  "is",     "isn",    "it",      "its",   "just",   "ll",    "m",     "me",     "more",
     "most", "my",    "no",    "nor",    "not",    "of",      "on",    "or",     "our",   "ours",  "out",    "over",
     "re",   "s",     "said",  "she",    "should", "shouldn", "so",    "some",   "such",  "t",     "than",   "that",
     "the",  "their", "them",  "then",   "there",  "these",   "they",  "this",   "those", "to",    "too",    "us",
     "ve",   "very",  "was",   "wasn",   "we",     "were",    "weren", "what",   "when",  "where", "which",  "while",
     "who",  "whom",  "whose", "why",    "will",   "with",    "would", "wouldn", "you",   "your",  "yours"});
static_assert(std::ranges::is_sorted(kStopWords));

bool is_cjk(utf8proc_int32_t c) {
  return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xAC00 && c <= 0xD7AF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3134F);
}

enum class Kind { kOther, kLetter, kDigit, kMark, kCjk };
Kind kind_of(utf8proc_int32_t c) {
  if (is_cjk(c)) return Kind::kCjk;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Kind::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::kDigit;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
      return Kind::kMark;
    default:
      return Kind::kOther;
  }
}

// Inside a number or an identifier these join: 3.14, 2026-01-05, read_file.
bool joins_digits(utf8proc_int32_t c) { return c == '.' || c == '-' || c == ':' || c == '/'; }
bool is_apostrophe(utf8proc_int32_t c) { return c == '\'' || c == 0x2019; }

// Lower case, decomposed, marks dropped; cut at a code point.
std::string normalise(std::string_view word) {
  std::string result;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(word.data());
  auto left = static_cast<utf8proc_ssize_t>(word.size());
  while (left > 0) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(bytes, left, &c);
    if (used <= 0) break;
    bytes += used, left -= used;
    std::array<utf8proc_int32_t, 8> parts{};
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        c, parts.data(), parts.size(),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK),
        &boundary);
    for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, parts.size()); ++i) {
      std::array<utf8proc_uint8_t, 4> encoded{};
      const auto size = utf8proc_encode_char(parts[static_cast<std::size_t>(i)], encoded.data());
      if (result.size() + static_cast<std::size_t>(size) > kMaxTermBytes) return result;
      result.append(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size));
    }
  }
  return result;
}

class Stemmer {
 public:
  Stemmer() : stemmer_(sb_stemmer_new("english", nullptr)) {}
  std::string operator()(const std::string& word) {
    const auto* stem =
        sb_stemmer_stem(stemmer_.get(), reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
    return {reinterpret_cast<const char*>(stem), static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()))};
  }

 private:
  struct Deleter {
    void operator()(sb_stemmer* stemmer) const { sb_stemmer_delete(stemmer); }
  };
  std::unique_ptr<sb_stemmer, Deleter> stemmer_;
};

bool ascii_letters(std::string_view word) {
  return std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
}

// One a thread: making one costs more than stemming a sentence.
Stemmer& stemmer() {
  thread_local Stemmer instance;
  return instance;
}

// Walks over the text once, gathering runs.
class Tokeniser {
 public:
  Tokeniser(std::string_view text, StopWords stop_words) : text_(text), stop_words_(stop_words) {}

  std::vector<Term> run() {
    while (at_ < text_.size()) {
      const auto [c, size] = decode(at_);
      const Kind kind = kind_of(c);
      if (kind == Kind::kCjk)
        cjk_run();
      else if (kind == Kind::kLetter || kind == Kind::kDigit || c == '_')
        word_run();
      else
        at_ += size;
    }
    return std::move(terms_);
  }

 private:
  struct Decoded {
    utf8proc_int32_t c;
    std::size_t size;
  };
  Decoded decode(std::size_t at) const {
    utf8proc_int32_t c = -1;
    const auto used = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text_.data() + at),
                                       static_cast<utf8proc_ssize_t>(std::min<std::size_t>(4, text_.size() - at)), &c);
    if (used <= 0) return {0xFFFD, 1};  // broken: separates words
    return {c, static_cast<std::size_t>(used)};
  }
  Kind kind_at(std::size_t at) const { return at < text_.size() ? kind_of(decode(at).c) : Kind::kOther; }

  void add(std::string term, std::string_view written) {
    if (!term.empty()) terms_.push_back({std::move(term), written});
  }

  void word(std::string_view written) {
    std::string term = normalise(written);
    if (stop_words_ == StopWords::kKept) return add(std::move(term), written);
    if (is_stop_word(term)) return;
    if (ascii_letters(term)) term = stem_(term);
    add(std::move(term), written);
  }

  // Letters, digits and marks; '_' joins, an apostrophe ends a word and its tail is looked at alone ("Mel's" → Mel, s);
  // '.', '-', ':' and '/' join between digits.
  void word_run() {
    const std::size_t begin = at_;
    bool has_digit = false, has_letter = false;
    while (at_ < text_.size()) {
      const auto [c, size] = decode(at_);
      const Kind kind = kind_of(c);
      const bool digits_around = has_digit && !has_letter && joins_digits(c) && kind_at(at_ + size) == Kind::kDigit;
      if (kind != Kind::kLetter && kind != Kind::kDigit && kind != Kind::kMark && c != '_' && !digits_around) break;
      has_digit |= kind == Kind::kDigit;
      has_letter |= kind == Kind::kLetter;
      at_ += size;
    }
    if (at_ - begin == 1 && has_letter) language_suffix();
    const std::string_view run = text_.substr(begin, at_ - begin);
    if (at_ < text_.size() && is_apostrophe(decode(at_).c)) at_ += decode(at_).size;
    if (const auto parts = identifier_parts(run); parts.size() > 1) {
      add(normalise(run), run);  // the identifier whole, then its parts
      for (const std::string_view part : parts) word(part);
    } else if (!parts.empty()) {
      word(parts.front());
    }
  }

  // "C++", "C#": the sign belongs to the letter before it.
  void language_suffix() {
    const std::string_view rest = text_.substr(at_);
    const std::size_t size = rest.starts_with("++") ? 2 : rest.starts_with("#") ? 1 : 0;
    if (size > 0 && kind_at(at_ + size) == Kind::kOther) at_ += size;
  }

  // read_file → read, file; readFile → read, File. Any other word is its only part.
  static std::vector<std::string_view> identifier_parts(std::string_view run) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    const auto close = [&](std::size_t end) {
      if (end > begin) parts.push_back(run.substr(begin, end - begin));
      begin = end;
    };
    for (std::size_t at = 0; at < run.size(); ++at) {
      const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
      const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
      if (run[at] == '_')
        close(at), begin = at + 1;
      else if (at > 0 && is_lower(run[at - 1]) && is_upper(run[at]))
        close(at);
    }
    close(run.size());
    return parts;
  }

  // 日本語 → 日本, 本語; a single character stands alone.
  void cjk_run() {
    const std::size_t begin = at_;
    std::size_t previous = begin;
    bool pair = false;
    while (at_ < text_.size()) {
      const auto [c, size] = decode(at_);
      if (!is_cjk(c)) break;
      if (at_ > begin) {
        const auto written = text_.substr(previous, at_ + size - previous);
        add(std::string(written), written);
        pair = true;
      }
      previous = at_;
      at_ += size;
    }
    if (!pair) add(std::string(text_.substr(begin, at_ - begin)), text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  StopWords stop_words_;
  std::size_t at_ = 0;
  std::vector<Term> terms_;
  Stemmer& stem_ = stemmer();
};

}  // namespace

bool is_stop_word(std::string_view lower_case_word) { return std::ranges::binary_search(kStopWords, lower_case_word); }

std::vector<Term> analyze(std::string_view text, StopWords stop_words) { return Tokeniser(text, stop_words).run(); }

bool has_terms(std::string_view text, std::span<const std::string> terms) {
  if (terms.empty()) return true;
  const auto there = analyze(text);
  return std::ranges::all_of(
      terms, [&](const std::string& term) { return std::ranges::find(there, term, &Term::text) != there.end(); });
}

std::uint32_t term_id(std::string_view term) {
  std::uint32_t hash = 2'166'136'261u;
  for (const char c : term) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619u;
  return hash;
}

}  // namespace pandora
