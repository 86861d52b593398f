#include "contract/receipt_store_contract.h"
#include "ports/turn_store.h"
#include "recall/receipt_queue.h"
#include "store_embedded/sqlite_stores.h"
#include "store_memory/memory_receipt_store.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

class MemorySetup final : public ReceiptSetup {
 public:
  ReceiptStore& store() override { return *store_; }
  void reopen(std::size_t most) override {
    auto next = std::make_unique<MemoryReceiptStore>(most);
    must(next->put(must(store_->list({.limit = kMaxPage}, Principal::system(), kNever)), Principal::system(), kNever));
    store_ = std::move(next);
  }

 private:
  std::unique_ptr<MemoryReceiptStore> store_ = std::make_unique<MemoryReceiptStore>(kMost);
};

class SqliteSetup : public ReceiptSetup {
 public:
  SqliteSetup() { open(kMost); }
  ReceiptStore& store() override { return rows_->receipts(); }
  void reopen(std::size_t most) override { open(most); }

 protected:
  void open(std::size_t most) {
    rows_.reset();
    rows_ = must(SqliteStores::open(folder_.path() + "/pandora.db", "", clock_, most));
  }
  testing::TemporaryDirectory folder_;
  const SystemClock clock_;
  std::unique_ptr<SqliteStores> rows_;
};

// As the program has it: written by a thread of its own.
class QueuedSetup final : public SqliteSetup {
 public:
  QueuedSetup() { reopen(kMost); }
  ReceiptStore& store() override { return *queue_; }
  void reopen(std::size_t most) override {
    queue_.reset();
    open(most);
    queue_ = std::make_unique<ReceiptQueue>(rows_->receipts(), clock_);
  }

 private:
  std::unique_ptr<ReceiptQueue> queue_;
};

}  // namespace

const std::vector<ReceiptImplementation>& receipt_implementations() {
  static const std::vector<ReceiptImplementation> all = {{"Memory", [] { return std::make_unique<MemorySetup>(); }},
                                                         {"Sqlite", [] { return std::make_unique<SqliteSetup>(); }},
                                                         {"Queued", [] { return std::make_unique<QueuedSetup>(); }}};
  return all;
}

}  // namespace pandora
