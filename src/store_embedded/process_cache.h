// Cache in this process. See ports/cache.h for what it promises.
//
// What has ended takes no room: it is swept out as new things come, which costs each of them a constant share. Values
// and counters hold at most kMaxProcessCacheBytes, keys included; one more that does not fit is kUnavailable. Each
// subscription has a thread of its own for its callbacks.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "ports/cache.h"
#include "ports/subscribers.h"

namespace pandora {

inline constexpr std::size_t kMaxProcessCacheBytes = 64 << 20;

class ProcessCache final : public Cache {
 public:
  explicit ProcessCache(const Clock& clock) : clock_(clock) {}

  Status set(const std::string& key, const std::string& value, Duration lifetime, const Deadline& deadline) override;
  Result<std::optional<std::string>> get(const std::string& key, const Deadline& deadline) override;
  Status erase(const std::string& key, const Deadline& deadline) override;
  Result<bool> replace(const std::string& key, const std::optional<std::string>& expected, const std::string& value,
                       Duration lifetime, const Deadline& deadline) override;
  Result<std::int64_t> add(const std::string& key, std::int64_t by, Duration lifetime,
                           const Deadline& deadline) override;
  Result<CacheAdmission> admit(std::span<const CacheQuota> quotas, Duration window, const Deadline& deadline) override;
  Result<CacheLock> lock(const std::string& key, Duration lifetime, const Deadline& deadline) override;
  Result<bool> extend(const CacheLock& lock, Duration lifetime, const Deadline& deadline) override;
  Result<bool> unlock(const CacheLock& lock, const Deadline& deadline) override;
  Status publish(const std::string& channel, const std::string& message, const Deadline& deadline) override;
  Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                  std::function<void(const std::string&)> callback) override;
  bool may_wait() const override { return false; }
  Status check(const Deadline& deadline) override { return deadline.check("looking at the cache"); }
  std::size_t size() const;  // values, counters, windows and locks that take room

 private:
  struct Value {
    std::string text;
    SteadyTime until;
  };
  struct Lock {
    std::uint64_t fence = 0;  // of the last holder
    SteadyTime until{};       // free from then on
  };
  struct Uses {
    std::int64_t window = 0, before = 0, now = 0;  // which one it is, counted from 1970
    SteadyTime until{};
  };
  SteadyTime end_of(Duration lifetime) const;
  void sweep();
  Status put(const std::string& key, std::string text, SteadyTime until);
  const Value* find(const std::string& key) const;  // null: missing, or its time has passed

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Value> values_;
  std::map<std::string, Lock> locks_;
  std::map<std::pair<std::string, Duration>, Uses> uses_;  // by key and length of the window
  std::size_t bytes_ = 0;                                  // of keys and values
  std::size_t sweep_at_ = 0;                               // so many things, or more, are looked through
  std::uint64_t last_fence_ = 0;
  Subscribers subscribers_;
};

}  // namespace pandora
