// What a move carries besides the rows, in memory: attempts of sources and turns' own vectors. Internal to
// store_memory.
#pragma once
#include "ports/attempt_log.h"
#include "ports/turn_vector_log.h"
#include "store_memory/memory_rows_state.h"

namespace pandora {

class MemoryAttemptLog final : public AttemptLog {
 public:
  explicit MemoryAttemptLog(memory_rows::State& state) : state_(state) {}
  Result<std::vector<SourceAttempt>> list(const Deadline& deadline) override;
  Status replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

class MemoryTurnVectorLog final : public TurnVectorLog {
 public:
  explicit MemoryTurnVectorLog(memory_rows::State& state) : state_(state) {}
  Result<std::vector<KeptVector>> list(const std::optional<std::pair<Uuid, std::string>>& after, std::size_t limit,
                                       const Deadline& deadline) override;
  Status put(std::span<const KeptVector> vectors, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

}  // namespace pandora
