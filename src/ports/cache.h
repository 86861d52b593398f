// Short-lived shared state: values with a lifetime, counters, fenced locks, publish and subscribe. Redis or in-process.
// Thread-safe. Nothing here is durable; losing all of it loses no acknowledged data.
//
// Keys and channels: 1 to kMaxCacheKey bytes. Lifetimes: kMinCacheLifetime to kMaxCacheLifetime, counted in whole
// milliseconds, rounded up; when one has passed, the thing is not there. Values and counters share their keys, locks
// have theirs apart. Errors: kInvalidArgument (an empty key, a lifetime out of bounds), kTooLarge, kConflict,
// kUnavailable, kDeadlineExceeded (also a deadline that had passed before: nothing is done).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxCacheKey = 512;
inline constexpr std::size_t kMaxCacheValue = 1024 * 1024;  // of a value, a message
inline constexpr Duration kMinCacheLifetime = std::chrono::milliseconds(1);
inline constexpr Duration kMaxCacheLifetime = std::chrono::hours(24 * 366);
inline constexpr std::size_t kMaxCacheBacklog = 1'000;  // messages that wait for one subscriber's callback

struct CacheLock {
  std::string key;
  std::uint64_t fence = 0;  // rises with every acquisition of the key: a late holder can be told from the present one
};

// Ends when destroyed, not from within its own callback: no callback runs after that. Goes before the cache does.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

class Cache {
 public:
  virtual ~Cache() = default;
  virtual Status set(const std::string& key, const std::string& value, Duration lifetime, const Deadline& deadline) = 0;
  // A counter's value is its decimal digits.
  virtual Result<std::optional<std::string>> get(const std::string& key, const Deadline& deadline) = 0;
  virtual Status erase(const std::string& key, const Deadline& deadline) = 0;  // missing is fine
  // Adds and returns the new value, atomically; a missing key counts from 0. The lifetime starts with the first add,
  // later ones do not renew it. kInvalidArgument, and nothing changed, when the value is no 64-bit integer or would not
  // be one.
  virtual Result<std::int64_t> add(const std::string& key, std::int64_t by, Duration lifetime,
                                   const Deadline& deadline) = 0;
  // kConflict when it is held, by whomever, this caller too; freed after `lifetime` at the latest.
  virtual Result<CacheLock> lock(const std::string& key, Duration lifetime, const Deadline& deadline) = 0;
  virtual Result<bool> unlock(const CacheLock& lock, const Deadline& deadline) = 0;  // false: it was not ours any more
  // To who has subscribed by now; nobody is fine.
  virtual Status publish(const std::string& channel, const std::string& message, const Deadline& deadline) = 0;
  // The callback runs on a thread of the cache's, one message at a time, in the order published; it must not block. At
  // most once: of a subscriber that lags by more than kMaxCacheBacklog messages the oldest are lost.
  virtual Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                          std::function<void(const std::string&)> callback) = 0;
};

}  // namespace pandora
