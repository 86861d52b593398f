#include "store_memory/memory_receipt_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "ports/turn_store.h"

namespace pandora {

Status MemoryReceiptStore::put(std::span<const RecallReceipt> receipts, const Principal& who,
                               const Deadline& deadline) {
  for (const auto& receipt : receipts) PANDORA_CHECK(check_receipt(receipt, who));
  PANDORA_CHECK(deadline.check("keeping receipts"));
  const std::lock_guard lock(mutex_);
  auto after = receipts_;
  for (const auto& receipt : receipts) {
    const auto known = after.find(receipt.id);
    if (known != after.end() && known->second.user != receipt.user)
      return fail(ErrorCode::kPermissionDenied, fmt::format("{} belongs to another user", receipt.id.to_string()));
    after[receipt.id] = receipt;
  }
  while (after.size() > most_) after.erase(after.begin());
  receipts_ = std::move(after);
  return {};
}

Result<RecallReceipt> MemoryReceiptStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("finding a receipt"));
  const std::lock_guard lock(mutex_);
  const auto found = receipts_.find(id);
  if (found == receipts_.end() || !who.may_see(found->second.user))
    return fail(ErrorCode::kNotFound, fmt::format("there is no receipt {}", id.to_string()));
  return found->second;
}

Result<std::vector<RecallReceipt>> MemoryReceiptStore::list(const ReceiptQuery& query, const Principal& who,
                                                            const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing receipts"));
  const std::lock_guard lock(mutex_);
  std::vector<RecallReceipt> found;
  for (auto it = receipts_.rbegin(); it != receipts_.rend(); ++it) {
    const auto& [id, receipt] = *it;
    if (found.size() == std::min(query.limit, kMaxPage)) break;
    if (who.may_see(receipt.user) && (!query.before || id < *query.before) &&
        (!query.turn || receipt.turn == query.turn))
      found.push_back(receipt);
  }
  return found;
}

Result<std::int64_t> MemoryReceiptStore::forget(const ForgottenRows& rows, const Principal& who,
                                                const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("forgetting receipts"));
  const std::lock_guard lock(mutex_);
  std::int64_t touched = 0;
  for (auto it = receipts_.begin(); it != receipts_.end();) {
    RecallReceipt& receipt = it->second;
    const bool seen = who.may_see(receipt.user);
    if (seen && goes_with(receipt, rows)) {
      it = receipts_.erase(it);
      ++touched;
      continue;
    }
    if (seen && pandora::forget(receipt, rows.uids) > 0) ++touched;
    ++it;
  }
  return touched;
}

Result<std::vector<Uuid>> MemoryReceiptStore::naming(std::span<const Uuid> uids, const Principal& who,
                                                     const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("looking through receipts"));
  const std::lock_guard lock(mutex_);
  std::vector<Uuid> found;
  for (const auto& [id, receipt] : receipts_)
    if (who.may_see(receipt.user) && std::ranges::any_of(uids, [&](const Uuid& uid) { return names(receipt, uid); }))
      found.push_back(id);
  return found;
}

Result<ReceiptStatus> MemoryReceiptStore::status(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("counting receipts"));
  const std::lock_guard lock(mutex_);
  return ReceiptStatus{static_cast<std::int64_t>(receipts_.size()), 0, 0, ""};
}

}  // namespace pandora
