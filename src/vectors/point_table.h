// Which point stands in which slot, by Qdrant's ids, and all of them in their order.
//
// Over vecdb's index, whose keys are UUIDs: an integer id is the UUID with eight zero bytes in front. A UUID that
// begins so itself (the nil one, say) gets a key made up for it, which the owner says (`stands`); its order among equal
// scores is put right by whoever sorts last, by `id`. Guarded by its owner; reading is for many threads.
#pragma once
#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "vecdb/point_index.h"
#include "wire/qdrant_ids.h"

namespace pandora::qdrant {

class PointTable {
 public:
  explicit PointTable(const PointIndex& index) : index_(index) {}
  std::optional<Slot> find(const PointId& id) const;
  PointId id(Slot slot) const;  // of a point that is there
  std::size_t size() const { return index_.size(); }
  std::size_t bound() const { return index_.bound(); }
  // How many ids `visit_from` has to put in order first.
  std::size_t unsorted() const;

  // The key under which it stands, or would.
  Uuid key_of(const PointId& id) const;
  bool is_made_up(Slot slot) const { return made_up_.contains(slot); }
  const std::unordered_map<Slot, Uuid>& made_up() const { return made_up_; }
  void enters(Slot slot);                     // a point is there now
  void stands(Slot slot, const PointId& id);  // its key is made up
  void leaves(Slot slot);                     // it will not be there any more
  void adopt();                               // whatever is there was there before

  // Calls visit(id, slot) ascending, from `from` on, until it answers false.
  template <class Visit>
  void visit_from(const PointId& from, Visit&& visit) const {
    const auto order = ordered();
    const std::vector<Entry> recent = since(*order);
    auto a = std::ranges::lower_bound(order->entries, from, {}, &Entry::id);
    auto b = std::ranges::lower_bound(recent, from, {}, &Entry::id);
    while (a != order->entries.end() || b != recent.end()) {
      const bool take_a = b == recent.end() || (a != order->entries.end() && a->id < b->id);
      if (take_a && !holds(*order, *a)) {
        ++a;
        continue;
      }
      const Entry& entry = take_a ? *a++ : *b++;
      if (!visit(entry.id, entry.slot)) return;
    }
  }

 private:
  struct Entry {
    PointId id;
    Slot slot = 0;
  };
  // Points by id: those that were there when it was made, and the slots that were taken since. 24 bytes a point, made
  // when it is first asked for; and a bit a slot.
  struct Order {
    std::vector<Entry> entries;
    SlotSet taken;
    std::size_t taken_count = 0;
  };
  bool holds(const Order& order, const Entry& entry) const {  // it is still there
    return index_.live().contains(entry.slot) && !order.taken.contains(entry.slot);
  }
  std::vector<Entry> since(const Order& order) const;  // points in slots that were taken, by id
  bool is_old(const Order& order) const;               // too many were
  std::shared_ptr<const Order> ordered() const;

  const PointIndex& index_;
  std::unordered_map<Slot, Uuid> made_up_;  // slots whose key is made up, with their id
  std::unordered_map<Uuid, Uuid> keys_;     // from such an id to its key
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Order> order_ = std::make_shared<Order>();
};

}  // namespace pandora::qdrant
