#include "vectors/point_table.h"

#include <algorithm>

namespace pandora::qdrant {

bool PointTable::is_low(const Uuid& uuid) {
  return std::all_of(uuid.bytes.begin(), uuid.bytes.begin() + 8, [](std::uint8_t byte) { return byte == 0; });
}

Uuid PointTable::first_high() {
  Uuid uuid;
  uuid.bytes[7] = 1;
  return uuid;
}

std::optional<Slot> PointTable::find(const PointId& id) const {
  if (id.is_uuid())
    if (const auto low = low_.find(id.bytes()); low != low_.end()) return low->second;
  if (id.is_uuid() && is_low(id.bytes())) return std::nullopt;
  const auto slot = slots_.find(id.bytes());
  return slot && !made_up_.contains(*slot) ? slot : std::nullopt;
}

Slot PointTable::add(const PointId& id) {
  if (const auto slot = find(id)) return *slot;
  Uuid key = id.bytes();
  const bool makes_up = id.is_uuid() && (is_low(key) || slots_.find(key));
  while (makes_up && (is_low(key) || slots_.find(key))) key = uuid_v5(key, "another key");
  const Slot slot = slots_.add(key);
  if (id.is_uuid()) uuids_.insert(slot);
  if (makes_up) {
    low_[id.bytes()] = slot;
    made_up_.insert(slot);
  }
  return slot;
}

void PointTable::remove(Slot slot) {
  if (made_up_.contains(slot)) {
    std::erase_if(low_, [&](const auto& entry) { return entry.second == slot; });
    made_up_.erase(slot);
  }
  uuids_.erase(slot);
  slots_.remove(slot);
}

PointId PointTable::id(Slot slot) const {
  if (made_up_.contains(slot))
    for (const auto& [uuid, at] : low_)
      if (at == slot) return PointId::of(uuid);
  const Uuid& key = slots_.id(slot);
  if (uuids_.contains(slot)) return PointId::of(key);
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | key.bytes[i];
  return PointId::of(number);
}

}  // namespace pandora::qdrant
