#include "vectors/text_tokens.h"

#include <algorithm>

#include <utf8proc.h>

namespace pandora::qdrant {
namespace {

struct Word {
  std::string text;
  std::vector<std::size_t> ends;  // in bytes, of its first one, two … characters
};

bool is_word_character(std::int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_white(std::int32_t code) {
  return code == ' ' || (code >= 9 && code <= 13) || code == 0x85 || utf8proc_category(code) == UTF8PROC_CATEGORY_ZS ||
         code == 0x2028 || code == 0x2029;
}

std::vector<Word> words_of(std::string_view text, const TextOptions& options) {
  const bool by_space = options.tokenizer == TextOptions::Tokenizer::kWhitespace;
  std::vector<Word> words;
  Word word;
  const auto end_word = [&] {
    if (!word.text.empty()) words.push_back(std::move(word));
    word = {};
  };
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    std::int32_t code = 0;
    const auto used = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (used <= 0) {  // no UTF-8: texts are checked when they come
      end_word();
      ++at;
      continue;
    }
    at += static_cast<std::size_t>(used);
    if (by_space ? is_white(code) : !is_word_character(code)) {
      end_word();
      continue;
    }
    utf8proc_uint8_t encoded[4];
    const auto size = utf8proc_encode_char(options.lowercase ? utf8proc_tolower(code) : code, encoded);
    word.text.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size));
    word.ends.push_back(word.text.size());
  }
  end_word();
  return words;
}

bool is_long_enough(std::size_t length, const TextOptions& options) {
  return length >= options.min_length && (options.max_length == 0 || length <= options.max_length);
}

}  // namespace

std::vector<std::string> document_tokens(std::string_view text, const TextOptions& options) {
  std::vector<std::string> tokens;
  for (const Word& word : words_of(text, options)) {
    if (options.tokenizer == TextOptions::Tokenizer::kPrefix) {
      for (std::size_t i = 0; i < word.ends.size(); ++i)
        if (is_long_enough(i + 1, options)) tokens.push_back(word.text.substr(0, word.ends[i]));
    } else if (is_long_enough(word.ends.size(), options)) {
      tokens.push_back(word.text);
    }
  }
  return tokens;
}

std::vector<std::string> query_tokens(std::string_view text, const TextOptions& options) {
  std::vector<std::string> tokens;
  for (const Word& word : words_of(text, options)) {
    const std::size_t length = word.ends.size();
    if (options.tokenizer == TextOptions::Tokenizer::kPrefix && options.max_length > 0 && length > options.max_length)
      tokens.push_back(word.text.substr(0, word.ends[options.max_length - 1]));  // no longer beginning is indexed
    else if (is_long_enough(length, options))
      tokens.push_back(word.text);
  }
  return tokens;
}

bool tokens_match(const std::vector<std::string>& document, const std::vector<std::string>& query,
                  MatchText::Kind kind) {
  if (query.empty()) return false;
  const auto is_there = [&](const std::string& token) { return std::ranges::find(document, token) != document.end(); };
  switch (kind) {
    case MatchText::Kind::kAll:
      return std::ranges::all_of(query, is_there);
    case MatchText::Kind::kAny:
      return std::ranges::any_of(query, is_there);
    default:
      return !std::ranges::search(document, query).empty();
  }
}

}  // namespace pandora::qdrant
