// Who listens to which channel, in this process: what an implementation of Cache delivers to (ports/cache.h).
//
// Each subscriber has a thread and a backlog of its own, so that one that is slow holds up nobody. Thread-safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "ports/cache.h"

namespace pandora {

class Subscribers {
 public:
  using Callback = std::function<void(const std::string& message)>;
  // `ended` is called once the subscription has ended. Subscriptions go before this does.
  std::unique_ptr<Subscription> add(const std::string& channel, Callback callback, std::function<void()> ended = {});
  // To each of the channel, in the order in which they came. All see one order; who calls from several threads at once
  // does not know which.
  void deliver(const std::string& channel, const std::string& message);
  bool has(const std::string& channel) const;

 private:
  class Subscriber;
  mutable std::mutex mutex_;
  std::multimap<std::string, Subscriber*> by_channel_;
};

}  // namespace pandora
