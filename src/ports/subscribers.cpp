#include "ports/subscribers.h"

#include <condition_variable>
#include <deque>
#include <thread>

namespace pandora {

class Subscribers::Subscriber final : public Subscription {
 public:
  Subscriber(Subscribers& all, const std::string& channel, Callback callback, std::function<void()> ended)
      : all_(all), callback_(std::move(callback)), ended_(std::move(ended)), thread_([this] { run(); }) {
    const std::lock_guard lock(all_.mutex_);
    place_ = all_.by_channel_.emplace(channel, this);
  }
  ~Subscriber() override {
    {
      const std::lock_guard lock(all_.mutex_);
      all_.by_channel_.erase(place_);
    }
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
    if (ended_) ended_();
  }

  void push(const std::string& message) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(message);
      if (waiting_.size() > kMaxCacheBacklog) waiting_.pop_front();
    }
    arrived_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      const std::string message = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      callback_(message);
      lock.lock();
    }
  }

  Subscribers& all_;
  const Callback callback_;
  const std::function<void()> ended_;
  std::multimap<std::string, Subscriber*>::iterator place_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

std::unique_ptr<Subscription> Subscribers::add(const std::string& channel, Callback callback,
                                               std::function<void()> ended) {
  return std::make_unique<Subscriber>(*this, channel, std::move(callback), std::move(ended));
}

void Subscribers::deliver(const std::string& channel, const std::string& message) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = by_channel_.equal_range(channel);
  for (auto at = begin; at != end; ++at) at->second->push(message);
}

bool Subscribers::has(const std::string& channel) const {
  const std::lock_guard lock(mutex_);
  return by_channel_.contains(channel);
}

}  // namespace pandora
