#include <string>

#include "cli/storage/beside_rows.h"
#include "cli/storage/database_quarantine.h"
#include "cli/storage/storage.h"
#include "store_embedded/sqlite_attempt_log.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_turn_vector_log.h"

namespace pandora {
namespace {

class EmbeddedStorage final : public Storage {
 public:
  EmbeddedStorage(FileSystem& files, const Clock& clock) : files_(files), clock_(clock) {}

  Status open(const Config& config, const DataPaths& paths, const StorageOptions& options) {
    const Damage damage = options.damage;
    const bool thorough = options.thorough || damage == Damage::kSetAside;
    const auto most_receipts = static_cast<std::size_t>(config.integer("recall.receipts"));
    PANDORA_CHECK(open_database(files_, paths, paths.database, damage, clock_, [&]() -> Status {
      PANDORA_TRY(rows, SqliteStores::open(paths.database, "", clock_, most_receipts,
                                           thorough ? IntegrityCheck::kThorough : IntegrityCheck::kBesideWhenLarge));
      rows_ = std::move(rows);
      Status read = damage == Damage::kSetAside ? read_every_row() : Status();
      if (!read) rows_.reset();  // closed before it is moved
      if (rows_) attempts_ = std::make_unique<SqliteAttemptLog>(rows_->database());
      if (rows_) vectors_ = std::make_unique<SqliteTurnVectorLog>(rows_->database());
      return read;
    }));
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
  AttemptLog& attempts() override { return *attempts_; }
  TurnVectorLog& turn_vectors() override { return *vectors_; }
  JournalRegister* journals() override { return nullptr; }
  Status overwrite_deleted(const Deadline& deadline) override {
    PANDORA_CHECK(rows_->database().checkpoint(deadline));
    return beside_->overwrite_deleted(deadline);
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
  std::unique_ptr<SqliteStores> rows_;
  std::unique_ptr<AttemptLog> attempts_;
  std::unique_ptr<TurnVectorLog> vectors_;
  std::unique_ptr<BesideRows> beside_;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_embedded_storage(FileSystem& files, const Config& config, const DataPaths& paths,
                                                       const StorageOptions& options, const Clock& clock) {
  auto storage = std::make_unique<EmbeddedStorage>(files, clock);
  PANDORA_CHECK(storage->open(config, paths, options));
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace pandora
