#include <cstdlib>
#include <filesystem>

#include "contract/rows_contract.h"
#include "store_embedded/sqlite_stores.h"
#include "store_memory/memory_rows.h"

namespace pandora::testing {
namespace {

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
