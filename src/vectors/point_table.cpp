#include "vectors/point_table.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kRecentSlots = 4'096, kRecentShare = 32;  // so many are sorted each time rather than kept sorted

bool is_low(const Uuid& uuid) {  // begins with eight zero bytes
  return std::all_of(uuid.bytes.begin(), uuid.bytes.begin() + 8, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<Slot> PointTable::find(const PointId& id) const {
  if (id.is_uuid()) {
    if (const auto key = keys_.find(id.bytes()); key != keys_.end()) return index_.find(key->second);
    if (is_low(id.bytes())) return std::nullopt;
  }
  const auto slot = index_.find(id.bytes());
  return slot && !made_up_.contains(*slot) ? slot : std::nullopt;
}

PointId PointTable::id(Slot slot) const {
  if (const auto known = made_up_.find(slot); known != made_up_.end()) return PointId::of(known->second);
  const Uuid& key = index_.id(slot);
  if (!is_low(key)) return PointId::of(key);
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | key.bytes[i];
  return PointId::of(number);
}

Uuid PointTable::key_of(const PointId& id) const {
  if (!id.is_uuid()) return id.bytes();
  if (const auto key = keys_.find(id.bytes()); key != keys_.end()) return key->second;
  // Somebody else's made-up key may be this very id: then it needs one too.
  const auto taken = [&](const Uuid& key) {
    const auto slot = index_.find(key);
    return slot && (made_up_.contains(*slot) || key != id.bytes());
  };
  Uuid key = id.bytes();
  while (is_low(key) || taken(key)) key = uuid_v5(key, "another key");
  return key;
}

void PointTable::stands(Slot slot, const PointId& id) {
  made_up_[slot] = id.bytes();
  keys_[id.bytes()] = index_.id(slot);
}

void PointTable::leaves(Slot slot) {
  const auto known = made_up_.find(slot);
  if (known == made_up_.end()) return;
  keys_.erase(known->second);
  made_up_.erase(known);
}

void PointTable::enters(Slot slot) {
  if (order_->taken.contains(slot)) return;
  order_->taken.insert(slot);
  ++order_->taken_count;
}

void PointTable::adopt() { order_ = std::make_shared<Order>(Order{{}, index_.live(), index_.size()}); }

std::vector<PointTable::Entry> PointTable::since(const Order& order) const {
  std::vector<Entry> entries;
  SlotSet there = order.taken;
  there &= index_.live();
  there.for_each([&](Slot slot) { entries.push_back({id(slot), slot}); });
  std::ranges::sort(entries, {}, &Entry::id);
  return entries;
}

bool PointTable::is_old(const Order& order) const {
  return order.taken_count > std::max(kRecentSlots, order.entries.size() / kRecentShare);
}

std::size_t PointTable::unsorted() const {
  const std::lock_guard lock(mutex_);
  return order_->taken_count + (is_old(*order_) ? order_->entries.size() : 0);
}

std::shared_ptr<const PointTable::Order> PointTable::ordered() const {
  const std::lock_guard lock(mutex_);
  if (!is_old(*order_)) return order_;
  auto next = std::make_shared<Order>();
  std::vector<Entry> alive;
  std::ranges::copy_if(order_->entries, std::back_inserter(alive),
                       [&](const Entry& entry) { return holds(*order_, entry); });
  std::ranges::merge(alive, since(*order_), std::back_inserter(next->entries), {}, &Entry::id, &Entry::id);
  order_ = next;
  return next;
}

}  // namespace pandora::qdrant
