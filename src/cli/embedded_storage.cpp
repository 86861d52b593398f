#include <string>

#include "cli/database_quarantine.h"
#include "cli/served_points.h"
#include "cli/storage.h"
#include "store_embedded/directory_document_store.h"
#include "store_embedded/directory_object_store.h"
#include "store_embedded/sqlite_attempt_log.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_turn_vector_log.h"
#include "store_embedded/sqlite_vector_store.h"

namespace pandora {
namespace {

class EmbeddedStorage final : public Storage {
 public:
  EmbeddedStorage(FileSystem& files, const Clock& clock) : files_(files), clock_(clock) {}

  Status open(const Config& config, const DataPaths& paths, const StorageOptions& options) {
    PANDORA_TRY(documents, DirectoryDocumentStore::open(files_, paths.documents, clock_));
    documents_ = std::move(documents);
    const Damage damage = options.damage;
    const bool thorough = options.thorough || damage == Damage::kSetAside;
    PANDORA_TRY(objects, DirectoryObjectStore::open(files_, paths.objects));
    objects_ = std::move(objects);
    const auto most_receipts = static_cast<std::size_t>(config.integer("recall.receipts"));
    PANDORA_CHECK(open_database(files_, paths, paths.database, damage, clock_, [&]() -> Status {
      PANDORA_TRY(rows, SqliteStores::open(paths.database, "", clock_, most_receipts,
                                           thorough ? IntegrityCheck::kAtOpen : IntegrityCheck::kBesideWhenLarge));
      rows_ = std::move(rows);
      Status read = damage == Damage::kSetAside ? read_every_row() : Status();
      if (!read) rows_.reset();  // closed before it is moved
      if (rows_) attempts_ = std::make_unique<SqliteAttemptLog>(rows_->database());
      if (rows_) vectors_ = std::make_unique<SqliteTurnVectorLog>(rows_->database());
      return read;
    }));
    PANDORA_TRY(served, points_are_served(config));
    if (served) {
      PANDORA_TRY(points, open_served_points(config, files_, clock_));
      served_ = std::move(points);
      return {};
    }
    return open_database(files_, paths, paths.vectors, damage, clock_, [&]() -> Status {
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
  AttemptLog& attempts() override { return *attempts_; }
  TurnVectorLog& turn_vectors() override { return *vectors_; }
  JournalRegister* journals() override { return nullptr; }
  Status overwrite_deleted(const Deadline& deadline) override {
    PANDORA_CHECK(rows_->database().checkpoint(deadline));
    if (served_) return {};  // when it overwrites what was removed is the server's to decide
    PANDORA_CHECK(points_->database().checkpoint(deadline));
    return points_->purge(deadline);
  }

 private:
  // The structure may be whole and a row in it not.
  Status read_every_row() {
    const Principal system = Principal::system();
    const Deadline never = Deadline::never();
    for (TurnNumber after;;) {
      PANDORA_TRY(page, rows_->turns().scan(after, kMaxPage, system, never));
      if (page.empty()) break;
      after = page.back().number;
    }
    MemoryQuery memories;
    memories.include_superseded = true;
    for (;;) {
      PANDORA_TRY(page, rows_->memories().list(memories, system, never));
      if (page.empty()) break;
      memories.after = page.back().id;
    }
    for (ResearchQuery research;;) {
      PANDORA_TRY(page, rows_->research().list(research, system, never));
      if (page.empty()) break;
      research.after = page.back().id;
    }
    for (ObservationQuery observations;;) {
      PANDORA_TRY(page, rows_->observations().list(observations, system, never));
      if (page.empty()) break;
      observations.after_row = page.back().row;
    }
    PANDORA_CHECK(rows_->keys().list(never));
    return rows_->sources().list(clock_.now(), never).map([](auto&&) {});
  }

  FileSystem& files_;
  const Clock& clock_;
  std::unique_ptr<DocumentStore> documents_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<SqliteStores> rows_;
  std::unique_ptr<AttemptLog> attempts_;
  std::unique_ptr<TurnVectorLog> vectors_;
  std::unique_ptr<SqliteVectorStore> points_;  // one of these two
  std::unique_ptr<ServedPoints> served_;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_embedded_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                                       const StorageOptions& options, const Clock& clock) {
  auto storage = std::make_unique<EmbeddedStorage>(files, clock);
  PANDORA_CHECK(storage->open(config, paths, options));
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace pandora
