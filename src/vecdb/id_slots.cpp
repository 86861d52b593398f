#include "vecdb/id_slots.h"

#include <cstring>

namespace pandora {
namespace {
constexpr std::size_t kLeast = 64;
}

std::size_t IdSlots::place_of(const Uuid& id) const {
  std::uint64_t halves[2];
  std::memcpy(halves, id.bytes.data(), sizeof halves);
  std::uint64_t mixed = halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15U);  // ids need not be random
  mixed = (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93U;
  return (mixed ^ mixed >> 32) & (places_.size() - 1);
}

std::optional<Slot> IdSlots::find(const Uuid& id, const SlotIds& ids) const {
  if (places_.empty()) return std::nullopt;
  for (std::size_t place = place_of(id); places_[place] != kFree; place = next(place))
    if (ids.id(places_[place]) == id) return places_[place];
  return std::nullopt;
}

void IdSlots::put(Slot slot, const SlotIds& ids) {
  std::size_t place = place_of(ids.id(slot));
  while (places_[place] != kFree) place = next(place);
  places_[place] = slot;
}

void IdSlots::grow(const SlotIds& ids) {
  const std::vector<Slot> old = std::move(places_);
  places_.assign(old.empty() ? kLeast : 2 * old.size(), kFree);
  for (const Slot slot : old)
    if (slot != kFree) put(slot, ids);
}

void IdSlots::insert(Slot slot, const SlotIds& ids) {
  if (3 * (size_ + 1) > 2 * places_.size()) grow(ids);
  put(slot, ids);
  ++size_;
}

// Who stands behind the gap and would be looked for before it moves into it.
void IdSlots::erase(Slot slot, const SlotIds& ids) {
  std::size_t gap = place_of(ids.id(slot));
  while (places_[gap] != slot) gap = next(gap);
  for (std::size_t place = next(gap); places_[place] != kFree; place = next(place)) {
    const std::size_t wanted = place_of(ids.id(places_[place]));
    const std::size_t mask = places_.size() - 1;
    if (((place - wanted) & mask) < ((place - gap) & mask)) continue;
    places_[gap] = places_[place];
    gap = place;
  }
  places_[gap] = kFree;
  --size_;
}

}  // namespace pandora
