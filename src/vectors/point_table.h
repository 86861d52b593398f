// Which point stands in which slot, by Qdrant's ids.
//
// Over vecdb's table, whose keys are UUIDs: an integer id is the UUID with eight zero bytes in front. A UUID that
// begins so itself (the nil one, say) gets a key made up for it; its order among equal scores is put right by whoever
// sorts last, by `id`. Not thread-safe: guarded by its owner.
#pragma once
#include <map>
#include <optional>

#include "vecdb/slot_set.h"
#include "vecdb/slot_table.h"
#include "wire/qdrant_ids.h"

namespace pandora::qdrant {

class PointTable {
 public:
  Slot add(const PointId& id);  // the one it has, when it has one
  std::optional<Slot> find(const PointId& id) const;
  void remove(Slot slot);
  PointId id(Slot slot) const;
  std::size_t size() const { return slots_.size(); }
  std::size_t bound() const { return slots_.bound(); }
  const SlotTable& slots() const { return slots_; }  // for vecdb's indexes

  // Calls visit(id, slot) ascending, from `from` on, until it answers false.
  template <class Visit>
  void visit_from(const PointId& from, Visit&& visit) const {
    auto common = slots_.by_id().lower_bound(from.is_uuid() && is_low(from.bytes()) ? first_high() : from.bytes());
    auto low = low_.lower_bound(from.is_uuid() ? from.bytes() : Uuid{});
    for (;;) {
      while (common != slots_.by_id().end() && made_up_.contains(common->second)) ++common;
      const bool has_common = common != slots_.by_id().end(), has_low = low != low_.end();
      if (!has_common && !has_low) return;
      const PointId of_common = has_common ? id(common->second) : PointId();
      const bool take_common = has_common && (!has_low || of_common < PointId::of(low->first));
      const Slot slot = take_common ? common->second : low->second;
      if (!visit(take_common ? of_common : PointId::of(low->first), slot)) return;
      if (take_common)
        ++common;
      else
        ++low;
    }
  }

 private:
  static bool is_low(const Uuid& uuid);  // begins with eight zero bytes
  static Uuid first_high();              // the least that does not

  SlotTable slots_;
  SlotSet uuids_;             // slots whose id is a UUID
  std::map<Uuid, Slot> low_;  // UUIDs with a made-up key
  SlotSet made_up_;           // their slots
};

}  // namespace pandora::qdrant
