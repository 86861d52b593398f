// Cache over a Redis, 6 or newer. See ports/cache.h for what it promises.
//
// All that must be one step is one script there: counting, quotas, locks. Lifetimes and windows are of the server's own
// clock, so those of its clients need not agree. Keys and channels begin with `prefix`, so that several installations
// may share one. A fence is at least the server's time in microseconds: it rises also when the server has lost all.
//
// While the server is away, `admit` counts in `alone`: limits hold for each process by itself then. The rest fails: no
// lock is given that another process could have too. That the server is away, and that it is back, is a line in the
// log each, whatever found it out, and `check` says it. What is heard by `subscribe` is heard through the server, also
// by who publishes.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "ports/cache.h"
#include "ports/subscribers.h"
#include "redis/redis_listener.h"
#include "redis/redis_pool.h"

namespace pandora {

class RedisCache final : public Cache {
 public:
  // `clock` outlives it. Connects at the first use.
  RedisCache(std::shared_ptr<const RedisServer> server, std::string prefix, std::unique_ptr<Cache> alone,
             const Clock& clock);

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
  // kUnavailable and the like when the server cannot be asked for the channel within its timeout.
  Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                  std::function<void(const std::string&)> callback) override;
  bool may_wait() const override { return true; }
  Status check(const Deadline& deadline) override;
  Result<std::string> describe(const Deadline& deadline) { return pool_.describe(deadline); }

 private:
  Result<RedisReply> ask(const RedisCommand& command, const Deadline& deadline);
  Result<RedisReply> ask(const RedisScript& script, std::vector<std::string> keys, std::vector<std::string> arguments,
                         const Deadline& deadline);
  Result<CacheAdmission> admit_there(std::span<const CacheQuota> quotas, Duration window, const Deadline& deadline);
  Result<RedisReply> noted(Result<RedisReply> reply, bool had_time);
  bool has_time(const Deadline& deadline) const;
  void note(const Status& shared);

  const std::string prefix_;
  const std::unique_ptr<Cache> alone_;
  const Clock& clock_;
  RedisPool pool_;
  std::mutex mutex_;
  bool is_alone_ = false;
  std::atomic<bool> told_of_strangers_ = false;
  Subscribers subscribers_;
  std::mutex subscribing_;
  RedisListener listener_;  // last: it delivers to the subscribers
};

}  // namespace pandora
