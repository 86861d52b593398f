#include "postgres/postgres_schema.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "postgres/postgres_catalog.h"

namespace pandora {
namespace {

constexpr Duration kLockPoll = std::chrono::milliseconds(100);
constexpr std::string_view kScratch = "pandora_scratch";
constexpr std::string_view kConcurrently = " CONCURRENTLY";
constexpr std::size_t kShownDifferences = 10;
constexpr std::string_view kMigrateRemedy = "run `pandora db migrate`";

constexpr std::string_view kVersionsTable =
    "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
    " formula integer NOT NULL, applied_at timestamptz NOT NULL)";

bool is_alone(const Migration& migration) { return migration.sql.starts_with(kWithoutTransaction); }

// The same text for a transaction, in which an index cannot be made concurrently.
std::string for_transaction(const Migration& migration) {
  std::string sql(migration.sql);
  if (!is_alone(migration)) return sql;
  for (std::size_t at = 0; (at = sql.find(kConcurrently, at)) != std::string::npos;)
    sql.erase(at, kConcurrently.size());
  return sql;
}

// Of a version without a transaction: removes its index, whatever an interrupted run left: half made, or whole and
// without its row.
std::string without_its_index(const Migration& migration, std::string_view how) {
  const std::size_t begin = migration.sql.find(kConcurrently);
  if (begin == std::string_view::npos) return "";
  std::string_view name = migration.sql.substr(begin + kConcurrently.size());
  name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
  return fmt::format("DROP INDEX{} IF EXISTS {}", how, name.substr(0, name.find(' ')));
}

Error in_migration(Error error, const Migration& migration) {
  return std::move(error).with_context(fmt::format("schema version {} ({})", migration.version, migration.name));
}

Result<bool> has_versions(PostgresConnection& connection) {
  PANDORA_TRY(there, connection.query("SELECT to_regclass($1) IS NOT NULL",
                                      fmt::format("{}.schema_migrations", kPostgresSchema)));
  return there.boolean(0, 0);
}

Result<std::vector<SchemaStatus::Version>> versions_of(PostgresConnection& connection) {
  std::vector<SchemaStatus::Version> versions;
  PANDORA_TRY(made, has_versions(connection));
  if (!made) return versions;
  PANDORA_TRY(rows,
              connection.query("SELECT version, name, checksum, formula, to_char(applied_at AT TIME ZONE 'UTC',"
                               " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pandora.schema_migrations ORDER BY version"));
  for (int i = 0; i < rows.size(); ++i)
    versions.push_back({{static_cast<int>(rows.integer(i, 0)), std::string(rows.text(i, 1)),
                         std::string(rows.text(i, 2)), static_cast<int>(rows.integer(i, 3))},
                        std::string(rows.text(i, 4))});
  return versions;
}

std::vector<AppliedMigration> only_migrations(const std::vector<SchemaStatus::Version>& versions) {
  std::vector<AppliedMigration> applied;
  for (const auto& version : versions) applied.push_back(version.migration);
  return applied;
}

}  // namespace

Status PostgresSchema::direct_only() const {
  if (!connection_.is_pooled()) return {};
  return fail(ErrorCode::kIncompatible,
              fmt::format("{} is a pooler: it lends a session for one transaction, and the lock that keeps two "
                          "migrations apart would not hold",
                          connection_.place()),
              "migrate with DATABASE_URL or POSTGRES_PORT naming the server itself; the rest works through the pooler");
}

Result<std::vector<AppliedMigration>> PostgresSchema::applied() {
  return versions_of(connection_).map([](const auto& versions) { return only_migrations(versions); });
}

Result<std::vector<Migration>> PostgresSchema::pending() {
  PANDORA_TRY(done, applied());
  if (done.empty()) {
    PANDORA_TRY(others, strangers());
    if (!others.empty())
      return fail(
          ErrorCode::kIncompatible,
          fmt::format("the schema {} has tables that no migration made: {}", kPostgresSchema, fmt::join(others, ", ")),
          "run `pandora db baseline`, which says how they differ from ours; or rename that schema");
  }
  return plan_migrations(known_, done);
}

Result<std::vector<std::string>> PostgresSchema::strangers() {
  std::vector<std::string> names;
  PANDORA_TRY(made, has_versions(connection_));
  if (made) return names;
  PANDORA_TRY(rows, connection_.query("SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE"
                                      " nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1",
                                      kPostgresSchema));
  for (int i = 0; i < rows.size(); ++i) names.emplace_back(rows.text(i, 0));
  return names;
}

Result<SchemaStatus> PostgresSchema::status() {
  SchemaStatus status;
  PANDORA_TRY(versions, versions_of(connection_));
  status.applied = std::move(versions);
  if (auto left = pending())
    status.pending = *std::move(left);
  else
    status.fault = std::move(left).error();
  PANDORA_TRY(others, strangers());
  status.strangers = std::move(others);
  PANDORA_TRY(rows, connection_.query("SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE"
                                      " nspname = 'public' AND relkind = 'r' AND relname = ANY ($1::text[]) ORDER BY 1",
                                      std::vector<std::string>{"turns", "research", "sources"}));
  for (int i = 0; i < rows.size(); ++i) status.specification.emplace_back(rows.text(i, 0));
  PANDORA_TRY(who, holder());
  status.holder = std::move(who);
  return status;
}

Result<std::string> PostgresSchema::holder() {
  PANDORA_TRY(
      rows,
      connection_.query(
          "SELECT a.pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(client_addr::text, 'here'),"
          " coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), ''), coalesce(state, ''), "
          "coalesce(query, '')"
          " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
          " WHERE locktype = 'advisory' AND granted AND classid = $1::bigint::oid AND objid = $2::bigint::oid"
          " AND objsubid = 2 AND l.pid <> pg_backend_pid()"
          " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
          kPostgresLocks, kMigrationsLock));
  if (rows.empty()) return std::string();
  return fmt::format("process {} ({} of {} from {}, connected at {} UTC, {}): {}", rows.text(0, 0), rows.text(0, 2),
                     rows.text(0, 1), rows.text(0, 3), rows.text(0, 4), rows.text(0, 5),
                     ellipsize(one_line(collapse_space(rows.text(0, 6))), 120));
}

Status PostgresSchema::lock(Duration patience, const std::function<void(const std::string&)>& on_wait) {
  std::string told;
  const Deadline deadline = Deadline::after(clock_, patience);
  for (;;) {
    PANDORA_TRY(got, connection_.query("SELECT pg_try_advisory_lock($1::integer, $2::integer)", kPostgresLocks,
                                       kMigrationsLock));
    if (got.boolean(0, 0)) return {};
    PANDORA_TRY(who, holder());
    // By the process alone: what it is doing changes all the time.
    const std::string name = who.substr(0, who.find(')'));
    if (name != told && !who.empty()) on_wait(who);
    if (!who.empty()) told = name;
    if (deadline.expired())
      return fail(ErrorCode::kUnavailable, fmt::format("another migration holds the lock: {}", who),
                  "wait for it; if its machine is gone: SELECT pg_terminate_backend(the process)");
    std::this_thread::sleep_for(kLockPoll);
  }
}

Status PostgresSchema::unlock() {
  if (!connection_.usable()) return {};  // it went with the session
  return connection_.query("SELECT pg_advisory_unlock($1::integer, $2::integer)", kPostgresLocks, kMigrationsLock)
      .map([](auto&&) {});
}

Status PostgresSchema::require(const Migration& migration) {
  for (const Requirement& requirement : requirements_of(migration)) {
    PANDORA_TRY(found, connection_.query(requirement.query));
    if (found.size() != 1 || found.is_null(0, 0) || !found.boolean(0, 0)) return fail(not_as_required(requirement));
  }
  return {};
}

Status PostgresSchema::record(const Migration& migration) {
  return connection_
      .query("INSERT INTO pandora.schema_migrations VALUES ($1, $2, $3, $4, $5)", migration.version,
             std::string(migration.name), migration_checksum(migration.sql), kChecksumFormula, clock_.now())
      .map([](auto&&) {});
}

Status PostgresSchema::apply(const Migration& migration) {
  PANDORA_CHECK(connection_.script("BEGIN; SET LOCAL lock_timeout = '30s'; SET LOCAL search_path = pandora"));
  const auto work = [&]() -> Status {
    PANDORA_TRY(made, has_versions(connection_));
    if (!made)
      PANDORA_CHECK(
          connection_.script(fmt::format("CREATE SCHEMA IF NOT EXISTS {}; {}", kPostgresSchema, kVersionsTable)));
    PANDORA_CHECK(require(migration));
    PANDORA_CHECK(connection_.script(migration.sql));
    return record(migration);
  };
  Status done = work();
  if (done) done = connection_.script("COMMIT");
  if (!done) (void)connection_.script("ROLLBACK");
  return done;
}

Status PostgresSchema::apply_alone(const Migration& migration) {
  PANDORA_CHECK(connection_.script("SET search_path = pandora"));
  const auto work = [&]() -> Status {
    PANDORA_CHECK(require(migration));
    PANDORA_CHECK(connection_.script(without_its_index(migration, " CONCURRENTLY")));
    PANDORA_CHECK(connection_.script(migration.sql));
    return record(migration);
  };
  const Status done = work();
  if (connection_.usable()) PANDORA_CHECK(connection_.script("RESET search_path"));
  return done;
}

Result<int> PostgresSchema::migrate(Duration patience, const std::function<void(const std::string&)>& on_wait) {
  PANDORA_CHECK(direct_only());
  PANDORA_CHECK(lock(patience, on_wait));
  const auto work = [&]() -> Result<int> {
    PANDORA_TRY(plan, pending());
    for (const Migration& migration : plan)
      if (Status done = is_alone(migration) ? apply_alone(migration) : apply(migration); !done)
        return fail(in_migration(std::move(done).error(), migration));
    return static_cast<int>(plan.size());
  };
  auto done = work();
  PANDORA_CHECK(unlock());
  return done;
}

Result<std::vector<PlannedMigration>> PostgresSchema::plan() {
  PANDORA_TRY(left, pending());
  std::vector<PlannedMigration> planned;
  PANDORA_CHECK(connection_.script("BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL search_path = pandora"));
  const auto work = [&]() -> Status {
    PANDORA_CHECK(connection_.script(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", kPostgresSchema)));
    for (const Migration& migration : left) {
      const SteadyTime began = clock_.steady();
      Status done = require(migration);
      if (done && is_alone(migration)) done = connection_.script(without_its_index(migration, ""));
      if (done) done = connection_.script(for_transaction(migration));
      if (!done) return fail(in_migration(std::move(done).error(), migration));
      planned.push_back({migration, std::chrono::duration_cast<Duration>(clock_.steady() - began)});
    }
    return {};
  };
  const Status done = work();
  PANDORA_CHECK(connection_.script("ROLLBACK"));
  PANDORA_CHECK(done);
  return planned;
}

Result<std::vector<std::string>> PostgresSchema::differences(int version) {
  PANDORA_CHECK(connection_.script(
      fmt::format("BEGIN; DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}; SET LOCAL search_path = {0}; {1}",
                  kScratch, kVersionsTable)));
  const auto work = [&]() -> Result<std::vector<std::string>> {
    for (const Migration& migration : known_) {
      if (migration.version > version) break;
      if (Status made = connection_.script(for_transaction(migration)); !made)
        return fail(in_migration(std::move(made).error(), migration));
    }
    PANDORA_TRY(wanted, catalog_of(connection_, kScratch));
    PANDORA_CHECK(connection_.script("SET LOCAL search_path = pandora"));
    PANDORA_TRY(found, catalog_of(connection_, kPostgresSchema));
    return catalog_differences(wanted, found);
  };
  auto compared = work();
  PANDORA_CHECK(connection_.script("ROLLBACK"));
  return compared;
}

Result<std::vector<std::string>> PostgresSchema::verify() {
  PANDORA_TRY(done, applied());
  PANDORA_TRY(left, pending());
  if (done.empty()) return std::vector<std::string>{"missing: the whole schema; " + std::string(kMigrateRemedy)};
  PANDORA_TRY(found, differences(done.back().version));
  for (const Migration& migration : left)
    found.push_back(fmt::format("missing: schema version {} ({})", migration.version, migration.name));
  return found;
}

Result<int> PostgresSchema::baseline(int at) {
  PANDORA_CHECK(direct_only());
  PANDORA_CHECK(lock(Duration(0), [](const std::string&) {}));
  auto adopted = adopt(at);
  PANDORA_CHECK(unlock());
  return adopted;
}

Result<int> PostgresSchema::adopt(int at) {
  PANDORA_TRY(done, applied());
  if (!done.empty())
    return fail(ErrorCode::kConflict, fmt::format("the schema has its versions already, up to {}", done.back().version),
                "`pandora db status` shows them");
  const int highest = known_.empty() ? 0 : known_.back().version;
  if (at < 0 || at > highest)
    return fail(ErrorCode::kInvalidArgument, fmt::format("there is no schema version {}", at),
                fmt::format("1 to {}", highest));
  std::vector<std::string> nearest;
  for (int version = at > 0 ? at : highest; version >= (at > 0 ? at : 1); --version) {
    PANDORA_TRY(found, differences(version));
    // The table of versions is what baseline brings.
    std::erase_if(found, [](const std::string& line) { return line.find("schema_migrations") != std::string::npos; });
    if (found.empty()) {
      PANDORA_CHECK(connection_.script(fmt::format("BEGIN; SET LOCAL search_path = pandora; {}", kVersionsTable)));
      Status written;
      for (const Migration& migration : known_)
        if (written && migration.version <= version) written = record(migration);
      PANDORA_CHECK(connection_.script(written ? "COMMIT" : "ROLLBACK"));
      PANDORA_CHECK(written);
      return version;
    }
    if (nearest.empty() || found.size() < nearest.size()) nearest = std::move(found);
  }
  const std::size_t count = nearest.size();
  if (count > kShownDifferences) nearest.resize(kShownDifferences);
  return fail(ErrorCode::kConflict,
              fmt::format("the schema {} is not of {}: {} differences, among them {}", kPostgresSchema,
                          at > 0 ? fmt::format("version {}", at) : "any version", count, fmt::join(nearest, "; ")),
              "rename that schema, then run `pandora db migrate`");
}

Status check_postgres_schema(PostgresConnection& connection) {
  auto versions = versions_of(connection);
  if (!versions) return fail(std::move(versions).error());
  PANDORA_TRY(left, plan_migrations(embedded_migrations("postgres"), only_migrations(*versions)));
  if (left.empty()) return {};
  return fail(ErrorCode::kIncompatible,
              fmt::format("PostgreSQL at {} {}", connection.place(),
                          versions->empty() ? "has no schema of Pandora's"
                                            : fmt::format("has schema version {}, this program needs {}",
                                                          versions->back().migration.version, left.back().version)),
              std::string(kMigrateRemedy));
}

}  // namespace pandora
