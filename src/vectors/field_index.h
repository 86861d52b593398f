// From a predicate on an indexed field to the slots that meet it, without looking at payloads.
//
// Keywords and words of texts have a set of slots each; integers, numbers, times and uuids a column by slot, which is
// read from end to end (100,000 values: some 50 µs); bools two sets. Values of another type than the index's are not in
// it; a predicate of another type it cannot answer. Not thread-safe: guarded by its owner.
#pragma once
#include <memory>

#include "vecdb/slot_set.h"
#include "vectors/condition.h"

namespace pandora::qdrant {

// What a point is ordered by.
using OrderValue = std::variant<std::int64_t, double, Timestamp>;
struct Ordered {
  OrderValue value;
  Slot slot;
};

class FieldIndex {
 public:
  static std::unique_ptr<FieldIndex> create(PayloadPath path, const FieldSchema& schema);
  FieldIndex(PayloadPath path, const FieldSchema& schema) : path_(std::move(path)), schema_(schema) {}
  virtual ~FieldIndex() = default;
  const FieldSchema& schema() const { return schema_; }
  const PayloadPath& path() const { return path_; }
  std::size_t points() const { return points_; }  // with a value of its type

  void put(Slot slot, JsonNode payload);     // of a slot that is not in it
  void remove(Slot slot, JsonNode payload);  // the one that was put
  // Nothing: ask `holds` for each slot.
  std::optional<SlotSet> select(const Predicate& predicate, const SlotSet& all) const;
  // Every value of every slot of `among`, in no order; nothing where this type has none.
  virtual std::optional<std::vector<Ordered>> ordered(const SlotSet& among) const;

 protected:
  virtual bool insert(Slot slot, const std::vector<JsonNode>& values) = 0;  // false: none was of its type
  virtual bool erase(Slot slot, const std::vector<JsonNode>& values) = 0;   // likewise
  virtual std::optional<SlotSet> find(const Predicate& predicate) const = 0;

 private:
  const PayloadPath path_;
  const FieldSchema schema_;
  std::size_t points_ = 0;
  SlotSet filled_, null_;  // slots whose field is not empty, and has a null
};

}  // namespace pandora::qdrant
