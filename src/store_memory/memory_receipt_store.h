// ReceiptStore in memory: the reference of the contract. See ports/receipt_store.h.
#pragma once
#include <map>
#include <mutex>

#include "ports/receipt_store.h"

namespace pandora {

class MemoryReceiptStore final : public ReceiptStore {
 public:
  explicit MemoryReceiptStore(std::size_t most = kDefaultReceipts) : most_(most) {}
  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override;
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override;
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who, const Deadline& deadline) override;
  Result<ReceiptStatus> status(const Deadline& deadline) override;

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::map<Uuid, RecallReceipt> receipts_;
};

}  // namespace pandora
