// Versioned, checksummed migrations, independent of a driver.
//
// A database records what was applied: version, name, checksum. `plan_migrations` compares that with what the program
// knows and gives what is still to do, or why it must not go on: a newer schema, an edited file, a gap. Each migration
// runs in one transaction together with its record, so it is applied entirely or not at all; two runners at once do no
// harm (the target takes the database's write lock first). Checksum formula 1: SHA-256 of the text without byte order
// mark and with LF line ends; the formula's number is stored with it, so that a later formula raises no false alarm.
//
// What must be true of the data before a migration runs stands in its text, a line for each:
//
//   -- require: SELECT NOT EXISTS (SELECT 1 FROM turns WHERE topic IS NULL) -- turns without a topic: run X first
//
// The query gives one true value, or nothing of the migration is done and the words behind it are the error.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

struct Migration {
  int version;
  std::string_view name;  // "0001_initial"
  std::string_view sql;
};
// Of schemas/<folder>/, ascending versions.
std::vector<Migration> embedded_migrations(std::string_view folder);

struct AppliedMigration {
  int version = 0;
  std::string name, checksum;
  int formula = 0;
};
inline constexpr int kChecksumFormula = 1;
std::string migration_checksum(std::string_view sql);

struct Requirement {
  std::string query, otherwise;
};
std::vector<Requirement> requirements_of(const Migration& migration);
// kConflict: with the words of what is not so.
Error not_as_required(const Requirement& requirement);

class MigrationTarget {
 public:
  virtual ~MigrationTarget() = default;
  virtual Result<std::vector<AppliedMigration>> applied() = 0;  // ascending; empty for a new database
  // One transaction: what it requires is looked at, then the SQL and its record. Does nothing when another runner
  // applied it meanwhile.
  virtual Status apply(const Migration& migration, const AppliedMigration& record) = 0;
};

// What is still to be applied, in order. kIncompatible: see above, naming the version.
Result<std::vector<Migration>> plan_migrations(const std::vector<Migration>& known,
                                               const std::vector<AppliedMigration>& applied);
// Applies the plan; the number of migrations that ran.
Result<int> migrate(const std::vector<Migration>& known, MigrationTarget& target);

}  // namespace pandora
