// One collection's search structures over the points of a SqliteVectorStore. Internal to store_embedded.
//
// Not thread-safe: its owner holds a readers-writer lock. kDataCorrupt means that a derived file is damaged
// (vecdb/point_index.h): `index().drop_damaged()`, then feed the rows again.
#pragma once
#include "ports/vector_store.h"
#include "vecdb/point_index.h"

namespace pandora {

class PointCollection {
 public:
  // `pool` helps with large scans, if there is one, and outlives the collection.
  explicit PointCollection(CollectionSpec spec, ThreadPool* pool = nullptr);
  const CollectionSpec& spec() const { return spec_; }
  PointIndex& index() { return index_; }
  const PointIndex& index() const { return index_; }

  Status put(const Point& point, std::uint64_t seq);  // checked before; normalised here
  Status remove(const Uuid& id, std::uint64_t seq);
  // Moves some points out of parts that are mostly dead. Returns how many.
  Result<std::size_t> move_some(std::size_t most);

  // Checked before.
  Result<std::vector<ScoredPoint>> query(const PointQuery& query, const Principal& who, const Deadline& deadline) const;
  Result<std::int64_t> count(const Filter& filter, const Principal& who, const Deadline& deadline) const;

 private:
  // The slots that meet a condition; where no index says so, those `among` these.
  Result<SlotSet> meeting(const Condition& condition, const SlotSet& among, const Deadline& deadline) const;
  Result<SlotSet> select(const Filter& filter, const Principal& who, const Deadline& deadline) const;
  Result<Payload> payload(Slot slot) const;

  CollectionSpec spec_;
  PointIndex index_;
};

}  // namespace pandora
