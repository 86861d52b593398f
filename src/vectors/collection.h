// A collection: its points in memory, its file, and the thread that changes both.
//
// Writes wait in one queue and are taken in groups: staged one after the other, committed in one transaction (one sync
// for all that came together), then put into memory, then answered. A request is all or nothing. When a group cannot be
// committed, each of its requests is tried alone, so that one that does not fit the disk takes no other with it.
// Reads see what is committed. Thread-safe.
#pragma once
#include <condition_variable>
#include <deque>
#include <thread>

#include "vectors/collection_file.h"
#include "vectors/staging.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxQueuedWrites = 1'024;  // 429 past it
inline constexpr std::size_t kMaxWritesAtOnce = 256;    // in one group
inline constexpr std::size_t kAcknowledgedBytes = std::size_t{64}
                                                  << 20;  // queued; past it nothing is acknowledged early

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

class Collection {
 public:
  using Done = std::function<void(Outcome<Written>)>;
  enum class Acknowledge { kWhenQueued, kWhenDurable };

  // In a directory of its own, which is there.
  static Result<std::shared_ptr<Collection>> create(const std::string& directory, CollectionParams params);
  // Never fails: what cannot be read is red.
  static std::shared_ptr<Collection> open(const std::string& directory);
  ~Collection();  // after everything that was queued

  // Why it cannot be used; none when it can. Of a red one nothing else may be called.
  const std::optional<Error>& damage() const { return damage_; }
  const CollectionMemory& memory() const { return *memory_; }
  std::size_t queued() const;
  // `bytes`: roughly, of the request. `done` is called once, on this thread or the collection's, and must not block.
  void write(WriteRequest request, std::size_t bytes, Acknowledge acknowledge, Done done);

 private:
  struct Pending {
    WriteRequest request;
    std::uint64_t number = 0;  // of its first operation
    std::size_t operations = 0;
    std::size_t bytes = 0;
    Done done;
  };
  explicit Collection(Error damage) : damage_(std::move(damage)) {}
  Collection(std::unique_ptr<CollectionFile> file, CollectionFacts facts);
  void run();
  void change_points(std::vector<Pending> group);
  Outcome<void> change_schema(WriteRequest& request);
  static Written written(const Pending& pending, bool completed);

  const std::optional<Error> damage_;
  std::unique_ptr<CollectionFile> file_;
  std::unique_ptr<CollectionMemory> memory_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t next_number_ = 1;
  bool ending_ = false;
  std::thread thread_;
};

// Whether a collection of this kind takes these points, as far as that can be said without looking at the others.
Outcome<void> check_vectors(const std::vector<Operation>& operations, const CollectionMemory& memory);

}  // namespace pandora::qdrant
