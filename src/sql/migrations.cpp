#include "sql/migrations.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace pandora {

std::string migration_checksum(std::string_view sql) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (sql.starts_with(kByteOrderMark)) sql.remove_prefix(kByteOrderMark.size());
  std::string text;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '\r' && i + 1 < sql.size() && sql[i + 1] == '\n') continue;
    text += sql[i];
  }
  return sha256_hex(text);
}

std::vector<Requirement> requirements_of(const Migration& migration) {
  constexpr std::string_view kMark = "-- require:", kOtherwise = " -- ";
  std::vector<Requirement> requirements;
  for (std::string_view left = migration.sql; !left.empty();) {
    const std::size_t end = left.find('\n');
    std::string_view line = trim(left.substr(0, end));
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
    if (!line.starts_with(kMark)) continue;
    line = trim(line.substr(kMark.size()));
    const std::size_t words = line.find(kOtherwise);
    const bool told = words != std::string_view::npos;
    requirements.push_back({std::string(trim(line.substr(0, words))),
                            std::string(told ? trim(line.substr(words + kOtherwise.size())) : line)});
  }
  return requirements;
}

Error not_as_required(const Requirement& requirement) {
  return {ErrorCode::kConflict, "the data is not as it must be: " + requirement.otherwise,
          "mend that, then migrate again"};
}

Result<std::vector<Migration>> plan_migrations(const std::vector<Migration>& known,
                                               const std::vector<AppliedMigration>& applied) {
  for (std::size_t i = 0; i < applied.size(); ++i) {
    const AppliedMigration& done = applied[i];
    if (i >= known.size())
      return fail(ErrorCode::kIncompatible,
                  fmt::format("the database has schema version {}, this program knows up to {}", applied.back().version,
                              known.empty() ? 0 : known.back().version),
                  "use the newer pandora that made it");
    if (done.version != known[i].version)
      return fail(ErrorCode::kIncompatible,
                  fmt::format("the database lacks schema version {} but has {}", known[i].version, done.version));
    if (done.formula != kChecksumFormula)
      return fail(ErrorCode::kIncompatible,
                  fmt::format("schema version {} has a checksum of formula {}, this program knows {}", done.version,
                              done.formula, kChecksumFormula),
                  "use the newer pandora that made it");
    if (done.checksum != migration_checksum(known[i].sql))
      return fail(ErrorCode::kIncompatible,
                  fmt::format("schema version {} ({}) was applied from another text than this program has",
                              done.version, done.name),
                  "use the pandora that made the database");
  }
  return std::vector<Migration>(known.begin() + static_cast<std::ptrdiff_t>(applied.size()), known.end());
}

Result<int> migrate(const std::vector<Migration>& known, MigrationTarget& target) {
  PANDORA_TRY(applied, target.applied());
  PANDORA_TRY(plan, plan_migrations(known, applied));
  for (const Migration& migration : plan) {
    const AppliedMigration record{migration.version, std::string(migration.name), migration_checksum(migration.sql),
                                  kChecksumFormula};
    if (auto status = target.apply(migration, record); !status)
      return fail(std::move(status).error().with_context(
          fmt::format("schema version {} ({})", migration.version, migration.name)));
  }
  return static_cast<int>(plan.size());
}

}  // namespace pandora
