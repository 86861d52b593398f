// Turns out of the rows, when the points cannot be asked: found by their words (ports/text_search.h), scored as their
// points would be, by windows of words and, when the question has a vector, of own vectors.
//
// What no word of the question stands in, nor in a turn close by, is not found: that is what is lost. Internal to
// recall.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "domain/recall_receipt.h"
#include "ports/stores.h"
#include "ports/text_search.h"

namespace pandora {

struct RowsQuestion {
  std::string_view text;
  const std::vector<float>& vector;  // empty: none
  std::optional<SessionId> session;
  std::optional<TimeRange> within;
  std::size_t most = 200;
};
// The best by words first.
Result<std::vector<RecallCandidate>> turns_of_rows(TextSearch& texts, TurnStore& turns,
                                                   const EmbedderIdentity& embedder, const RowsQuestion& question,
                                                   const Principal& who, const Deadline& deadline);

}  // namespace pandora
