#include "contract/key_store_contract.h"
#include "store_embedded/sqlite_stores.h"
#include "store_memory/memory_key_store.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

class MemorySetup final : public KeySetup {
 public:
  KeyStore& store() override { return store_; }
  void reopen() override {}

 private:
  MemoryKeyStore store_;
};

class SqliteSetup final : public KeySetup {
 public:
  SqliteSetup() { reopen(); }
  KeyStore& store() override { return rows_->keys(); }
  void reopen() override {
    rows_.reset();
    rows_ = must(SqliteStores::open(folder_.path() + "/pandora.db", "", clock_));
  }

 private:
  testing::TemporaryDirectory folder_;
  const SystemClock clock_;
  std::unique_ptr<SqliteStores> rows_;
};

}  // namespace

const std::vector<KeyImplementation>& key_implementations() {
  static const std::vector<KeyImplementation> all = {{"Memory", [] { return std::make_unique<MemorySetup>(); }},
                                                     {"Sqlite", [] { return std::make_unique<SqliteSetup>(); }}};
  return all;
}

}  // namespace pandora
