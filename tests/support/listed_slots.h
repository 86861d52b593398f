// Slots for tests and benchmarks of what searches over them: given one after the other, with an id each.
#pragma once
#include <vector>

#include "vecdb/hit.h"

namespace pandora::testing {

class ListedSlots final : public SlotIds {
 public:
  Slot add(const Uuid& id) {
    ids_.push_back(id);
    return static_cast<Slot>(ids_.size() - 1);
  }
  const Uuid& id(Slot slot) const override { return ids_[slot]; }
  std::size_t bound() const override { return ids_.size(); }

 private:
  std::vector<Uuid> ids_;
};

}  // namespace pandora::testing
