#include "recall/receipt_queue.h"

#include <condition_variable>

#include <gtest/gtest.h>

#include "store_memory/memory_receipt_store.h"
#include "support/random_receipt.h"

namespace pandora {
namespace {

using pandora::testing::RandomReceipts;
using pandora::testing::ReceiptShape;

// A store that writes when it is let, and fails when it is told.
class Gate final : public ReceiptStore {
 public:
  Status put(std::span<const RecallReceipt> receipts, const Principal& who, const Deadline& deadline) override {
    std::unique_lock lock(mutex_);
    if (!receipts.empty()) {
      reached_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
    }
    ++puts;
    if (fault) return fail(ErrorCode::kStorageFull, "no space");
    return inner.put(receipts, who, deadline);
  }
  Result<RecallReceipt> find(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    return inner.find(id, who, deadline);
  }
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery& query, const Principal& who,
                                          const Deadline& deadline) override {
    return inner.list(query, who, deadline);
  }
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) override {
    return inner.forget(rows, who, deadline);
  }
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who,
                                   const Deadline& deadline) override {
    return inner.naming(uids, who, deadline);
  }
  Result<ReceiptStatus> status(const Deadline& deadline) override { return inner.status(deadline); }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_reached() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reached_; });
  }

  MemoryReceiptStore inner;
  std::atomic<int> puts = 0;
  std::atomic<bool> fault = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false, reached_ = false;
};

class Queue : public ::testing::Test {
 protected:
  RecallReceipt receipt() {
    RecallReceipt one = made_.next({2, 0, 0, 0});
    one.user = UserId::parse("ana").value();
    return one;
  }
  Status put(ReceiptQueue& queue, const RecallReceipt& receipt) {
    return queue.put({&receipt, 1}, ana_, Deadline::never());
  }

  RandomReceipts made_{1};
  const Principal ana_ = Principal::of(UserId::parse("ana").value());
  const SystemClock clock_;
  Gate store_;
};

TEST_F(Queue, TakesAReceiptWithoutWaitingAndFindsItOnceItIsWritten) {
  ReceiptQueue queue(store_, clock_);
  const RecallReceipt one = receipt();
  ASSERT_TRUE(put(queue, one)) << "while the store does not answer";
  EXPECT_EQ(queue.status(Deadline::never())->waiting, 1);
  const auto early = queue.find(one.id, ana_, Deadline::after(clock_, Duration(0)));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kDeadlineExceeded);
  store_.open();
  EXPECT_EQ(queue.find(one.id, ana_, Deadline::never()).value(), one);
  const auto status = queue.status(Deadline::never()).value();
  EXPECT_EQ(status.waiting, 0);
  EXPECT_EQ(status.kept, 1);
  EXPECT_EQ(status.lost, 0);
}

TEST_F(Queue, WritesWhatWaitsInOneTransaction) {
  ReceiptQueue queue(store_, clock_);
  ASSERT_TRUE(put(queue, receipt()));
  store_.wait_reached();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(queue, receipt()));
  store_.open();
  EXPECT_EQ(queue.list({}, ana_, Deadline::never())->size(), 21u);
  EXPECT_EQ(store_.puts, 3) << "one to drop what is too many, one for the first, one for all others";
}

TEST_F(Queue, TakesItsMaximumAndNotOneMore) {
  ReceiptQueue queue(store_, clock_);
  ASSERT_TRUE(put(queue, receipt()));
  store_.wait_reached();
  for (std::size_t i = 1; i < kMaxQueuedReceipts; ++i) ASSERT_TRUE(put(queue, receipt())) << i;
  const Status more = put(queue, receipt());
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::kResourceExhausted);
  store_.open();
  EXPECT_EQ(queue.list({.limit = 1'000}, ana_, Deadline::never())->size(), kMaxQueuedReceipts);
  EXPECT_TRUE(put(queue, receipt())) << "there is room again";
}

TEST_F(Queue, CountsWhatCouldNotBeWrittenAndGoesOn) {
  ReceiptQueue queue(store_, clock_);
  store_.open();
  store_.fault = true;
  const RecallReceipt lost = receipt();
  ASSERT_TRUE(put(queue, lost));
  EXPECT_FALSE(queue.find(lost.id, ana_, Deadline::never()));
  auto status = queue.status(Deadline::never()).value();
  EXPECT_EQ(status.lost, 1);
  EXPECT_EQ(status.last_error, "no space");
  store_.fault = false;
  const RecallReceipt kept = receipt();
  ASSERT_TRUE(put(queue, kept));
  EXPECT_TRUE(queue.find(kept.id, ana_, Deadline::never()));
  EXPECT_EQ(queue.status(Deadline::never())->lost, 1);
}

TEST_F(Queue, RefusesAtOnceWhatTheStoreWouldRefuse) {
  ReceiptQueue queue(store_, clock_);
  store_.open();
  RecallReceipt of_bob = receipt();
  of_bob.user = UserId::parse("bob").value();
  const Status refused = put(queue, of_bob);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Queue, WritesWhatWaitsBeforeItEnds) {
  const RecallReceipt one = receipt();
  {
    ReceiptQueue queue(store_, clock_);
    ASSERT_TRUE(put(queue, one));
    store_.open();
  }
  EXPECT_TRUE(store_.find(one.id, ana_, Deadline::never()));
}

TEST_F(Queue, ForgetsAlsoWhatWaited) {
  ReceiptQueue queue(store_, clock_);
  const RecallReceipt one = receipt();
  ASSERT_TRUE(put(queue, one));
  store_.open();
  const Uuid uid = one.turns[0].uid;
  EXPECT_EQ(queue.forget({{uid}, {}}, ana_, Deadline::never()).value(), 1);
  EXPECT_TRUE(queue.naming({&uid, 1}, ana_, Deadline::never())->empty());
  EXPECT_EQ(queue.find(one.id, ana_, Deadline::never())->forgotten, 1);
}

}  // namespace
}  // namespace pandora
