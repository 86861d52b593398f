#include "sqlite/database.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

// Of pages that a reader keeps for itself, whatever it has read; the system keeps those of the file.
constexpr int kReaderCacheKiB = 512;

// A quick look at the structure: a database that is torn must be named at the start, not in the middle of a turn.
Status check_integrity(Connection& connection, bool thorough = false) {
  PANDORA_TRY(rows, connection.query(thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)"));
  PANDORA_TRY(more, rows.next());
  std::string found(more ? rows.text(0) : "no answer");
  if (found == "ok") return {};
  std::ranges::replace(found, '\n', ' ');
  return fail(ErrorCode::kDataCorrupt, fmt::format("{} is damaged: {}", connection.path(), found),
              std::string(kDamagedRemedy));
}

class SqliteMigrationTarget final : public MigrationTarget {
 public:
  SqliteMigrationTarget(Connection& connection, const Clock& clock, bool checked)
      : connection_(connection), clock_(clock), checked_(checked) {}
  bool checked() const { return checked_; }

  Result<std::vector<AppliedMigration>> applied() override {
    std::vector<AppliedMigration> found;
    PANDORA_TRY(exists, connection_.query("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'"));
    PANDORA_CHECK(exists.next());
    if (exists.integer(0) == 0) return found;
    PANDORA_TRY(rows,
                connection_.query("SELECT version, name, checksum, formula FROM schema_migrations ORDER BY version"));
    for (;;) {
      PANDORA_TRY(more, rows.next());
      if (!more) return found;
      found.push_back({static_cast<int>(rows.integer(0)), std::string(rows.text(1)), std::string(rows.text(2)),
                       static_cast<int>(rows.integer(3))});
    }
  }

  Status apply(const Migration& migration, const AppliedMigration& record) override {
    if (!checked_) PANDORA_CHECK(check_integrity(connection_));
    checked_ = true;
    PANDORA_CHECK(connection_.script("BEGIN IMMEDIATE"));
    const Status done = apply_in_transaction(migration, record);
    if (!done) {
      (void)connection_.script("ROLLBACK");
      return done;
    }
    return connection_.script("COMMIT");
  }

 private:
  Status apply_in_transaction(const Migration& migration, const AppliedMigration& record) {
    PANDORA_CHECK(
        connection_.script("CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT "
                           "NULL, checksum TEXT NOT NULL,"
                           " formula INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT"));
    PANDORA_TRY(meanwhile, applied());
    for (const auto& other : meanwhile)
      if (other.version == migration.version) return {};
    for (const Requirement& requirement : requirements_of(migration)) {
      PANDORA_TRY(found, connection_.query(requirement.query));
      PANDORA_TRY(any, found.next());
      if (!any || found.integer(0) == 0) return fail(not_as_required(requirement));
    }
    PANDORA_CHECK(connection_.script(std::string(migration.sql)));
    return connection_.run("INSERT INTO schema_migrations VALUES (?, ?, ?, ?, ?)", record.version, record.name,
                           record.checksum, record.formula, clock_.now());
  }

  Connection& connection_;
  const Clock& clock_;
  bool checked_;
};

Result<std::int64_t> bytes_of(Connection& connection) {
  PANDORA_TRY(row, connection.query("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"));
  PANDORA_CHECK(row.next());
  return row.integer(0);
}

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path, const std::string& schema,
                                                             const std::string& vfs, const Clock& clock,
                                                             IntegrityCheck check, int page_bytes) {
  PANDORA_TRY(connection, Connection::open(path, vfs, page_bytes));
  PANDORA_TRY(bytes, bytes_of(*connection));
  const bool now = check != IntegrityCheck::kBesideWhenLarge || bytes <= kCheckedAtOpenBytes;
  if (now) PANDORA_CHECK(check_integrity(*connection, check == IntegrityCheck::kThorough));
  SqliteMigrationTarget target(*connection, clock, now);
  auto migrated = migrate(embedded_migrations(schema), target);
  if (!migrated) return fail(std::move(migrated).error().with_context(path));
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path, vfs, std::move(connection)));
  if (!target.checked()) PANDORA_CHECK(database->begin_check());
  return database;
}

