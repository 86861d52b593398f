// Cache in this process: the reference that the others are compared with. See ports/cache.h for what it promises.
//
// Each subscription has a thread of its own for its callbacks.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "ports/cache.h"

namespace pandora {

class MemoryCache final : public Cache {
 public:
  explicit MemoryCache(const Clock& clock) : clock_(clock) {}

  Status set(const std::string& key, const std::string& value, Duration lifetime, const Deadline& deadline) override;
  Result<std::optional<std::string>> get(const std::string& key, const Deadline& deadline) override;
  Status erase(const std::string& key, const Deadline& deadline) override;
  Result<std::int64_t> add(const std::string& key, std::int64_t by, Duration lifetime,
                           const Deadline& deadline) override;
  Result<CacheLock> lock(const std::string& key, Duration lifetime, const Deadline& deadline) override;
  Result<bool> unlock(const CacheLock& lock, const Deadline& deadline) override;
  Status publish(const std::string& channel, const std::string& message, const Deadline& deadline) override;
  Result<std::unique_ptr<Subscription>> subscribe(const std::string& channel,
                                                  std::function<void(const std::string&)> callback) override;

 private:
  class Subscriber;
  struct Value {
    std::string text;
    SteadyTime until;
  };
  struct Lock {
    std::uint64_t fence = 0;  // of the last holder; stays when it is free
    SteadyTime until{};       // free from then on
  };
  SteadyTime end_of(Duration lifetime) const;
  const Value* find(const std::string& key) const;  // null: missing, or its time has passed

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Value> values_;
  std::map<std::string, Lock> locks_;
  std::multimap<std::string, Subscriber*> subscribers_;
};

}  // namespace pandora
