// From a point's id to its slot: a table of slots, open addressing, whose ids lie with the slots. Four bytes a place,
// at most two thirds full: some 9 bytes a point. Not thread-safe: guarded by its owner. Internal to vecdb.
#pragma once
#include <optional>
#include <vector>

#include "vecdb/hit.h"

namespace pandora {

class IdSlots {
 public:
  // `ids` knows the id of every slot that is in here, and of `slot`.
  std::optional<Slot> find(const Uuid& id, const SlotIds& ids) const;
  void insert(Slot slot, const SlotIds& ids);  // whose id is not in here
  void erase(Slot slot, const SlotIds& ids);   // that is in here
  std::size_t size() const { return size_; }

 private:
  static constexpr Slot kFree = ~Slot{0};
  std::size_t place_of(const Uuid& id) const;
  std::size_t next(std::size_t place) const { return (place + 1) & (places_.size() - 1); }
  void grow(const SlotIds& ids);
  void put(Slot slot, const SlotIds& ids);
  std::vector<Slot> places_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace pandora
