// MemoryStore, ResearchStore and SourceStore over SQLite. See ports/knowledge_stores.h.
#pragma once
#include "ports/knowledge_stores.h"
#include "sqlite/database.h"

namespace pandora {

class SqliteMemoryStore final : public MemoryStore {
 public:
  SqliteMemoryStore(SqliteDatabase& database, const Clock& clock) : database_(database), clock_(clock) {}
  Status put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
             const Deadline& deadline) override;
  Result<Memory> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Memory>> list(const MemoryQuery& query, const Principal& who, const Deadline& deadline) override;
  Result<Memory> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  SqliteDatabase& database_;
  const Clock& clock_;
};

class SqliteResearchStore final : public ResearchStore {
 public:
  SqliteResearchStore(SqliteDatabase& database, const Clock& clock) : database_(database), clock_(clock) {}
  Status put(const Research& research, const Principal& who, const Deadline& deadline) override;
  Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) override;
  Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                     const Deadline& deadline) override;
  Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                          const Deadline& deadline) override;
  Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override;

 private:
  SqliteDatabase& database_;
  const Clock& clock_;
};

class SqliteSourceStore final : public SourceStore {
 public:
  SqliteSourceStore(SqliteDatabase& database, const Clock& clock) : database_(database), clock_(clock) {}
  Status record(const FetchAttempt& attempt, const Deadline& deadline) override;
  Result<Source> find(const std::string& domain, Timestamp now, const Deadline& deadline) override;
  Result<std::vector<Source>> list(Timestamp now, const Deadline& deadline) override;
  Result<Source> set_override(const std::string& domain, SourceOverride value, Timestamp now,
                              const Deadline& deadline) override;
  Status restore(const Source& source, const Deadline& deadline) override;

 private:
  SqliteDatabase& database_;
  const Clock& clock_;
};

}  // namespace pandora
