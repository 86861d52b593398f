// Which point stands in which slot.
//
// A slot is a small number: every search structure of a collection is an array over slots. The table gives them out,
// lowest new one or a freed one, and knows the id of each. A slot is freed only after every structure has let go of it.
// Not thread-safe: guarded by its owner.
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "vecdb/hit.h"

namespace pandora {

class SlotTable final : public SlotIds {
 public:
  // The slot of `id`, which gets one when it has none.
  Slot add(const Uuid& id);
  std::optional<Slot> find(const Uuid& id) const;
  void remove(Slot slot);  // in use
  const Uuid& id(Slot slot) const override { return ids_[slot]; }
  std::size_t size() const { return by_id_.size(); }  // slots in use
  std::size_t bound() const override { return ids_.size(); }
  const std::map<Uuid, Slot>& by_id() const { return by_id_; }

 private:
  std::map<Uuid, Slot> by_id_;
  std::vector<Uuid> ids_;  // by slot
  std::vector<Slot> free_;
};

}  // namespace pandora