Status SqliteDatabase::begin_check() {
  PANDORA_TRY(connection, Connection::open(path_, vfs_));
  checker_ = std::move(connection);
  checked_ = false;
  checking_ = std::async(std::launch::async, [this] {
    const Status whole = check_integrity(*checker_);
    if (!whole && !ending_) {  // SQLite may report what it had no time to look at as damage
      if (whole.error().code == ErrorCode::kDataCorrupt) {
        log_error("database.damaged", {{"why", whole.error().message}, {"remedy", whole.error().remedy}});
        fault_ = whole.error();
        has_fault_ = true;
      } else {
        log_warn("database.not_checked", {{"why", whole.error().to_line()}});
      }
    }
    checked_ = true;
  });
  return {};
}

Status SqliteDatabase::fault() const {
  if (!has_fault_) return {};
  return fail(*fault_);
}

Error SqliteDatabase::explained(Error error) const {
  if (error.code != ErrorCode::kDataCorrupt || !error.remedy.empty()) return error;
  return std::move(error).with_context(path_).with_remedy(kDamagedRemedy);
}

SqliteDatabase::SqliteDatabase(std::string path, std::string vfs, std::unique_ptr<Connection> writer)
    : path_(std::move(path)), vfs_(std::move(vfs)), writer_(std::move(writer)), thread_([this] { write_loop(); }) {}

SqliteDatabase::~SqliteDatabase() {
  ending_ = true;
  // A statement that has not begun is not interrupted: again, until it has.
  while (checking_.valid() && checking_.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
    checker_->interrupt();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Status SqliteDatabase::write(const Job& job, const Deadline& deadline) {
  PANDORA_CHECK(fault());
  std::future<Status> done;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kMaxQueuedWrites)
      return fail(ErrorCode::kResourceExhausted, fmt::format("{} writes wait for {}", queue_.size(), path_),
                  "try again in a moment");
    auto pending = std::make_unique<Pending>(Pending{&job, &deadline, {}});
    done = pending->done.get_future();
    queue_.push_back(std::move(pending));
    wake_.notify_one();  // under the lock: once the job has run, this may be gone
  }
  return done.get();
}

std::size_t SqliteDatabase::waiting() {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void SqliteDatabase::write_loop() {
  for (;;) {
    std::vector<std::unique_ptr<Pending>> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < kMaxBatchedWrites) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    run_batch(std::move(batch));
  }
}

void SqliteDatabase::run_batch(std::vector<std::unique_ptr<Pending>> batch) {
  std::vector<Status> results(batch.size());
  Status common = writer_->script("BEGIN IMMEDIATE");
  for (std::size_t i = 0; common && i < batch.size(); ++i) {
    results[i] = batch[i]->deadline->check("waiting for the writer of " + path_);
    if (!results[i]) continue;
    common = writer_->script("SAVEPOINT job");
    if (!common) break;
    results[i] = (*batch[i]->job)(*writer_);
    if (writer_->in_transaction())
      common = writer_->script(results[i] ? "RELEASE job" : "ROLLBACK TO job; RELEASE job");
    else  // a full disk or an I/O error has taken the whole transaction with it
      common = results[i] ? Status(fail(writer_->error("use"))) : results[i];
  }
  if (common) common = writer_->script("COMMIT");
  if (!common && writer_->in_transaction()) (void)writer_->script("ROLLBACK");
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i]->done.set_value(common ? results[i] : common);
}

Result<std::unique_ptr<Connection>> SqliteDatabase::take_reader() {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      auto connection = std::move(readers_.back());
      readers_.pop_back();
      return connection;
    }
  }
  PANDORA_TRY(connection, Connection::open(path_, vfs_));
  PANDORA_CHECK(connection->script(fmt::format("PRAGMA cache_size = -{}", kReaderCacheKiB)));
  return connection;
}

void SqliteDatabase::give_reader(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(readers_mutex_);
  if (readers_.size() < kMaxReaders) readers_.push_back(std::move(connection));
}

Status SqliteDatabase::copy_to(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("copying " + path_));
  PANDORA_CHECK(fault());
  PANDORA_TRY(connection, Connection::open(path_, vfs_));
  connection->set_deadline(deadline);
  return connection->run("VACUUM INTO ?", path);
}

Status SqliteDatabase::checkpoint(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("emptying the log of " + path_));
  PANDORA_TRY(connection, Connection::open(path_, vfs_));
  PANDORA_TRY(rows, connection->query("PRAGMA wal_checkpoint(TRUNCATE)"));
  PANDORA_CHECK(rows.next());
  if (rows.integer(0) != 0)
    return fail(ErrorCode::kUnavailable, "a reader held the log of " + path_, "try again in a moment");
  return {};
}

}  // namespace pandora
