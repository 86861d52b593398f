// A collection's points with everything that finds them.
//
// Vectors, payloads and ids are in vecdb's index: codes in memory, all else in mapped files but for a tail (ADR 14 and
// 18). Indexes of payloads are in memory. What is here was committed. One thread changes it, others read; `lock` keeps
// them apart. A change takes the lock for a few points at a time, so that a search never waits for a whole batch.
//
// What lies in a file that is damaged reads as empty; `damaged` says so from then on, and whoever has read asks it
// before he believes.
#pragma once
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "vectors/dense_space.h"
#include "vectors/field_index.h"
#include "vectors/point_table.h"

namespace pandora::qdrant {

// Readers that come while a writer waits, wait behind it: many readers cannot starve it. So whoever must not wait for
// the longest of those that read just now only tries.
class FairLock {
 public:
  using Reading = std::shared_lock<std::shared_mutex>;
  using Writing = std::unique_lock<std::shared_mutex>;
  Reading read() {
    const std::lock_guard turn(turn_);
    return Reading(mutex_);
  }
  Writing write() {
    const std::lock_guard turn(turn_);
    return Writing(mutex_);
  }
  // Held, or not: somebody is in the way.
  Reading try_read() {
    const std::unique_lock turn(turn_, std::try_to_lock);
    return turn ? Reading(mutex_, std::try_to_lock) : Reading();
  }
  // The same, but one who writes a piece is waited for, which takes less than to hand the work to another thread. He is
  // offered the processor, which may be what he needs.
  Reading read_soon() {
    Reading reading = try_read();
    for (int offers = 0; !reading && offers < kOffers; ++offers) {
      std::this_thread::yield();
      reading = try_read();
    }
    return reading;
  }
  Writing try_write() {
    const std::unique_lock turn(turn_, std::try_to_lock);
    return turn ? Writing(mutex_, std::try_to_lock) : Writing();
  }

 private:
  static constexpr int kOffers = 100;  // some tenths of a millisecond
  std::mutex turn_;
  std::shared_mutex mutex_;
};

// A vector as it is kept.
using StoredVector = std::variant<std::vector<float>, SparseVector>;
// By the number of its name, see CollectionMemory::number_of.
using StoredVectors = std::map<std::size_t, StoredVector>;

struct StoredPoint {
  PointId id;
  std::uint64_t version = 0;  // number of the operation that last changed it, > 0
  std::string payload = "{}";
  StoredVectors vectors;
};

class CollectionMemory {
 public:
  explicit CollectionMemory(CollectionParams params);
  CollectionMemory(const CollectionMemory&) = delete;
  CollectionMemory& operator=(const CollectionMemory&) = delete;

  const CollectionParams& params() const { return params_; }
  FairLock& lock() const { return lock_; }
  bool damaged() const { return index_.damaged(); }

  // ── names of vectors: numbered, dense ones first, each kind by its name ──
  std::optional<std::size_t> number_of(const std::string& name) const;
  const std::string& name_of(std::size_t number) const { return names_[number]; }
  std::size_t name_count() const { return names_.size(); }
  const DenseSpace* dense(std::size_t number) const { return number < dense_.size() ? &dense_[number] : nullptr; }
  const SlotSet& present(std::size_t number) const;

  // ── points ──
  const PointTable& table() const { return table_; }
  const SlotSet& live() const { return index_.live(); }
  std::string_view payload(Slot slot) const;  // until the next change
  std::uint64_t version(Slot slot) const { return index_.seq(slot); }
  SparseVector sparse(std::size_t number, Slot slot) const;  // of a point that has it
  StoredVectors vectors(Slot slot) const;
  // As DenseSpace::search, for a sparse one.
  Result<std::vector<Hit>> search_sparse(std::size_t number, const SparseVector& query, std::size_t k,
                                         const SlotSet* filter, const Deadline& deadline) const;

  // ── indexes of payloads ──
  const FieldSchemas& schemas() const { return schemas_; }
  const FieldIndex* index(const std::string& path) const;  // null, too, while it is being filled
  // Filled; whoever changes points or the index's files is held off by the caller.
  std::unique_ptr<FieldIndex> make_index(PayloadPath path, const FieldSchema& schema) const;
  void fill(FieldIndex& index, std::size_t first, std::size_t end) const;  // with the points of these slots

  // ── changes: by one thread, under lock().write() ──
  // What is made of a point before it goes in: most of the work, by that thread without the lock, beside searches.
  struct Prepared {
    const StoredPoint* point = nullptr;        // which outlives it
    std::vector<std::vector<float>> extended;  // by number; of Euclid
    std::vector<DenseCode> codes;              // by number; of those that the point has
    std::optional<JsonTape> payload;           // when indexes want it
  };
  Prepared prepare(const StoredPoint& point) const;
  // Replaces all of it. Nothing happens when it is there with this version or a later one; the same of `remove`.
  void put(const Prepared& prepared);
  void put(const StoredPoint& point) { put(prepare(point)); }
  void remove(const PointId& id, std::uint64_t version);
  // Out of files that are mostly dead; true: there is more to do.
  bool move_some(std::size_t most);
  void set_params(CollectionParams params);  // with the same vectors
  void add_schema(const IndexRequest& index);
  void add_index(std::unique_ptr<FieldIndex> index);
  void drop_index(const std::string& path);

  // ── for the files that it is kept in ──
  PointIndex& points() { return index_; }
  void adopt();  // after files were loaded

 private:
  std::optional<JsonTape> payload_for_indexes(std::string_view text) const;
  void enters(Slot slot, const PointId& id, const std::optional<JsonTape>& payload);
  void leaves(Slot slot);
  void set_weightings();

  CollectionParams params_;
  mutable FairLock lock_;
  std::vector<std::string> names_;
  PointIndex index_;
  PointTable table_;
  std::vector<DenseSpace> dense_;
  std::vector<TermWeighting> weightings_;  // of sparse ones
  std::vector<SlotSet> sparse_present_;    // those without a term are in no list of the index
  FieldSchemas schemas_;
  std::map<std::string, std::unique_ptr<FieldIndex>> indexes_;
};

}  // namespace pandora::qdrant
