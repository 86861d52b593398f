// Any bytes become pieces, as a second, slow and obvious reading of the same words makes them; a space between two
// texts separates them, and nothing makes more pieces than there are bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "embed/wordpiece_tokenizer.h"

namespace {
using Ids = std::vector<std::int32_t>;

constexpr std::size_t kMaxInput = 1 << 16;
constexpr std::size_t kMaxWord = 100;  // longer ones are unknown

// Every letter and digit, as a word and as a continuation, and some longer pieces that overlap; no 'z' and no '9' that
// goes on, so that there are unknown words.
const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> made = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[", "]", ".", ",", "#", "-", "'"};
    for (const char c : std::string("abcdefghijklmnopqrstuvwxy0123456789")) {
      made.push_back({c});
      if (c != '9') made.push_back(std::string("##") + c);
    }
    for (const char* word :
         {"un", "##able", "##ab", "unable", "the", "sep", "##ss", "ss", "é", "漢", "ж", "##ж", "##漢"})
      made.push_back(word);
    return made;
  }();
  return words;
}

const pandora::WordpieceTokenizer& tokenizer() {
  static const pandora::WordpieceTokenizer made = [] {
    std::string lines;
    for (const auto& word : vocabulary()) lines += word + "\n";
    auto tokenizer = pandora::WordpieceTokenizer::from_vocabulary(lines);
    if (!tokenizer) std::abort();
    return *std::move(tokenizer);
  }();
  return made;
}

std::int32_t id_of(const std::string& piece) {
  static const std::map<std::string, std::int32_t> ids = [] {
    std::map<std::string, std::int32_t> made;
    for (std::size_t i = 0; i < vocabulary().size(); ++i) made[vocabulary()[i]] = static_cast<std::int32_t>(i);
    return made;
  }();
  const auto found = ids.find(piece);
  return found == ids.end() ? -1 : found->second;
}

// The longest piece first, over plain ASCII; every prefix is tried.
void add_word(const std::string& word, Ids& ids) {
  if (word.empty()) return;
  Ids pieces;
  for (std::size_t begin = 0; begin < word.size() && word.size() <= kMaxWord;) {
    std::size_t size = word.size() - begin;
    while (size > 0 && id_of((begin ? "##" : "") + word.substr(begin, size)) < 0) --size;
    if (size == 0) break;
    pieces.push_back(id_of((begin ? "##" : "") + word.substr(begin, size)));
    begin += size;
    if (begin == word.size()) return ids.insert(ids.end(), pieces.begin(), pieces.end()), void();
  }
  ids.push_back(id_of("[UNK]"));
}

Ids slow_ascii(const std::string& text) {
  Ids ids;
  std::string word;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space && (c < ' ' || c == 0x7f)) continue;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool letter = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (letter) {
      word += lower;
      continue;
    }
    add_word(word, ids);
    word.clear();
    if (!space) add_word({lower}, ids);
  }
  add_word(word, ids);
  return ids;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), std::min(size, kMaxInput));
  const Ids ids = tokenizer().tokenize(text);
  require(ids.size() <= text.size());  // a piece has at least a byte
  for (const auto id : ids) {
    require(id >= 0 && id < static_cast<std::int32_t>(vocabulary().size()));
    require(id != tokenizer().cls() && id != tokenizer().sep());
  }

  // A space is a border: both sides are read as they are alone. Within a character it breaks what is dropped anyway.
  const std::size_t middle = text.empty() ? 0 : static_cast<unsigned char>(text[0]) % text.size();
  const std::string left = text.substr(0, middle), right = text.substr(middle);
  Ids apart = tokenizer().tokenize(left);
  const Ids rest = tokenizer().tokenize(right);
  apart.insert(apart.end(), rest.begin(), rest.end());
  require(tokenizer().tokenize(left + " " + right) == apart);

  std::string ascii = text;
  std::erase_if(ascii, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  require(tokenizer().tokenize(ascii) == slow_ascii(ascii));
  return 0;
}
