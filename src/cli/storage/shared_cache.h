// Limits, locks and messages between processes: in this process, or in the Redis that the configuration names.
#pragma once
#include <memory>

#include "base/config.h"
#include "ports/cache.h"

namespace pandora {

// kInvalidArgument: cache.store says neither "embedded" nor "redis".
Result<bool> cache_is_shared(const Config& config);
// Nothing is sent yet: a server that is down is no reason not to start. `clock` outlives it.
Result<std::unique_ptr<Cache>> open_cache(const Config& config, const Clock& clock);
// Connects, and says in one line what it found: version, place, TLS; that it takes what it is given.
Result<std::string> look_at_redis(const Config& config, const Clock& clock, const Deadline& deadline);

}  // namespace pandora
