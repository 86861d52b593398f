// A collection's points in memory, with everything that finds them.
//
// What is here was committed. One thread changes it, others read; `lock` keeps them apart. A change takes the lock for
// a few points at a time, so that a search never waits for a whole batch.
#pragma once
#include <mutex>
#include <shared_mutex>

#include "vecdb/sparse_index.h"
#include "vectors/dense_space.h"
#include "vectors/field_index.h"
#include "vectors/point_table.h"

namespace pandora::qdrant {

// Readers that come while a writer waits, wait behind it: many readers cannot starve it.
class FairLock {
 public:
  std::shared_lock<std::shared_mutex> read() {
    const std::lock_guard turn(turn_);
    return std::shared_lock(mutex_);
  }
  std::unique_lock<std::shared_mutex> write() {
    const std::lock_guard turn(turn_);
    return std::unique_lock(mutex_);
  }

 private:
  std::mutex turn_;
  std::shared_mutex mutex_;
};

// A vector as it is kept.
using StoredVector = std::variant<std::vector<float>, SparseVector>;
// By the number of its name, see CollectionMemory::number_of.
using StoredVectors = std::map<std::size_t, StoredVector>;

struct StoredPoint {
  PointId id;
  std::uint64_t version = 0;  // number of the operation that last changed it
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

  // ── names of vectors: numbered, dense ones first, each kind by its name ──
  std::optional<std::size_t> number_of(const std::string& name) const;
  const std::string& name_of(std::size_t number) const { return names_[number]; }
  std::size_t name_count() const { return names_.size(); }
  const DenseSpace* dense(std::size_t number) const { return number < dense_.size() ? dense_[number].get() : nullptr; }
  const SparseIndex* sparse(std::size_t number) const;  // null when that one is dense
  const SlotSet& present(std::size_t number) const;

  // ── points ──
  const PointTable& table() const { return table_; }
  const SlotSet& live() const { return live_; }
  const std::string& payload(Slot slot) const { return payloads_[slot]; }
  std::uint64_t version(Slot slot) const { return versions_[slot]; }
  StoredVectors vectors(Slot slot) const;
  std::size_t indexed_sparse() const;

  // ── indexes of payloads ──
  const FieldSchemas& schemas() const { return schemas_; }
  const FieldIndex* index(const std::string& path) const;
  const std::map<std::string, std::unique_ptr<FieldIndex>>& indexes() const { return indexes_; }

  // ── changes: by one thread, under lock().write() ──
  Slot put(StoredPoint point);  // replaces all of it
  void remove(const PointId& id);
  void set_hints(Json hints) { params_.hints = std::move(hints); }
  void drop_index(const std::string& path);
  // Filled before it is added, without the lock: nobody else changes anything meanwhile.
  std::unique_ptr<FieldIndex> make_index(PayloadPath path, const FieldSchema& schema) const;
  void add_index(std::unique_ptr<FieldIndex> index);

 private:
  void fill(Slot slot, StoredPoint point);
  void forget_payload(Slot slot);

  CollectionParams params_;
  mutable FairLock lock_;
  std::vector<std::string> names_;
  PointTable table_;
  SlotSet live_;
  std::vector<std::string> payloads_;    // by slot
  std::vector<std::uint64_t> versions_;  // by slot
  std::vector<std::unique_ptr<DenseSpace>> dense_;
  struct SparseSpace {
    std::unique_ptr<SparseIndex> index;
    SlotSet present;
  };
  std::vector<SparseSpace> sparse_;
  FieldSchemas schemas_;
  std::map<std::string, std::unique_ptr<FieldIndex>> indexes_;
};

}  // namespace pandora::qdrant
