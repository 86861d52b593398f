// Turns' own vectors in the rows' SQLite file.
#pragma once
#include "ports/turn_vector_log.h"
#include "sqlite/database.h"

namespace pandora {

class SqliteTurnVectorLog final : public TurnVectorLog {
 public:
  explicit SqliteTurnVectorLog(SqliteDatabase& database) : database_(database) {}
  Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>& after, std::size_t limit,
                                       const Deadline& deadline) override;
  Status put(std::span<const KeptVector> vectors, const Deadline& deadline) override;

 private:
  SqliteDatabase& database_;
};

}  // namespace pandora
