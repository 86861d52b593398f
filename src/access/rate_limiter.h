// Requests and tokens a minute, counted in the Cache, so that several Gateways over one cache share a key's limits.
//
// A sliding window by two counters (ports/cache.h: CacheQuota). A request that is refused counts nothing. Tokens are
// known when the answer is complete, so the request that passes the limit is still answered, and the next ones wait.
// Thread-safe.
#pragma once
#include <cstdint>

#include "base/clock.h"
#include "domain/api_key.h"
#include "ports/cache.h"

namespace pandora {

struct RateState {
  std::int64_t limit = 0;      // a minute; 0: none, and the rest says nothing
  std::int64_t remaining = 0;  // of it now
  Duration reset{0};           // until all of it is there again, if nothing more is asked
};
enum class RateVerdict { kAdmitted, kTooManyRequests, kTooManyTokens };
struct RateDecision {
  RateVerdict verdict = RateVerdict::kAdmitted;
  RateState requests, tokens;
  Duration retry_after{0};  // of a refused one: from then on it is admitted, if nobody else asks
};

class RateLimiter {
 public:
  explicit RateLimiter(Cache& cache) : cache_(cache) {}  // which outlives it
  // Counts a request of the key, or refuses it. Errors of the cache.
  Result<RateDecision> admit(const ApiKey& key, const Deadline& deadline);
  Status count_tokens(const ApiKey& key, std::int64_t tokens, const Deadline& deadline);

 private:
  Cache& cache_;
};

}  // namespace pandora
