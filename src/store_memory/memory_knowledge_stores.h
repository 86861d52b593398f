// MemoryStore, ResearchStore and SourceStore in memory. See ports/knowledge_stores.h.
#pragma once
#include "store_memory/memory_rows_state.h"

namespace pandora {

class MemoryMemoryStore final : public MemoryStore {
 public:
  explicit MemoryMemoryStore(memory_rows::State& state) : state_(state) {}
  Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
             const Deadline& deadline) override;
  Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who, const Deadline& deadline) override;
  Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

class MemoryResearchStore final : public ResearchStore {
 public:
  explicit MemoryResearchStore(memory_rows::State& state) : state_(state) {}
  Status put(const Research& research, const Principal& who, const Deadline& deadline) override;
  Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                     const Deadline& deadline) override;
  Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                          const Deadline& deadline) override;
  Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  memory_rows::State& state_;
};

class MemorySourceStore final : public SourceStore {
 public:
  explicit MemorySourceStore(memory_rows::State& state) : state_(state) {}
  Status record(const FetchAttempt& attempt, const Deadline& deadline) override;
  Result<Source> find(const std::string& domain, Timestamp now, const Deadline& deadline) override;
  Result<std::vector<Source>> list(Timestamp now, const Deadline& deadline) override;
  Result<Source> set_override(const std::string& domain, SourceOverride value, Timestamp now,
                              const Deadline& deadline) override;
  Status restore(const Source& source, const Deadline& deadline) override;

 private:
  Source counted(Source source, Timestamp now) const;
  memory_rows::State& state_;
};

}  // namespace pandora
