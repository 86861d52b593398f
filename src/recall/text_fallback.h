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
struct RowsAnswer {
  std::vector<RecallCandidate> turns;  // the best by words first
  std::size_t unread = 0;              // turns with words of the question whose surroundings there was no time for
};
// Those whose words weigh most are read first, so that what is there by the deadline is the best of it;
// kDeadlineExceeded only when there is nothing.
Result<RowsAnswer> turns_of_rows(TextSearch& texts, TurnStore& turns, const EmbedderIdentity& embedder,
                                 const RowsQuestion& question, const Principal& who, const Deadline& deadline);

}  // namespace pandora
