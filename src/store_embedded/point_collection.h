// One collection in memory: the search structures over the points of a SqliteVectorStore. Internal to store_embedded.
//
// Not thread-safe: its owner holds a readers-writer lock.
#pragma once
#include <map>

#include "ports/vector_store.h"
#include "vecdb/dense_index.h"
#include "vecdb/payload_index.h"
#include "vecdb/sparse_index.h"

namespace pandora {

class PointCollection {
 public:
  // `pool` helps with large scans, if there is one, and outlives the collection.
  explicit PointCollection(CollectionSpec spec, ThreadPool* pool = nullptr);
  const CollectionSpec& spec() const { return spec_; }

  std::optional<std::int64_t> version(const Uuid& id) const;
  bool may_write(const Uuid& id, const Principal& who) const;  // also true when it is not there
  void put(const Point& point);                                // checked before; normalised here
  bool remove(const Uuid& id);

  // Checked before.
  Result<std::vector<ScoredPoint>> query(const PointQuery& query, const Principal& who, const Deadline& deadline) const;
  std::optional<Point> find(const Uuid& id, const Principal& who) const;  // with vectors
  Result<std::vector<Point>> scroll(const Filter& filter, const std::optional<Uuid>& after, std::size_t limit,
                                    const Principal& who, const Deadline& deadline) const;
  Result<std::int64_t> count(const Filter& filter, const Principal& who, const Deadline& deadline) const;

 private:
  struct Entry {
    std::int64_t version = 0;
    Payload payload;
  };
  // The slots that meet a condition; where no index says so, those `among` these.
  Result<SlotSet> meeting(const Condition& condition, const SlotSet& among, const Deadline& deadline) const;
  Result<SlotSet> select(const Filter& filter, const Principal& who, const Deadline& deadline) const;

  CollectionSpec spec_;
  SlotTable slots_;
  std::vector<Entry> entries_;  // by slot
  SlotSet live_;                // slots in use
  PayloadIndex payloads_;
  DenseIndex dense_;
  std::map<std::string, SparseIndex> sparse_;
};

}  // namespace pandora
