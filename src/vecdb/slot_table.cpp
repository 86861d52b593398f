#include "vecdb/slot_table.h"

namespace pandora {

Slot SlotTable::add(const Uuid& id) {
  const auto [place, added] = by_id_.try_emplace(id, 0);
  if (!added) return place->second;
  if (free_.empty()) {
    place->second = static_cast<Slot>(ids_.size());
    ids_.push_back(id);
  } else {
    place->second = free_.back();
    free_.pop_back();
    ids_[place->second] = id;
  }
  return place->second;
}

std::optional<Slot> SlotTable::find(const Uuid& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

void SlotTable::remove(Slot slot) {
  by_id_.erase(ids_[slot]);
  ids_[slot] = {};
  free_.push_back(slot);
}

}  // namespace pandora
