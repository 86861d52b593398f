#include <cstdlib>
#include <filesystem>

#include "contract/rows_contract.h"
#include "recall/cached_research.h"
#include "store_embedded/process_cache.h"
#include "store_embedded/sqlite_attempt_log.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_turn_vector_log.h"
#include "store_memory/memory_rows.h"

namespace pandora::testing {
namespace {

class InMemory final : public Accessors<MemoryRows> {
 public:
  explicit InMemory(const Clock& clock) { rows_ = make_memory_rows(clock); }
  void reopen() override {}
  AttemptLog& attempts() override { return rows_->attempts(); }
  TurnVectorLog& turn_vectors() override { return rows_->turn_vectors(); }
  TextSearch* texts() override { return &rows_->texts(); }
};

// Whose research is read through a cache.
class BehindACache final : public Accessors<MemoryRows> {
 public:
  explicit BehindACache(const Clock& clock) : cache_(clock) {
    rows_ = make_memory_rows(clock);
    research_ = std::make_unique<CachedResearch>(rows_->research(), cache_, clock);
  }
  ResearchStore& research() override { return *research_; }
  void reopen() override {}
  AttemptLog& attempts() override { return rows_->attempts(); }
  TurnVectorLog& turn_vectors() override { return rows_->turn_vectors(); }
  TextSearch* texts() override { return &rows_->texts(); }

 private:
  ProcessCache cache_;
  std::unique_ptr<CachedResearch> research_;
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
  AttemptLog& attempts() override { return *attempts_; }
  TurnVectorLog& turn_vectors() override { return *turn_vectors_; }

 private:
  void open() {
    rows_ = SqliteStores::open((directory_ / "pandora.db").string(), "", clock_).value();
    attempts_ = std::make_unique<SqliteAttemptLog>(rows_->database());
    turn_vectors_ = std::make_unique<SqliteTurnVectorLog>(rows_->database());
  }
  const Clock& clock_;
  std::filesystem::path directory_;
  std::unique_ptr<AttemptLog> attempts_;
  std::unique_ptr<TurnVectorLog> turn_vectors_;
};

}  // namespace

const std::vector<RowsFactory>& rows_factories() {
  static const std::vector<RowsFactory> factories = {
      {"Memory", [](const Clock& clock) { return std::make_unique<InMemory>(clock); }},
      {"MemoryBehindACache", [](const Clock& clock) { return std::make_unique<BehindACache>(clock); }},
      {"Sqlite", [](const Clock& clock) { return std::make_unique<OnSqlite>(clock); }, false},
  };
  return factories;
}

}  // namespace pandora::testing
