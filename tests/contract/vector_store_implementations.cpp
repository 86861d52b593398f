// The implementations of VectorStore that the suites run on: one more is one more class and one more line below.
#include <fstream>

#include "contract/vector_store_contract.h"
#include "store_embedded/sqlite_vector_store.h"
#include "store_memory/memory_vector_store.h"
#include "store_server/collection_copy.h"
#include "store_server/qdrant_vector_store.h"
#include "support/temporary_directory.h"
#include "support/vectors_process.h"

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

// The client of Qdrant's API, with a server of ours behind it. Both begin anew when it is opened again.
class QdrantSetup final : public VectorStoreSetup {
 public:
  QdrantSetup() { reopen(); }
  VectorStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    server_.reset();
    server_.emplace(new_path("collections"), *files_, threads_);
    store_ = client_of(*server_);
  }
  std::string new_path(const std::string& name) override { return folder_.path() + "/" + name; }
  // Into another server.
  std::unique_ptr<VectorStore> open_snapshot(const std::string& path) override {
    second_.reset();
    second_.emplace(new_path("copied"), *files_, threads_);
    const auto api = must(QdrantApi::create({second_->url(), "", {}}, *http_));
    std::ifstream in(path);
    LineImporter importer(*api, [&in]() -> Result<std::optional<std::string>> {
      std::string line;
      if (!std::getline(in, line)) return std::nullopt;
      return line;
    });
    const auto progress = [](std::int64_t, const std::string&) { return Status(); };
    EXPECT_TRUE(must(importer.next(progress, kNever)));
    EXPECT_FALSE(must(importer.next(progress, kNever))) << "one collection and no more";
    return client_of(*second_);
  }

 private:
  std::unique_ptr<QdrantVectorStore> client_of(const testing::VectorsProcess& server) {
    QdrantStoreOptions options;
    options.server.url = server.url();
    options.prefix = "test_";
    return must(QdrantVectorStore::open(options, *http_, *files_));
  }

  const SystemClock clock_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  testing::TemporaryDirectory folder_;
  IoThreads threads_{clock_, 2};
  const std::unique_ptr<HttpClient> http_ = must(HttpClient::create({}, threads_));
  std::optional<testing::VectorsProcess> server_, second_;
  std::unique_ptr<QdrantVectorStore> store_;
};

}  // namespace

std::vector<VectorStoreImplementation> vector_store_implementations() {
  return {{"Memory", [] { return std::make_unique<MemorySetup>(); }},
          {"Sqlite", [] { return std::make_unique<SqliteSetup>(); }},
          {"Qdrant", [] { return std::make_unique<QdrantSetup>(); }}};
}

}  // namespace pandora
