// The implementations of VectorStore that the suites run on: one more is one more class and one more line below.
#include "contract/vector_store_contract.h"
#include "store_embedded/sqlite_vector_store.h"
#include "store_memory/memory_vector_store.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

class MemorySetup final : public VectorStoreSetup {
 public:
  VectorStore& store() override { return store_; }
  void reopen() override {}
  std::string new_path(const std::string& name) override { return name; }
  std::unique_ptr<VectorStore> open_snapshot(const std::string& path) override { return store_.open_snapshot(path); }

 private:
  MemoryVectorStore store_;
};

class SqliteSetup final : public VectorStoreSetup {
 public:
  SqliteSetup() { reopen(); }
  VectorStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    store_ = must(SqliteVectorStore::open(new_path("vectors.db"), "", clock_, indexed_));
  }
  std::string new_path(const std::string& name) override { return folder_.path() + "/" + name; }
  std::unique_ptr<VectorStore> open_snapshot(const std::string& path) override {
    return must(SqliteVectorStore::open(path, "", clock_));
  }

 private:
  // Files at every turn: what the suites see has been in one.
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  const VectorStoreOptions indexed_{.files = files_.get(), .tail_points = 1, .least_at_end = 1};
  testing::TemporaryDirectory folder_;
  const SystemClock clock_;
  std::unique_ptr<SqliteVectorStore> store_;
};

}  // namespace

std::vector<VectorStoreImplementation> vector_store_implementations() {
  return {{"Memory", [] { return std::make_unique<MemorySetup>(); }},
          {"Sqlite", [] { return std::make_unique<SqliteSetup>(); }}};
}

}  // namespace pandora
