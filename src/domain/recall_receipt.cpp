#include "domain/recall_receipt.h"

#include <algorithm>

namespace pandora {
namespace {

template <class Receipt, class Visit>
void for_each_list(Receipt& receipt, Visit visit) {
  visit(receipt.given);
  visit(receipt.turns);
  visit(receipt.memories);
  visit(receipt.research);
}

}  // namespace

bool names(const RecallReceipt& receipt, const Uuid& uid) {
  bool found = receipt.turn == uid;
  for_each_list(receipt, [&](const auto& list) {
    found = found || std::ranges::any_of(list, [&](const auto& one) { return one.uid == uid; });
  });
  return found;
}

std::int64_t forget(RecallReceipt& receipt, std::span<const Uuid> uids) {
  const auto is_forgotten = [&](const Uuid& uid) { return std::ranges::find(uids, uid) != uids.end(); };
  std::size_t gone = 0;
  for_each_list(receipt, [&](auto& list) {
    gone += std::erase_if(list, [&](const auto& one) { return is_forgotten(one.uid); });
  });
  for (auto& turn : receipt.turns)
    if (turn.follows && is_forgotten(*turn.follows)) turn.follows.reset();
  receipt.forgotten += static_cast<std::int64_t>(gone);
  return static_cast<std::int64_t>(gone);
}

}  // namespace pandora
