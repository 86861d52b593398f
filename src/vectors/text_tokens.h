// Words of a text, as Qdrant's text index sees them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "wire/qdrant_collection.h"

namespace pandora::qdrant {

// Of a text that is stored. With the prefix tokenizer every beginning of a word is one.
std::vector<std::string> document_tokens(std::string_view text, const TextOptions& options);
// Of a text that is looked for.
std::vector<std::string> query_tokens(std::string_view text, const TextOptions& options);

// match {"text"}: all words are there; {"text_any"}: one of them; {"phrase"}: all, in a row.
bool tokens_match(const std::vector<std::string>& document, const std::vector<std::string>& query,
                  MatchText::Kind kind);

}  // namespace pandora::qdrant
