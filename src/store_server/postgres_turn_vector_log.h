// Turns' own vectors in the rows' PostgreSQL; their words are written with them (postgres_text_search.h).
#pragma once
#include "ports/turn_vector_log.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresTurnVectorLog final : public TurnVectorLog {
 public:
  explicit PostgresTurnVectorLog(PostgresPool& pool) : pool_(pool) {}
  Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>& after, std::size_t limit,
                                       const Deadline& deadline) override;
  Status put(std::span<const KeptVector> vectors, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
};

}  // namespace pandora
