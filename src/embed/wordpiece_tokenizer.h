// WordPiece, uncased, as BERT's reference does it: NFD without marks, lower case, punctuation and CJK apart, greedy
// longest pieces, words of more than 100 characters unknown. A literal "[SEP]" in a text is plain text. Broken UTF-8
// reads as U+FFFD, which the reference drops. Categories are those of utf8proc's Unicode, newer than the reference's:
// marks and punctuation that it does not know yet are such here. Linear in the text. Thread-safe after construction.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace pandora {

class WordpieceTokenizer {
 public:
  // One word a line, its id its line from 0. kDataCorrupt when the special tokens are missing.
  static Result<WordpieceTokenizer> from_vocabulary(std::string_view vocabulary);
  // Ids of the text's pieces, without [CLS] and [SEP].
  std::vector<std::int32_t> tokenize(std::string_view text) const;
  std::int32_t cls() const { return cls_; }
  std::int32_t sep() const { return sep_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  void add_word(std::u32string_view word, std::vector<std::int32_t>& ids) const;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> words_, continuations_;
  std::int32_t cls_ = 0, sep_ = 0, unknown_ = 0;
  std::size_t longest_piece_ = 0;  // bytes, so no fewer than characters: nothing longer need be looked up
};

}  // namespace pandora
