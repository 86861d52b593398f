// MemoryStore, ResearchStore, SourceStore, ObservationStore and InstanceStore over PostgreSQL. See
// ports/knowledge_stores.h and ports/observation_store.h.
#pragma once
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresMemoryStore final : public MemoryStore {
 public:
  PostgresMemoryStore(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}
  Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
             const Deadline& deadline) override;
  Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who, const Deadline& deadline) override;
  Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
  const Clock& clock_;
};

class PostgresResearchStore final : public ResearchStore {
 public:
  PostgresResearchStore(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}
  Status put(const Research& research, const Principal& who, const Deadline& deadline) override;
  Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                     const Deadline& deadline) override;
  Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                          const Deadline& deadline) override;
  Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
  const Clock& clock_;
};

class PostgresSourceStore final : public SourceStore {
 public:
  PostgresSourceStore(PostgresPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}
  Status record(const FetchAttempt& attempt, const Deadline& deadline) override;
  Result<Source> find(const std::string& domain, Timestamp now, const Deadline& deadline) override;
  Result<std::vector<Source>> list(Timestamp now, const Deadline& deadline) override;
  Result<Source> set_override(const std::string& domain, SourceOverride value, Timestamp now,
                              const Deadline& deadline) override;
  Status restore(const Source& source, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
  const Clock& clock_;
};

class PostgresObservationStore final : public ObservationStore {
 public:
  explicit PostgresObservationStore(PostgresPool& pool) : pool_(pool) {}
  Status add(const std::vector<Observation>& observations, const Deadline& deadline) override;
  Result<std::vector<ObservationRow>> list(const ObservationQuery& query, const Principal& who,
                                           const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
};

class PostgresInstanceStore final : public InstanceStore {
 public:
  explicit PostgresInstanceStore(PostgresPool& pool) : pool_(pool) {}
  Result<std::optional<std::string>> get(const std::string& name, const Deadline& deadline) override;
  Status put(const std::string& name, const std::string& value, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
};

}  // namespace pandora
