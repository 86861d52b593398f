// KeyStore in memory. See ports/key_store.h for what it promises.
#pragma once
#include <map>
#include <mutex>

#include "ports/key_store.h"

namespace pandora {

class MemoryKeyStore final : public KeyStore {
 public:
  Status add(const ApiKey& key, const Deadline& deadline) override;
  Result<std::vector<ApiKey>> list(const Deadline& deadline) override;
  Result<ApiKey> revoke(const Uuid& id, Timestamp at, const Deadline& deadline) override;
  Status remove(const Uuid& id, const Deadline& deadline) override;
  Status note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) override;

 private:
  std::mutex mutex_;
  std::map<Uuid, ApiKey> keys_;
};

}  // namespace pandora
