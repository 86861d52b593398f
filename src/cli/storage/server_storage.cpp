#include "cli/storage/beside_rows.h"
#include "cli/storage/postgres_settings.h"
#include "cli/storage/storage.h"
#include "store_server/postgres_attempt_log.h"
#include "store_server/postgres_stores.h"
#include "store_server/postgres_text_search.h"
#include "store_server/postgres_turn_vector_log.h"

namespace pandora {
namespace {

PostgresOptions at_home(PostgresOptions options, const std::string& home) {
  options.home = home;
  return options;
}

class ServerStorage final : public Storage {
 public:
  ServerStorage(FileSystem& files, const Config& config, const std::string& home, const Clock& clock)
      : files_(files),
        clock_(clock),
        rows_(PostgresStores::open(at_home(postgres_options(config), home), clock,
                                   static_cast<std::size_t>(config.integer("recall.receipts")))),
        attempts_(rows_->pool()),
        vectors_(rows_->pool()),
        texts_(rows_->pool()) {}

  Status open(const Config& config, const DataPaths& paths, const StorageOptions& options) {
    PANDORA_TRY(beside, open_beside_rows(files_, config, paths, options, clock_));
    beside_ = std::move(beside);
    return {};
  }

  Stores stores() override {
    return {rows_->turns(),        rows_->memories(),  rows_->research(), rows_->sources(),
            rows_->observations(), rows_->instance(),  rows_->outbox(),   beside_->points(),
            beside_->documents(),  beside_->objects(), rows_->receipts()};
  }
  KeyStore& keys() override { return rows_->keys(); }
  AttemptLog& attempts() override { return attempts_; }
  TurnVectorLog& turn_vectors() override { return vectors_; }
  TextSearch* texts() override { return &texts_; }
  JournalRegister* journals() override { return &rows_->journals(); }
  // Of the rows that were deleted the server's next writes take the room; its write-ahead log goes with its next
  // checkpoints (docs/operations.md).
  Status overwrite_deleted(const Deadline& deadline) override {
    {
      PANDORA_TRY(lease, rows_->pool().take(deadline));
      for (const char* table :
           {"turns", "turn_keywords", "turn_vectors", "turn_words", "memories", "research", "recall_receipts"})
        PANDORA_CHECK(lease->script(std::string("VACUUM pandora.") + table));
    }
    return beside_->overwrite_deleted(deadline);
  }

 private:
  FileSystem& files_;
  const Clock& clock_;
  std::unique_ptr<PostgresStores> rows_;
  PostgresAttemptLog attempts_;
  PostgresTurnVectorLog vectors_;
  PostgresTextSearch texts_;
  std::unique_ptr<BesideRows> beside_;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_server_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                                     const StorageOptions& options, const Clock& clock) {
  auto storage = std::make_unique<ServerStorage>(files, config, options.journal_id, clock);
  PANDORA_CHECK(storage->open(config, paths, options));
  return std::unique_ptr<Storage>(std::move(storage));
}

Result<std::unique_ptr<Storage>> open_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                              const StorageOptions& options, const Clock& clock) {
  PANDORA_TRY(served, rows_are_served(config));
  return served ? open_server_storage(files, config, paths, options, clock)
                : open_embedded_storage(files, config, paths, options, clock);
}

}  // namespace pandora
