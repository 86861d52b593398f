// A subscription that is asked for until it is there: a server that is down is no reason not to start.
//
// Once it is there the cache itself keeps it (ports/cache.h). What is published before that is not heard, so who needs
// to know looks as well.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ports/cache.h"

namespace pandora {

inline constexpr Duration kSubscribeAgain = std::chrono::seconds(1);

class LastingSubscription {
 public:
  // Of a cache that does not wait for a server it is there when this returns. The cache outlives it.
  LastingSubscription(Cache& cache, std::string channel, std::function<void(const std::string&)> callback);
  ~LastingSubscription();  // no callback runs after that; not from within one
  LastingSubscription(const LastingSubscription&) = delete;
  LastingSubscription& operator=(const LastingSubscription&) = delete;

 private:
  bool attempt();
  Cache& cache_;
  const std::string channel_;
  const std::function<void(const std::string&)> callback_;
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::unique_ptr<Subscription> subscription_;  // set by one thread, once
  std::thread thread_;                          // until it is there
};

}  // namespace pandora
