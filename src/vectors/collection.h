// A collection: its points, its files, and who changes them.
//
// Writes wait in one queue and are taken in groups: staged one after the other, committed in one transaction (one sync
// for all that came together), then put into memory, then answered. A request is all or nothing. When a group cannot be
// committed, each of its requests is tried alone, so that one that does not fit the disk takes no other with it.
// Reads see what is committed.
//
// One thread at a time does so: the collection's own, or, for a few small writes to a disk that is quick, the one that
// brought them. To wake another thread and be woken by it costs as much as the sync does. The own thread does all else.
//
// What has changed is kept in parts from time to time (`keep`), beside searches and writes: then it need not be done
// again at the next start, and no longer stays in memory. Thread-safe.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>

#include "vecdb/index_files.h"
#include "vectors/collection_file.h"
#include "vectors/staging.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxQueuedWrites = 1'024;  // 429 past it
inline constexpr std::size_t kMaxWritesAtOnce = 256;    // in one group
inline constexpr std::size_t kAcknowledgedBytes = std::size_t{64}
                                                  << 20;  // queued; past it nothing is acknowledged early
// Changes that are in no part yet: from so many on they are kept as soon as somebody can, from fewer when nothing else
// happens; with so many bytes writes wait for it.
inline constexpr std::size_t kKeptChanges = 16'384, kKeptChangesIdle = 1'024;
// A group may be done by the thread that brought it: of so many bytes at most, while commits take no longer than this.
inline constexpr std::size_t kBriefBytes = std::size_t{256} << 10;
inline constexpr Duration kBriefCommit = std::chrono::milliseconds(1);
inline constexpr std::size_t kKeptBytes = std::size_t{64} << 20, kMostUnkeptBytes = std::size_t{512} << 20;

// What a write asks for.
struct RemoveIndex {
  PayloadPath path;
};
struct UpdateHints {
  Json hints;
};
using WriteRequest = std::variant<std::vector<Operation>, IndexRequest, RemoveIndex, UpdateHints>;

struct Written {
  std::vector<std::uint64_t> numbers;  // of its operations
  bool completed = false;              // else acknowledged: it is queued, and will be done in order
};

class Collection : public std::enable_shared_from_this<Collection> {
 public:
  using Done = std::function<void(Outcome<Written>)>;
  // Has work done a little later on the calling thread, when what waits there has been taken up, or destroys it. False:
  // there is no such way, and the work is destroyed.
  using Soon = std::function<bool(std::function<void()> work)>;
  enum class Acknowledge { kWhenQueued, kWhenDurable };

  // In a directory of its own, which is there, and whose names the caller syncs. `files` and `clock` outlive it; `vfs`
  // is SQLite's name of it, empty for the real one.
  static Result<std::shared_ptr<Collection>> create(FileSystem& files, const Clock& clock, const std::string& directory,
                                                    CollectionParams params, const std::string& vfs = {});
  // Never fails: what cannot be read is red.
  static std::shared_ptr<Collection> open(FileSystem& files, const Clock& clock, const std::string& directory,
                                          const std::string& vfs = {});
  ~Collection();  // after everything that was queued; much that is in no part yet is kept

  // Why it cannot be used; none when it can. One that was red when it was opened has no memory and takes no writes; one
  // that turned red since must not be believed. Not under the memory's lock, and without waiting for it: who reads or
  // writes meanwhile asks the memory itself.
  std::optional<Error> damage() const;
  Error damage_of_part() const;  // the one when its memory is damaged
  const CollectionMemory& memory() const { return *memory_; }
  std::size_t queued() const;
  // `bytes`: roughly, of the request. `done` is called once, on this thread, the collection's or that of another write,
  // and must not block. `soon`: the write may be done on this thread; empty: it may not.
  void write(WriteRequest request, std::size_t bytes, Acknowledge acknowledge, Done done, const Soon& soon = {});

  // Has enough changed for `keep`? `idle`: nothing else happens.
  bool wants_keeping(bool idle) const;
  std::uint64_t changes() const { return changes_; }  // ever, since it was opened
  Status keep();                                      // one at a time; others wait
  // Its directory will be removed: nothing is kept any more, and writes that wait are answered 404.
  void abandon();

 private:
  struct Pending {
    WriteRequest request;
    std::uint64_t number = 0;  // of its first operation
    std::size_t operations = 0;
    std::size_t bytes = 0;
    Done done;
  };
  struct Changed {  // in the file, and not in memory yet
    std::vector<Pending> group;
    std::vector<std::optional<Fault>> faults;
    Staging staging;
    std::uint64_t number = 0;
  };
  Collection(const Clock& clock, Error damage) : clock_(clock), damage_(std::move(damage)) {}
  Collection(FileSystem& files, const Clock& clock, const std::string& directory, std::unique_ptr<CollectionFile> file,
             CollectionFacts facts);
  Status load(const CollectionFacts& facts);
  void run();
  class Turn;
  bool is_brief() const;             // under mutex_
  std::vector<Pending> take_some();  // likewise: the next group
  void do_here();
  void give_turn_back();
  void tidy();
  bool is_untidy();
  void move_some();
  std::unique_ptr<FieldIndex> filled(const IndexRequest& request) const;
  void change_points(std::vector<Pending> group);
  std::unique_ptr<Changed> commit(std::vector<Pending> group, FairLock::Reading reading);
  void finish(Changed& changed);
  bool finish_here(Changed& changed);
  void finished(Changed& changed);
  static void answer(std::vector<Pending>& group, std::vector<std::optional<Fault>>& faults);
  Outcome<void> change_schema(WriteRequest& request);
  static Written written(const Pending& pending, bool completed);

  const Clock& clock_;
  const std::optional<Error> damage_;  // when it was opened
  std::unique_ptr<CollectionMemory> memory_;
  std::mutex keeping_;  // taken before memory's and file's
  std::optional<IndexFiles> parts_;
  std::mutex file_mutex_;  // the connection is for one thread at a time
  std::unique_ptr<CollectionFile> file_;
  std::vector<IndexRequest> unfilled_;         // indexes that the thread fills before it does anything else
  std::atomic<std::uint64_t> changes_ = 0;     // of points
  std::atomic<std::uint64_t> kept_ = 0;        // of these, in parts
  std::atomic<std::size_t> unkept_bytes_ = 0;  // of those that are not, about
  std::atomic<bool> abandoned_ = false;
  std::atomic<bool> commits_briefly_ = false;  // the last one did
  std::atomic<int> keepers_ = 0;               // parts are being written
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t next_number_ = 1;
  bool ending_ = false;
  bool taken_ = true;              // somebody changes points; at first the thread, which fills indexes
  bool untidy_ = false;            // the thread has something to do besides writes
  std::unique_ptr<Changed> left_;  // that the thread finishes before anything else
  std::thread thread_;
};

// Whether a collection of this kind takes these points, as far as that can be said without looking at the others.
Outcome<void> check_vectors(const std::vector<Operation>& operations, const CollectionMemory& memory);

}  // namespace pandora::qdrant
