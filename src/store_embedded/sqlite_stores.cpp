#include "store_embedded/sqlite_stores.h"

#include <algorithm>

#include "ports/row_checks.h"
#include "store_embedded/sqlite_key_store.h"
#include "store_embedded/sqlite_knowledge_stores.h"
#include "store_embedded/sqlite_outbox.h"
#include "store_embedded/sqlite_receipt_store.h"
#include "store_embedded/sqlite_rows.h"
#include "store_embedded/sqlite_turn_store.h"

namespace pandora {
namespace {

class SqliteObservationStore final : public ObservationStore {
 public:
  explicit SqliteObservationStore(SqliteDatabase& database) : database_(database) {}

  Status add(const std::vector<Observation>& observations, const Deadline& deadline) override {
    for (const auto& observation : observations) PANDORA_CHECK(check_row(observation));
    return database_.write(
        [&](Connection& connection) -> Status {
          for (const auto& observation : observations) {
            PANDORA_TRY(owner, owner_of(connection, observation.turn_uid));
            PANDORA_CHECK(sqlite_rows::add_observation(connection, observation, owner));
          }
          return {};
        },
        deadline);
  }

  Result<std::vector<ObservationRow>> list(const ObservationQuery& query, const Principal& who,
                                           const Deadline& deadline) override {
    return database_.read([&](Connection& connection) { return read(connection, query, who); }, deadline);
  }

 private:
  static Result<UserId> owner_of(Connection& connection, const Uuid& turn) {
    PANDORA_TRY(row, connection.query("SELECT user_id FROM turns WHERE turn_uid = ?", turn));
    PANDORA_TRY(found, row.next());
    if (!found) return UserId();  // of the installation: only Access::kSystem sees it
    return sqlite_rows::stored(UserId::parse(row.text(0)));
  }

  static Result<std::vector<ObservationRow>> read(Connection& connection, const ObservationQuery& query,
                                                  const Principal& who) {
    std::vector<ObservationRow> found;
    PANDORA_TRY(rows, connection.query(
                          "SELECT row, turn_uid, kind, name, at, micros, tokens_in, tokens_out, ok, detail, confidence"
                          " FROM observability WHERE row > ?1 AND (?2 = 1 OR user_id = ?3) AND (?4 = '' OR kind = ?4)"
                          " AND (?5 IS NULL OR turn_uid = ?5) AND at >= ?6 AND at < ?7 ORDER BY row LIMIT ?8",
                          query.after_row, sqlite_rows::sees_all(who), who.user.str(),
                          query.kind ? to_string(*query.kind) : std::string_view(), query.turn,
                          query.since ? query.since->micros : INT64_MIN, query.until ? query.until->micros : INT64_MAX,
                          std::min(query.limit, kMaxPage)));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return found;
      PANDORA_TRY(turn, rows.uuid(1));
      PANDORA_TRY(kind, sqlite_rows::stored(parse_observation_kind(rows.text(2))));
      ObservationRow row{rows.integer(0),
                         {turn,
                          kind,
                          std::string(rows.text(3)),
                          {rows.integer(4)},
                          rows.integer(5),
                          rows.integer(6),
                          rows.integer(7),
                          rows.integer(8) != 0,
                          std::string(rows.text(9)),
                          std::nullopt}};
      if (!rows.is_null(10)) row.observation.confidence = rows.number(10);
      found.push_back(std::move(row));
    }
  }

  SqliteDatabase& database_;
};

class SqliteInstanceStore final : public InstanceStore {
 public:
  explicit SqliteInstanceStore(SqliteDatabase& database) : database_(database) {}

  Result<std::optional<std::string>> get(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(check_instance_name(name));
    return database_.read(
        [&](Connection& connection) -> Result<std::optional<std::string>> {
          PANDORA_TRY(row, connection.query("SELECT value FROM instance WHERE name = ?", name));
          PANDORA_TRY(found, row.next());
          if (!found) return std::nullopt;
          return std::string(row.text(0));
        },
        deadline);
  }
  Status put(const std::string& name, const std::string& value, const Deadline& deadline) override {
    PANDORA_CHECK(check_instance_name(name));
    PANDORA_CHECK(check_instance_value(value));
    return database_.write(
        [&](Connection& connection) {
          return connection.run("INSERT INTO instance VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                                name, value);
        },
        deadline);
  }

 private:
  SqliteDatabase& database_;
};

class SqliteStoresImpl final : public SqliteStores {
 public:
  SqliteStoresImpl(std::unique_ptr<SqliteDatabase> database, const Clock& clock, std::size_t receipts)
      : database_(std::move(database)),
        turns_(*database_, clock, pool_),
        memories_(*database_, clock),
        research_(*database_, clock),
        sources_(*database_, clock),
        observations_(*database_),
        instance_(*database_),
        outbox_(*database_, clock),
        receipts_(*database_, receipts),
        keys_(*database_) {}
  TurnStore& turns() override { return turns_; }
  MemoryStore& memories() override { return memories_; }
  ResearchStore& research() override { return research_; }
  SourceStore& sources() override { return sources_; }
  ObservationStore& observations() override { return observations_; }
  InstanceStore& instance() override { return instance_; }
  Outbox& outbox() override { return outbox_; }
  ReceiptStore& receipts() override { return receipts_; }
  KeyStore& keys() override { return keys_; }
  SqliteDatabase& database() override { return *database_; }

 private:
  std::unique_ptr<SqliteDatabase> database_;
  ThreadPool pool_{ThreadPool::threads_that_help()};
  SqliteTurnStore turns_;
  SqliteMemoryStore memories_;
  SqliteResearchStore research_;
  SqliteSourceStore sources_;
  SqliteObservationStore observations_;
  SqliteInstanceStore instance_;
  SqliteOutbox outbox_;
  SqliteReceiptStore receipts_;
  SqliteKeyStore keys_;
};

}  // namespace

Result<std::unique_ptr<SqliteStores>> SqliteStores::open(const std::string& path, const std::string& vfs,
                                                         const Clock& clock, std::size_t receipts,
                                                         IntegrityCheck check) {
  PANDORA_TRY(database, SqliteDatabase::open(path, "sqlite", vfs, clock, check));
  return std::make_unique<SqliteStoresImpl>(std::move(database), clock, receipts);
}

}  // namespace pandora
