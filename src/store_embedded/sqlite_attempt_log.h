// The attempts of sources in the rows' SQLite file.
#pragma once
#include "ports/attempt_log.h"
#include "sqlite/database.h"

namespace pandora {

class SqliteAttemptLog final : public AttemptLog {
 public:
  explicit SqliteAttemptLog(SqliteDatabase& database) : database_(database) {}
  Result<std::vector<SourceAttempt>> list(const Deadline& deadline) override;
  Status replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) override;

 private:
  SqliteDatabase& database_;
};

}  // namespace pandora
