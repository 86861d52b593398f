// Carries out outbox entries: brings files and points up to date with rows. Not thread-safe: one worker, one thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "domain/sparse_weights.h"
#include "ports/stores.h"
#include "turns/indexer.h"

namespace pandora {

bool is_point(OutboxKind kind);

class OutboxWorker {
 public:
  // The record of a turn that is still in the journal, or null: then the files are what there is.
  using FindRecord = std::function<std::shared_ptr<const TurnRecord>(const Uuid& turn_uid)>;
  OutboxWorker(Stores stores, PointSpaces& spaces, const Clock& clock, FindRecord find_record)
      : stores_(stores),
        spaces_(spaces),
        indexer_(stores, clock),
        clock_(clock),
        find_record_(std::move(find_record)) {}

  struct Outcome {
    std::vector<OutboxEntry> done;                   // acked; of one whose answer came late the item alone
    std::optional<Error> last_error;                 // of an entry that will be tried again
    std::optional<Error> points_error, files_error;  // likewise, of a point, and of a directory or a file
    std::size_t claimed = 0;
  };
  // Claims what is due (at most kMaxClaim), does it, acks it. An error only when the outbox does not let it claim; what
  // failed otherwise is due again after a delay that doubles up to kMaxRetryDelay. Nothing is begun once half of the
  // lease is over, so that what was done is acked while it is this worker's: the next run goes on with the rest. The
  // deadline is the claim's; each piece of work and each answer to the outbox has a time of its own, so however long
  // one takes, the others count.
  Result<Outcome> run_once(std::string_view owner, Duration lease, const Deadline& deadline);

 private:
  using Entries = std::span<const OutboxEntry>;
  std::vector<OutboxEntry> acked_unheard(const Deadline& deadline);
  Result<std::optional<Timestamp>> forgotten_last(const Deadline& deadline);
  Status work(OutboxKind kind, Entries entries, Duration lease, const Deadline& begin, Outcome& outcome);
  Status write_points(OutboxKind kind, Entries entries, const Deadline& deadline);
  Status carry_out(OutboxKind kind, Entries entries, const Deadline& deadline);
  Status set_stranger_aside(const std::string& folder, const Uuid& uid, const Deadline& deadline);
  Status write_turn_directory(const Uuid& uid, const Deadline& deadline);
  Status write_folder(const Turn& turn, const Deadline& deadline);
  Status write_memory(const Uuid& id, const Deadline& deadline);
  Status write_research(const Uuid& id, const Deadline& deadline);
  Status write_source(const std::string& domain, const Deadline& deadline);
  Result<TurnRecord> record_of(const Turn& turn, bool& journalled, const Deadline& deadline);
  Result<std::optional<TurnRecord>> files_of(const Turn& turn, const Deadline& deadline);
  Status leave_out_forgotten(TurnRecord& record, const Deadline& deadline);

  Stores stores_;
  PointSpaces& spaces_;
  Indexer indexer_;
  const Clock& clock_;
  FindRecord find_record_;
  std::optional<std::string> ready_;  // the space (its suffix) whose collections are there
  bool knows_tombstones_ = false;
  std::optional<Timestamp> last_forgetting_;              // as it was after the claim
  bool holds_more_ = false;                               // entries of an earlier claim, neither acked nor due again
  std::set<std::pair<OutboxKind, std::string>> unheard_;  // were acked, or not: the answer did not come
};

inline constexpr Duration kMinRetryDelay = std::chrono::milliseconds(100);
inline constexpr Duration kMaxRetryDelay = std::chrono::seconds(60);
inline constexpr Duration kOutboxAnswer = std::chrono::seconds(20);  // of each call that says what became of a claim
inline constexpr std::size_t kPointsTogether = 32;                   // entries; a turn's brings its neighbours' points
static_assert(kPointsTogether * (2 * kWindow + 1) <= kMaxUpsert);
inline constexpr int kMaxRewrites = 8;  // of a file whose row is changed while it is written; then it is tried later

}  // namespace pandora
