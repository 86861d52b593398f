// The keys of the API. Threads, durability and errors as in turn_store.h; keys are of the installation, so no user is
// asked for: whoever may call this may see all of them. Secrets never come here (domain/api_key.h).
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "domain/api_key.h"

namespace pandora {

inline constexpr std::size_t kMaxApiKeys = 1'000;  // revoked ones too, until they are removed

class KeyStore {
 public:
  virtual ~KeyStore() = default;
  // kInvalidArgument (check_api_key); kConflict: the id or the hint is there, or a key of that name that is not
  // revoked; kResourceExhausted: there are kMaxApiKeys.
  virtual Status add(const ApiKey& key, const Deadline& deadline) = 0;
  virtual Result<std::vector<ApiKey>> list(const Deadline& deadline) = 0;  // all, in the order of their ids
  // Sets revoked_at, unless it is set; the key as it is then. kNotFound.
  virtual Result<ApiKey> revoke(const Uuid& id, Timestamp at, const Deadline& deadline) = 0;
  virtual Status remove(const Uuid& id, const Deadline& deadline) = 0;  // missing is fine
  // last_used_at becomes the later of the two; keys that are gone are passed over.
  virtual Status note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) = 0;
};

}  // namespace pandora
