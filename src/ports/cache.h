// Short-lived shared state: values with a lifetime, counters, fenced locks, publish and subscribe. Redis or in-process.
// Thread-safe. Nothing here is durable; losing all of it loses no acknowledged data. Keys: at most kMaxCacheKey bytes.
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
inline constexpr std::size_t kMaxCacheValue = 1024 * 1024;

struct CacheLock {
  std::string key;
  std::uint64_t fence = 0;  // rises with every acquisition of the key: a late holder can be told from the present one
};

class Subscription {  // ends when destroyed; no callback runs after that
 public:
  virtual ~Subscription() = default;
};

class Cache {
 public:
  virtual ~Cache() = default;
  virtual Status set(const std::string& key, const std::string& value, Duration lifetime, const Deadline& deadline) = 0;
  virtual Result<std::optional<std::string>> get(const std::string& key, const Deadline& deadline) = 0;
  virtual Status erase(const std::string& key, const Deadline& deadline) = 0;
  // Adds and returns the new value, atomically; the lifetime starts with the first add.
  virtual Result<std::int64_t> add(const std::string& key, std::int64_t by, Duration lifetime, const Deadline& deadline) = 0;
  // kConflict when held by somebody else; freed after `lifetime` at the latest.
  virtual Result<CacheLock> lock(const std::string& key, Duration lifetime, const Deadline& deadline) = 0;
  virtual Result<bool> unlock(const CacheLock& lock, const Deadline& deadline) = 0;  // false: it was not ours any more
  virtual Status publish(const std::string& channel, const std::string& message, const Deadline& deadline) = 0;
  // The callback runs on a thread of the cache's, one message at a time, in order; it must not block.
  virtual Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                          std::function<void(const std::string&)> callback) = 0;
};

}  // namespace pandora
