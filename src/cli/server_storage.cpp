#include "cli/database_quarantine.h"
#include "cli/postgres_settings.h"
#include "cli/served_points.h"
#include "cli/storage.h"
#include "store_embedded/directory_document_store.h"
#include "store_embedded/directory_object_store.h"
#include "store_embedded/sqlite_vector_store.h"
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
    PANDORA_TRY(documents, DirectoryDocumentStore::open(files_, paths.documents, clock_, options.journal_id));
    documents_ = std::move(documents);
    PANDORA_TRY(objects, DirectoryObjectStore::open(files_, paths.objects));
    objects_ = std::move(objects);
    PANDORA_TRY(served, points_are_served(config));
    if (served) {
      PANDORA_TRY(points, open_served_points(config, files_, clock_));
      served_ = std::move(points);
      return {};
    }
    return open_database(files_, paths, paths.vectors, options.damage, clock_, [&]() -> Status {
      const bool thorough = options.thorough || options.damage == Damage::kSetAside;
      const VectorStoreOptions indexed{.files = &files_, .every_row = thorough};
      PANDORA_TRY(points, SqliteVectorStore::open(paths.vectors, "", clock_, indexed));
      points_ = std::move(points);
      return {};
    });
  }

  Stores stores() override {
    VectorStore& points = served_ ? served_->store() : *points_;
    return {rows_->turns(),        rows_->memories(), rows_->research(), rows_->sources(),
            rows_->observations(), rows_->instance(), rows_->outbox(),   points,
            *documents_,           *objects_,         rows_->receipts()};
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
    if (served_) return {};
    PANDORA_CHECK(points_->database().checkpoint(deadline));
    return points_->purge(deadline);
  }

 private:
  FileSystem& files_;
  const Clock& clock_;
  std::unique_ptr<PostgresStores> rows_;
  PostgresAttemptLog attempts_;
  PostgresTurnVectorLog vectors_;
  PostgresTextSearch texts_;
  std::unique_ptr<DocumentStore> documents_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<SqliteVectorStore> points_;  // one of these two
  std::unique_ptr<ServedPoints> served_;
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
