// Short-lived shared state: values with a lifetime, counters, quotas, fenced locks, publish and subscribe. Redis or
// in-process.
// Thread-safe. Nothing here is durable; losing all of it loses no acknowledged data.
//
// Keys and channels: 1 to kMaxCacheKey bytes. Lifetimes: kMinCacheLifetime to kMaxCacheLifetime, counted in whole
// milliseconds, rounded up; when one has passed, the thing is not there. Values and counters share their keys; locks
// and quotas have theirs apart. Errors: kInvalidArgument (an empty key, a lifetime out of bounds), kTooLarge,
// kConflict, kUnavailable, kDeadlineExceeded (also a deadline that had passed before: nothing is done); of a server
// also those of redis/redis_connection.h.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxCacheKey = 512;
inline constexpr std::size_t kMaxCacheValue = 1024 * 1024;  // of a value, a message
inline constexpr Duration kMinCacheLifetime = std::chrono::milliseconds(1);
inline constexpr Duration kMaxCacheLifetime = std::chrono::hours(24 * 366);
inline constexpr std::size_t kMaxCacheBacklog = 1'000;  // messages that wait for one subscriber's callback

inline constexpr std::size_t kMaxCacheQuotas = 8;                      // of one admission
inline constexpr std::int64_t kMaxCacheCount = 1'000'000'000'000'000;  // of a quota; a double holds it exactly

struct CacheLock {
  std::string key;
  std::uint64_t fence = 0;  // rises with every acquisition of the key: a late holder can be told from the present one
};

// What a key may use in any stretch of time that is a window long. Windows follow each other on the cache's own wall
// clock; what the one before had counts by the share of it that such a stretch still holds.
struct CacheQuota {
  std::string key;
  std::int64_t limit = 0;
  std::int64_t needs = 0;   // so much must be free, or nothing is admitted
  std::int64_t counts = 0;  // so much is used when all is admitted
};
struct CacheWindow {
  std::int64_t before = 0, now = 0;  // used in the window before, and in this one by now
  double passed = 0;                 // share of this one that is over, in [0, 1)
  double used() const { return static_cast<double>(before) * (1 - passed) + static_cast<double>(now); }
};
inline constexpr double kQuotaSlack = 1e-6;  // of what doubles lose; no whole use
struct CacheAdmission {
  bool admitted = false;
  std::vector<CacheWindow> windows;  // of each quota, in the order given, this admission included
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
  // Sets it when its value is `expected` (none: when it is not there), as one step; whether it did.
  virtual Result<bool> replace(const std::string& key, const std::optional<std::string>& expected,
                               const std::string& value, Duration lifetime, const Deadline& deadline) = 0;
  // Adds and returns the new value, atomically; a missing key counts from 0. The lifetime starts with the first add,
  // later ones do not renew it. kInvalidArgument, and nothing changed, when the value is no 64-bit integer or would not
  // be one.
  virtual Result<std::int64_t> add(const std::string& key, std::int64_t by, Duration lifetime,
                                   const Deadline& deadline) = 0;
  // Uses all the quotas, or none: atomically, whoever else does. One to kMaxCacheQuotas, no key twice
  // (kInvalidArgument); numbers from 0 to kMaxCacheCount, where a window's count stops rising. A window has its key and
  // its length for a name.
  virtual Result<CacheAdmission> admit(std::span<const CacheQuota> quotas, Duration window,
                                       const Deadline& deadline) = 0;
  // kConflict when it is held, by whomever, this caller too; freed after `lifetime` at the latest.
  virtual Result<CacheLock> lock(const std::string& key, Duration lifetime, const Deadline& deadline) = 0;
  // Freed after `lifetime` from now; false: it was not ours any more.
  virtual Result<bool> extend(const CacheLock& lock, Duration lifetime, const Deadline& deadline) = 0;
  virtual Result<bool> unlock(const CacheLock& lock, const Deadline& deadline) = 0;  // false: it was not ours any more
  // To who has subscribed by now; nobody is fine.
  virtual Status publish(const std::string& channel, const std::string& message, const Deadline& deadline) = 0;
  // The callback runs on a thread of the cache's, one message at a time, in the order published; it must not block. At
  // most once: of a subscriber that lags by more than kMaxCacheBacklog messages the oldest are lost.
  virtual Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                          std::function<void(const std::string&)> callback) = 0;
  // Whether calls may wait for a server: then they are not for an I/O thread.
  virtual bool may_wait() const = 0;
  // Whether it answers, and takes what it is given.
  virtual Status check(const Deadline& deadline) = 0;
};

}  // namespace pandora
