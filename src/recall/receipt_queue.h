// A ReceiptStore whose `put` waits for nothing: receipts are written by a thread of its own, many in one transaction.
//
// So a receipt never delays a reply nor its acknowledgement. At most kMaxQueuedReceipts wait: one more is
// kResourceExhausted. One that could not be written is counted (`status`), logged, and lost. Whoever reads, forgets or
// counts first waits until what was taken before is written, bounded by his deadline. What waits when it is destroyed
// is still written. Thread-safe.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "ports/receipt_store.h"

namespace pandora {

inline constexpr std::size_t kMaxQueuedReceipts = 256;

class ReceiptQueue final : public ReceiptStore {
 public:
  // Both outlive it. Drops what is past the maximum of `store`, which may be lower than it was.
  ReceiptQueue(ReceiptStore& store, const Clock& clock);
  ~ReceiptQueue() override;

  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override;
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override;
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who, const Deadline& deadline) override;
  Result<ReceiptStatus> status(const Deadline& deadline) override;

 private:
  void write_loop();
  Status wait_written(const Deadline& deadline);

  ReceiptStore& store_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::vector<RecallReceipt> waiting_;
  std::size_t under_way_ = 0;
  std::uint64_t taken_ = 0, done_ = 0;  // receipts, since it was made
  ReceiptStatus faults_;                // lost and last_error
  int asked_ = 0;                       // callers that wait for what was taken to be written
  bool trimmed_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace pandora
