// Versions of the schema on a PostgreSQL: applied, planned, compared, adopted.
//
// What is to be done is decided by sql/migrations.h. A migration is one transaction together with its row in
// `schema_migrations`. One whose first line is kWithoutTransaction holds one CREATE INDEX CONCURRENTLY: killed in the
// middle it leaves no row, and an index that is not valid or, killed late, one that is: the next run removes it before
// it begins again.
//
// Two runners at once do no harm: one waits for an advisory lock, in a loop without a transaction (a concurrent index
// would wait for that one in turn), and says who has it. A lock lives in a session, so through a pooler that lends
// sessions for a transaction nothing is migrated: kIncompatible, and says so.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "postgres/postgres_connection.h"
#include "sql/migrations.h"

namespace pandora {

inline constexpr std::string_view kPostgresSchema = "pandora";
inline constexpr std::string_view kWithoutTransaction = "-- pandora: without a transaction";
// Advisory locks are pairs of this number and one of these.
inline constexpr int kPostgresLocks = 0x50414E44;
inline constexpr int kCountersLock = 1, kMigrationsLock = 2;

struct SchemaStatus {
  struct Version {
    AppliedMigration migration;
    std::string applied_at;
  };
  std::vector<Version> applied;
  std::vector<Migration> pending;          // none when `fault` is set
  std::optional<Error> fault;              // why it cannot go on: a newer schema, an edited text, a gap
  std::vector<std::string> strangers;      // tables in the schema, of which no migration tells
  std::vector<std::string> specification;  // tables of the specification's own DDL in `public`; they are left alone
  std::string holder;                      // of the lock; empty: nobody
};

struct PlannedMigration {
  Migration migration;
  Duration took{0};  // on the server, rolled back
};

class PostgresSchema {
 public:
  // The connection and `clock` outlive it.
  PostgresSchema(PostgresConnection& connection, const Clock& clock,
                 std::vector<Migration> known = embedded_migrations("postgres"))
      : connection_(connection), clock_(clock), known_(std::move(known)) {}

  Result<SchemaStatus> status();
  // How many were applied. `on_wait` is told, at first and when it changes, who holds the lock; after `patience` it is
  // kUnavailable with the holder's name.
  Result<int> migrate(Duration patience, const std::function<void(const std::string& holder)>& on_wait);
  // Runs what is pending in one transaction and rolls it back.
  Result<std::vector<PlannedMigration>> plan();
  // How the schema differs from what its versions make, one line each; none: it is as it should be.
  Result<std::vector<std::string>> verify();
  // The schema was made by other means: its versions up to `at` (0: the highest that fits) are written down, once it is
  // proven to be the same. kConflict with the differences otherwise; kUnavailable while somebody migrates.
  Result<int> baseline(int at);

 private:
  Result<std::vector<AppliedMigration>> applied();
  Result<std::vector<Migration>> pending();
  Status lock(Duration patience, const std::function<void(const std::string&)>& on_wait);
  Status unlock();
  Result<std::string> holder();
  Result<int> adopt(int at);
  Status apply(const Migration& migration);
  Status apply_alone(const Migration& migration);
  Status require(const Migration& migration);
  Status record(const Migration& migration);
  Result<std::vector<std::string>> strangers();
  Result<std::vector<std::string>> differences(int version);
  Status direct_only() const;

  PostgresConnection& connection_;
  const Clock& clock_;
  const std::vector<Migration> known_;
};

// Of a connection that is to be used: that the schema is of exactly the versions that this program has. kIncompatible
// with the command that helps.
Status check_postgres_schema(PostgresConnection& connection);

}  // namespace pandora
