#include "recall/receipt_queue.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {
constexpr Duration kLongestWait = std::chrono::minutes(1);  // for what was taken to be written; a disk may hang
// Receipts that come close after each other share a transaction, and its sync. Nobody who asks for one waits so long.
constexpr Duration kGathering = std::chrono::milliseconds(100);
}  // namespace

ReceiptQueue::ReceiptQueue(ReceiptStore& store, const Clock& clock)
    : store_(store), clock_(clock), thread_([this] { write_loop(); }) {}

ReceiptQueue::~ReceiptQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ReceiptQueue::write_loop() {
  if (const Status trimmed = store_.put({}, Principal::system(), Deadline::never()); !trimmed)
    log_warn("receipts.not_dropped", {{"error", trimmed.error().to_line()}});
  std::unique_lock lock(mutex_);
  trimmed_ = true;
  written_.notify_all();
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    wake_.wait_for(lock, kGathering,
                   [&] { return stopping_ || asked_ > 0 || waiting_.size() >= kMaxQueuedReceipts / 2; });
    const auto batch = std::exchange(waiting_, {});
    under_way_ = batch.size();
    lock.unlock();
    const Status kept = store_.put(batch, Principal::system(), Deadline::never());
    if (!kept) log_warn("receipts.lost", {{"receipts", batch.size()}, {"error", kept.error().to_line()}});
    lock.lock();
    under_way_ = 0;
    done_ += batch.size();
    if (!kept) {
      faults_.lost += static_cast<std::int64_t>(batch.size());
      faults_.last_error = kept.error().to_line();
    }
    written_.notify_all();
  }
}

Status ReceiptQueue::put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline&) {
  for (const auto& receipt : receipts) PANDORA_CHECK(check_receipt(receipt, who));
  {
    const std::lock_guard lock(mutex_);
    if (receipts.size() > kMaxQueuedReceipts - waiting_.size() - under_way_)
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{} receipts of recalls wait to be written", waiting_.size() + under_way_),
                  "try again in a moment");
    waiting_.insert(waiting_.end(), receipts.begin(), receipts.end());
    taken_ += receipts.size();
  }
  wake_.notify_one();
  return {};
}

Status ReceiptQueue::wait_written(const Deadline& deadline) {
  const Deadline bounded = deadline.at_most(clock_, kLongestWait);
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = taken_;
  ++asked_;
  wake_.notify_one();
  const bool written = written_.wait_for(lock, bounded.remaining(), [&] { return trimmed_ && done_ >= wanted; });
  --asked_;
  if (written) return {};
  return fail(ErrorCode::kDeadlineExceeded, "receipts of recalls are still being written", "try again in a moment");
}

Result<RecallReceipt> ReceiptQueue::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(wait_written(deadline));
  return store_.find(id, who, deadline);
}

Result<std::vector<RecallReceipt>> ReceiptQueue::list(const ReceiptQuery& query, const Principal& who,
                                                      const Deadline& deadline) {
  PANDORA_CHECK(wait_written(deadline));
  return store_.list(query, who, deadline);
}

Result<std::int64_t> ReceiptQueue::forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(wait_written(deadline));
  return store_.forget(rows, who, deadline);
}

Result<std::vector<Uuid>> ReceiptQueue::naming(std::span<const Uuid> uids, const Principal& who,
                                               const Deadline& deadline) {
  PANDORA_CHECK(wait_written(deadline));
  return store_.naming(uids, who, deadline);
}

Result<ReceiptStatus> ReceiptQueue::status(const Deadline& deadline) {
  PANDORA_TRY(status, store_.status(deadline));
  const std::lock_guard lock(mutex_);
  status.waiting = static_cast<std::int64_t>(waiting_.size() + under_way_);
  status.lost = faults_.lost;
  status.last_error = faults_.last_error;
  return status;
}

}  // namespace pandora
