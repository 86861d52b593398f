#include <cstdlib>
#include <filesystem>

#include "contract/rows_contract.h"
#include "store_embedded/sqlite_stores.h"
#include "store_memory/memory_rows.h"

namespace pandora::testing {
namespace {

// `Rows` is any object with an accessor for each port.
template <class Rows>
class Accessors : public RowsUnderTest {
 public:
  TurnStore& turns() override { return rows_->turns(); }
  MemoryStore& memories() override { return rows_->memories(); }
  ResearchStore& research() override { return rows_->research(); }
  SourceStore& sources() override { return rows_->sources(); }
  ObservationStore& observations() override { return rows_->observations(); }
  InstanceStore& instance() override { return rows_->instance(); }
  Outbox& outbox() override { return rows_->outbox(); }

 protected:
  std::unique_ptr<Rows> rows_;
};

class InMemory final : public Accessors<MemoryRows> {
 public:
  explicit InMemory(const Clock& clock) { rows_ = make_memory_rows(clock); }
  void reopen() override {}
};

// On a real file system, in a directory of its own.
class OnSqlite final : public Accessors<SqliteStores> {
 public:
  explicit OnSqlite(const Clock& clock) : clock_(clock) {
    std::string path = (std::filesystem::temp_directory_path() / "pandora-rows-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) throw std::filesystem::filesystem_error("mkdtemp", path, {});
    directory_ = path;
    open();
  }
  ~OnSqlite() override {
    rows_.reset();
    std::filesystem::remove_all(directory_);
  }
  void reopen() override {
    rows_.reset();
    open();
  }

 private:
  void open() { rows_ = SqliteStores::open((directory_ / "pandora.db").string(), "", clock_).value(); }
  const Clock& clock_;
  std::filesystem::path directory_;
};

}  // namespace

const std::vector<RowsFactory>& rows_factories() {
  static const std::vector<RowsFactory> factories = {
      {"Memory", [](const Clock& clock) { return std::make_unique<InMemory>(clock); }},
      {"Sqlite", [](const Clock& clock) { return std::make_unique<OnSqlite>(clock); }},
  };
  return factories;
}

}  // namespace pandora::testing
