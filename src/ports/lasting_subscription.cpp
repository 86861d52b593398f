#include "ports/lasting_subscription.h"

namespace pandora {

LastingSubscription::LastingSubscription(Cache& cache, std::string channel,
                                         std::function<void(const std::string&)> callback)
    : cache_(cache), channel_(std::move(channel)), callback_(std::move(callback)) {
  if (!cache_.may_wait() && attempt()) return;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      lock.unlock();
      const bool is_there = attempt();
      lock.lock();
      if (is_there || ends_.wait_for(lock, kSubscribeAgain, [this] { return ending_; })) return;
    }
  });
}

LastingSubscription::~LastingSubscription() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_all();
  if (thread_.joinable()) thread_.join();
  subscription_.reset();
}

bool LastingSubscription::attempt() {
  auto subscribed = cache_.subscribe(channel_, callback_);
  if (!subscribed) return false;
  subscription_ = *std::move(subscribed);
  return true;
}

}  // namespace pandora
