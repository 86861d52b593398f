#include "access/rate_limiter.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

std::string counter(const ApiKey& key, std::string_view what) {
  return fmt::format("rate:{}:{}", key.id.to_string(), what);
}

Duration minutes(double count) {
  return Duration(static_cast<std::int64_t>(std::ceil(count * static_cast<double>(kMinute.count()))));
}

// Until what is counted, if nothing is added, weighs at most `room`.
Duration until_used_falls_to(double room, const CacheWindow& window) {
  const auto now = static_cast<double>(window.now), before = static_cast<double>(window.before);
  if (window.used() <= room + kQuotaSlack) return Duration(0);
  // Within this minute only what the one before had fades.
  if (now <= room) return minutes(1 - (room - now) / before - window.passed);
  // In the next one all of this fades.
  return minutes(1 - window.passed) + minutes(1 - room / now);
}

RateState state(std::int64_t limit, const CacheWindow& window) {
  const auto left = static_cast<double>(limit) - window.used();
  return {limit, static_cast<std::int64_t>(std::max(0.0, std::floor(left + kQuotaSlack))),
          until_used_falls_to(0, window)};
}

Duration until_one_is_free(std::int64_t limit, const CacheWindow& window) {
  return until_used_falls_to(static_cast<double>(limit - 1), window);
}

}  // namespace

Result<RateDecision> RateLimiter::admit(const ApiKey& key, const Deadline& deadline) {
  RateDecision decision;
  std::vector<CacheQuota> quotas;
  if (key.tokens_a_minute > 0) quotas.push_back({counter(key, "tokens"), key.tokens_a_minute, 1, 0});
  if (key.requests_a_minute > 0) quotas.push_back({counter(key, "requests"), key.requests_a_minute, 1, 1});
  if (quotas.empty()) return decision;
  PANDORA_TRY(admission, cache_.admit(quotas, kMinute, deadline));
  if (key.requests_a_minute > 0) {
    const CacheWindow& window = admission.windows.back();
    decision.requests = state(key.requests_a_minute, window);
    if (!admission.admitted) {
      decision.verdict = RateVerdict::kTooManyRequests;
      decision.retry_after = until_one_is_free(key.requests_a_minute, window);
    }
  }
  if (key.tokens_a_minute > 0) {
    const CacheWindow& window = admission.windows.front();
    decision.tokens = state(key.tokens_a_minute, window);
    if (!admission.admitted && decision.tokens.remaining == 0) {
      decision.verdict = RateVerdict::kTooManyTokens;
      decision.retry_after = until_one_is_free(key.tokens_a_minute, window);
    }
  }
  return decision;
}

Status RateLimiter::count_tokens(const ApiKey& key, std::int64_t tokens, const Deadline& deadline) {
  if (key.tokens_a_minute == 0 || tokens <= 0) return {};
  const CacheQuota used{counter(key, "tokens"), kMaxCacheCount, 0, std::min(tokens, kMaxCacheCount)};
  return cache_.admit({&used, 1}, kMinute, deadline).map([](auto&&) {});
}

}  // namespace pandora
