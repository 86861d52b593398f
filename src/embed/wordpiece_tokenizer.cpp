#include "embed/wordpiece_tokenizer.h"

#include <algorithm>
#include <array>

#include <utf8proc.h>

namespace pandora {
namespace {

constexpr std::size_t kMaxWordCharacters = 100;
constexpr std::string_view kContinuation = "##";

bool is_cjk(utf8proc_int32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}
bool is_space(utf8proc_int32_t c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0x85 || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS ||
         c == 0x2028 || c == 0x2029;
}
bool is_dropped(utf8proc_int32_t c) {
  if (c == 0 || c == 0xFFFD) return true;
  if (c == '\t' || c == '\n' || c == '\r') return false;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
      return true;
    default:
      return false;
  }
}
bool is_punctuation(utf8proc_int32_t c) {
  if ((c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126)) return true;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return true;
    default:
      return false;
  }
}

void append_utf8(std::string& text, char32_t c) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

}  // namespace

Result<WordpieceTokenizer> WordpieceTokenizer::from_vocabulary(std::string_view vocabulary) {
  WordpieceTokenizer tokenizer;
  std::int32_t id = 0;
  while (!vocabulary.empty()) {
    const auto end = vocabulary.find('\n');
    const std::string_view word = vocabulary.substr(0, end);
    if (word.starts_with(kContinuation) && word.size() > kContinuation.size())
      tokenizer.continuations_.emplace(word.substr(kContinuation.size()), id);
    else
      tokenizer.words_.emplace(word, id);
    tokenizer.longest_piece_ = std::max(tokenizer.longest_piece_, word.size());
    ++id;
    vocabulary.remove_prefix(end == std::string_view::npos ? vocabulary.size() : end + 1);
  }
  for (const auto& [name, target] :
       {std::pair{"[CLS]", &tokenizer.cls_}, {"[SEP]", &tokenizer.sep_}, {"[UNK]", &tokenizer.unknown_}}) {
    const auto found = tokenizer.words_.find(std::string_view(name));
    if (found == tokenizer.words_.end())
      return fail(ErrorCode::kDataCorrupt, std::string("the vocabulary has no ") + name);
    *target = found->second;
    tokenizer.words_.erase(found);  // in a text they are plain words
  }
  tokenizer.words_.erase("[PAD]");
  tokenizer.words_.erase("[MASK]");
  return tokenizer;
}

void WordpieceTokenizer::add_word(std::u32string_view word, std::vector<std::int32_t>& ids) const {
  if (word.empty()) return;
  if (word.size() > kMaxWordCharacters) return ids.push_back(unknown_);
  std::string utf8;
  std::array<std::size_t, kMaxWordCharacters + 1> offsets{};
  for (std::size_t i = 0; i < word.size(); ++i) {
    offsets[i] = utf8.size();
    append_utf8(utf8, word[i]);
  }
  offsets[word.size()] = utf8.size();
  const std::size_t first_id = ids.size();
  for (std::size_t begin = 0; begin < word.size();) {
    const auto& pieces = begin == 0 ? words_ : continuations_;
    std::size_t end = std::min(word.size(), begin + longest_piece_);
    auto found = pieces.end();
    for (; end > begin; --end) {
      found = pieces.find(std::string_view(utf8).substr(offsets[begin], offsets[end] - offsets[begin]));
      if (found != pieces.end()) break;
    }
    if (end == begin) {
      ids.resize(first_id);
      return ids.push_back(unknown_);
    }
    ids.push_back(found->second);
    begin = end;
  }
}

std::vector<std::int32_t> WordpieceTokenizer::tokenize(std::string_view text) const {
  std::vector<std::int32_t> ids;
  std::u32string word;
  const auto flush = [&] {
    add_word(word, ids);
    word.clear();
  };
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t c = 0;
    const auto used = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    at += used > 0 ? static_cast<std::size_t>(used) : 1;
    if (used <= 0 || is_dropped(c)) continue;
    if (is_space(c)) {
      flush();
      continue;
    }
    // Lower case of the decomposed characters, marks left out. The reference lowers after it decomposes.
    std::array<utf8proc_int32_t, 16> parts{};
    int boundary = 0;
    const auto count = utf8proc_decompose_char(c, parts.data(), parts.size(),
                                               static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &boundary);
    for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, parts.size()); ++i) {
      utf8proc_int32_t part = parts[static_cast<std::size_t>(i)];
      if (utf8proc_category(part) == UTF8PROC_CATEGORY_MN) continue;
      part = utf8proc_tolower(part);
      const bool alone = is_punctuation(part) || is_cjk(part);
      if (alone) flush();
      // A word that is too long is unknown whatever follows: its rest need not be kept.
      if (word.size() <= kMaxWordCharacters) word += static_cast<char32_t>(part);
      if (alone) flush();
    }
  }
  flush();
  return ids;
}

}  // namespace pandora
