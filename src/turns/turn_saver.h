// Phase 7: a turn is saved.
//
// `save` appends the whole turn to the journal; when it returns, the turn is *acknowledged*: one sync, shared by
// concurrent callers, and no crash takes it back. Rows follow on a thread of the saver's, directories and points on
// another, so that rows go on while those hang: when they are in place the turn is *findable*. With the database down
// turns wait in the journal and drain in order when it is back, also when it was down from the start. Opening replays
// what the journal still holds, so an acknowledged turn is never lost and never doubled (its uid makes every step
// idempotent). Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "domain/turn_record.h"
#include "ports/stores.h"
#include "turns/turn_objects.h"

namespace pandora {

struct SaverOptions {
  std::string journal_directory;
  std::size_t segment_bytes = 64u << 20;                   // a checkpoint begins when a segment is full
  Duration checkpoint_interval = std::chrono::seconds(5);  // and when the saver is idle for this long
  std::size_t max_pending = 10'000;                        // turns not yet in rows; more: kResourceExhausted
  std::size_t max_held_bytes = 512u << 20;  // of turns without row or directory, in memory; more: kResourceExhausted
  Duration lease = std::chrono::seconds(60);
  Duration stuck_after = std::chrono::seconds(5);            // without progress while something fails: a drain gives up
  Duration seen_by_others = std::chrono::milliseconds(300);  // what a save waits for its row while others share them
  std::function<void(Duration)> on_sync;  // how long the journal took for a turn that is acknowledged; none: unasked
  std::string owner = "saver";            // of leases; of processes that share an outbox each has its own
  // Called before the first row is written, again until it succeeds: rows may be out of reach at the start.
  std::function<Status(const Deadline&)> before_rows;
  // Whether no other journal may hold turns of the same rows; none: there is no other.
  std::function<Result<bool>(const Deadline&)> is_alone;
};

struct SaverStatus {
  std::int64_t pending = 0;               // acknowledged, not yet in rows
  std::int64_t outbox = 0;                // files and points still to follow
  std::string rows_error;                 // why turns get no row just now; empty: they do, or none is to get one
  std::string points_error, files_error;  // why points, or files, are not written just now; empty: likewise
  std::string last_error;                 // of the last step that failed; empty: none since the last success
};

class TurnSaver {
 public:
  // Replays, then starts the worker. Errors: kDataCorrupt only for what cannot be set aside; a damaged record is moved
  // to quarantine with its reason, and opening goes on.
  static Result<std::unique_ptr<TurnSaver>> open(const SaverOptions& options, Stores stores, PointSpaces& spaces,
                                                 FileSystem& files, const Clock& clock);
  virtual ~TurnSaver() = default;  // stops after the steps under way; drains nothing

  // kTooLarge, kStorageFull, kUnavailable (the disk), kResourceExhausted: not acknowledged, nothing kept. What is
  // attached is put into the object store first, durably, and the turn names it: an acknowledged turn has its objects.
  virtual Status save(const TurnRecord& record, std::span<const Attachment> attachments, const Deadline& deadline) = 0;
  Status save(const TurnRecord& record, const Deadline& deadline) { return save(record, {}, deadline); }

  // While others share the rows, `save` returns once the turn has its row, or `seen_by_others` after it is
  // acknowledged, or at once when rows fail: so who follows it at another gateway finds it there.
  virtual void set_shared(bool shared) = 0;

  // The turn's number, once it is findable; kDeadlineExceeded before that (the turn stays acknowledged).
  virtual Result<TurnNumber> wait_findable(const Uuid& turn_uid, const Deadline& deadline) = 0;
  // Until every acknowledged turn of the session is findable: what the next request of a session waits for, bounded.
  virtual Status wait_session(const SessionId& session, const Deadline& deadline) = 0;
  // The same, holding no thread. true: there is nothing to wait for, and `call` is not called. Otherwise it is, once,
  // on a thread of the saver's that it must not hold up; not when the saver goes before.
  virtual bool after_session(const SessionId& session, const Deadline& deadline, std::function<void(Status)> call) = 0;
  // Until every acknowledged turn has its row.
  virtual Status wait_rows(const Deadline& deadline) = 0;
  // Until journal and outbox are empty. When nothing moves for `stuck_after` and what is tried fails: that error
  // (kStorageFull, …); it goes on by itself all the same.
  virtual Status drain(const Deadline& deadline) = 0;
  // drain, sync documents, and drop the journal's segments: nothing of a forgotten turn stays in it.
  virtual Status checkpoint(const Deadline& deadline) = 0;
  virtual SaverStatus status() = 0;
  virtual std::int64_t pending() = 0;  // of the status, asking no store
  // Removes those of these objects that no turn names any more, also none that is being saved. While other journals may
  // hold turns that name one, all are left: nobody sees into those.
  virtual Result<RemovedObjects> remove_unnamed_objects(const std::vector<std::string>& keys,
                                                        const Deadline& deadline) = 0;
};

}  // namespace pandora
