// JournalRegister on PostgreSQL. Internal to store_server.
#pragma once
#include "ports/journal_register.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresJournalRegister final : public JournalRegister {
 public:
  explicit PostgresJournalRegister(PostgresPool& pool) : pool_(pool) {}
  Status put(const RegisteredJournal& journal, const Deadline& deadline) override;
  Status remove(const std::string& id, const Deadline& deadline) override;
  Result<std::vector<RegisteredJournal>> list(const Deadline& deadline) override;
  static const std::string_view kList;

 private:
  PostgresPool& pool_;
};

}  // namespace pandora
