#include "store_memory/memory_key_store.h"

#include <algorithm>

#include <fmt/format.h>

namespace pandora {

Status MemoryKeyStore::add(const ApiKey& key, const Deadline& deadline) {
  PANDORA_CHECK(check_api_key(key));
  PANDORA_CHECK(deadline.check("adding a key"));
  const std::lock_guard lock(mutex_);
  for (const auto& [id, other] : keys_) {
    if (id == key.id || other.hint == key.hint) return fail(ErrorCode::kConflict, "a key of that id or secret exists");
    if (other.name == key.name && !other.revoked_at && !key.revoked_at)
      return fail(ErrorCode::kConflict, fmt::format("there is a key \"{}\" already", key.name));
  }
  if (keys_.size() >= kMaxApiKeys)
    return fail(ErrorCode::kResourceExhausted, fmt::format("there are {} keys", kMaxApiKeys));
  keys_.emplace(key.id, key);
  return {};
}

Result<std::vector<ApiKey>> MemoryKeyStore::list(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing keys"));
  const std::lock_guard lock(mutex_);
  std::vector<ApiKey> keys;
  for (const auto& [id, key] : keys_) keys.push_back(key);
  return keys;
}

Result<ApiKey> MemoryKeyStore::revoke(const Uuid& id, Timestamp at, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("revoking a key"));
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return fail(ErrorCode::kNotFound, fmt::format("there is no key {}", id.to_string()));
  if (!found->second.revoked_at) found->second.revoked_at = at;
  return found->second;
}

Status MemoryKeyStore::remove(const Uuid& id, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("removing a key"));
  const std::lock_guard lock(mutex_);
  keys_.erase(id);
  return {};
}

Status MemoryKeyStore::note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("noting uses of keys"));
  const std::lock_guard lock(mutex_);
  for (const auto& [id, at] : uses)
    if (const auto found = keys_.find(id); found != keys_.end())
      found->second.last_used_at = std::max(found->second.last_used_at.value_or(at), at);
  return {};
}

}  // namespace pandora
