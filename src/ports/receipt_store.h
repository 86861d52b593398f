// Receipts of recalls: what each was decided by. Threads, durability, errors and visibility as in turn_store.h.
//
// Receipts are derived: losing one loses no memory, and nothing brings one back. At most as many are kept as the store
// was opened with, of all users together; the oldest, by id, go first.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "domain/principal.h"
#include "domain/recall_receipt.h"

namespace pandora {

inline constexpr std::size_t kDefaultReceipts = 10'000;

struct ReceiptQuery {
  std::optional<Uuid> turn;    // of this asking turn only
  std::optional<Uuid> before;  // ids below: the next page
  std::size_t limit = 50;      // at most kMaxPage (turn_store.h)
};

// What was forgotten, so that no receipt speaks of it.
struct ForgottenRows {
  std::vector<Uuid> uids;          // of turns, memories and research
  std::vector<std::string> texts;  // whole messages, replies, memories
};
// Of a text, so much must stand in a question for its receipt to go: the question may have been cut.
inline constexpr std::size_t kMaxForgottenPrefix = 1'000;

struct ReceiptStatus {
  std::int64_t kept = 0;
  std::int64_t waiting = 0;  // taken, and not written yet
  std::int64_t lost = 0;     // taken, and not written for a fault, since the store was opened
  std::string last_error;    // the latest of these
};

class ReceiptStore {
 public:
  virtual ~ReceiptStore() = default;
  // All or none; one of an id that is there replaces it. Then the oldest past the maximum go, also when none is put.
  // kInvalidArgument: without id or user; kPermissionDenied: of somebody else, or the id is somebody else's.
  virtual Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) = 0;
  virtual Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) = 0;
  // Newest first: descending ids. One that is damaged is left out, and logged; `find` says what is wrong with it.
  virtual Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                                  const Deadline& deadline) = 0;
  // Removes those whose asking turn is one of `uids`, and those that no turn asked for whose question holds one of the
  // texts (its first kMaxForgottenPrefix bytes; what another turn asked stays as long as that turn); takes the rows out
  // of the others (domain/recall_receipt.h). How many were removed or changed. What cannot be decoded, and names such a
  // row, is removed.
  virtual Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) = 0;
  // Of those who.user sees, the ids of the receipts that name one of the rows, ascending.
  virtual Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who,
                                           const Deadline& deadline) = 0;
  virtual Result<ReceiptStatus> status(const Deadline& deadline) = 0;  // of all users
};

// As `forget` looks for them: one of the texts in `words`; whether all of a receipt goes.
bool holds_forgotten(std::string_view words, std::span<const std::string> texts);
bool goes_with(const RecallReceipt& receipt, const ForgottenRows& rows);
// What no store keeps, or not for `who`.
Status check_receipt(const RecallReceipt& receipt, const Principal& who);

}  // namespace pandora
