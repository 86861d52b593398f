// The attempts of sources in the rows' PostgreSQL.
#pragma once
#include "ports/attempt_log.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresAttemptLog final : public AttemptLog {
 public:
  explicit PostgresAttemptLog(PostgresPool& pool) : pool_(pool) {}
  Result<std::vector<SourceAttempt>> list(const Deadline& deadline) override;
  Status replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
};

}  // namespace pandora
