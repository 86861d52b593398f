// KeyStore in PostgreSQL. See ports/key_store.h for what it promises.
#pragma once
#include "ports/key_store.h"
#include "postgres/postgres_pool.h"

namespace pandora {

class PostgresKeyStore final : public KeyStore {
 public:
  explicit PostgresKeyStore(PostgresPool& pool) : pool_(pool) {}
  Status add(const ApiKey& key, const Deadline& deadline) override;
  Result<std::vector<ApiKey>> list(const Deadline& deadline) override;
  Result<ApiKey> revoke(const Uuid& id, Timestamp at, const Deadline& deadline) override;
  Status remove(const Uuid& id, const Deadline& deadline) override;
  Status note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) override;

 private:
  PostgresPool& pool_;
};

}  // namespace pandora
