#include "access/rate_limiter.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);
constexpr double kSlack = 1e-6;          // of what doubles lose; no whole request
constexpr Duration kKept = 3 * kMinute;  // longer than a counter is asked for, whatever the clock does

std::string counter(const ApiKey& key, std::string_view what, std::int64_t minute) {
  return fmt::format("rate:{}:{}:{}", key.id.to_string(), what, minute);
}

struct Window {
  std::int64_t minute = 0;
  double passed = 0;  // share of it that is over
  std::int64_t before = 0, now = 0;
  double used() const { return static_cast<double>(before) * (1 - passed) + static_cast<double>(now); }
};

Window window_at(Timestamp time) {
  Window window;
  window.minute = time.micros / kMinute.count();
  window.passed = static_cast<double>(time.micros % kMinute.count()) / static_cast<double>(kMinute.count());
  return window;
}

Duration minutes(double count) {
  return Duration(static_cast<std::int64_t>(std::ceil(count * static_cast<double>(kMinute.count()))));
}

// Until what is counted, if nothing is added, weighs at most `room`.
Duration until_used_falls_to(double room, const Window& window) {
  const auto now = static_cast<double>(window.now), before = static_cast<double>(window.before);
  if (window.used() <= room + kSlack) return Duration(0);
  // Within this minute only what the one before had fades.
  if (now <= room) return minutes(1 - (room - now) / before - window.passed);
  // In the next one all of this fades.
  return minutes(1 - window.passed) + minutes(1 - room / now);
}

RateState state(std::int64_t limit, const Window& window) {
  const auto left = static_cast<double>(limit) - window.used();
  return {limit, static_cast<std::int64_t>(std::max(0.0, std::floor(left + kSlack))), until_used_falls_to(0, window)};
}

Result<std::int64_t> read(Cache& cache, const std::string& key, const Deadline& deadline) {
  PANDORA_TRY(text, cache.get(key, deadline));
  std::int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

Result<RateDecision> RateLimiter::admit(const ApiKey& key, const Deadline& deadline) {
  RateDecision decision;
  const Window begun = window_at(clock_.now());
  if (key.tokens_a_minute > 0) {
    Window tokens = begun;
    PANDORA_TRY(before, read(cache_, counter(key, "tokens", begun.minute - 1), deadline));
    PANDORA_TRY(now, read(cache_, counter(key, "tokens", begun.minute), deadline));
    tokens.before = before, tokens.now = now;
    decision.tokens = state(key.tokens_a_minute, tokens);
    if (decision.tokens.remaining == 0) {
      decision.verdict = RateVerdict::kTooManyTokens;
      decision.retry_after = until_used_falls_to(static_cast<double>(key.tokens_a_minute - 1), tokens);
    }
  }
  if (key.requests_a_minute == 0) return decision;
  Window requests = begun;
  const std::string counted = counter(key, "requests", begun.minute);
  PANDORA_TRY(before, read(cache_, counter(key, "requests", begun.minute - 1), deadline));
  requests.before = before;
  if (decision.verdict != RateVerdict::kAdmitted) {
    PANDORA_TRY(now, read(cache_, counted, deadline));
    requests.now = now;
    decision.requests = state(key.requests_a_minute, requests);
    return decision;
  }
  PANDORA_TRY(with_this, cache_.add(counted, 1, kKept, deadline));
  requests.now = with_this;
  if (requests.used() > static_cast<double>(key.requests_a_minute) + kSlack) {
    PANDORA_TRY(without, cache_.add(counted, -1, kKept, deadline));
    requests.now = without;
    decision.verdict = RateVerdict::kTooManyRequests;
    decision.retry_after = until_used_falls_to(static_cast<double>(key.requests_a_minute - 1), requests);
  }
  decision.requests = state(key.requests_a_minute, requests);
  return decision;
}

Status RateLimiter::count_tokens(const ApiKey& key, std::int64_t tokens, const Deadline& deadline) {
  if (key.tokens_a_minute == 0 || tokens <= 0) return {};
  PANDORA_CHECK(cache_.add(counter(key, "tokens", window_at(clock_.now()).minute), tokens, kKept, deadline));
  return {};
}

}  // namespace pandora
