#include "store_embedded/process_cache.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <thread>

#include "ports/cache_checks.h"

namespace pandora {
namespace {

constexpr std::size_t kSweptAtLeast = 1'024;  // fewer things are not worth looking through

std::optional<std::int64_t> integer_of(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Only what a counter would write: no "+1", no "007".
  if (error != std::errc() || std::to_string(value) != text) return std::nullopt;
  return value;
}

}  // namespace

class ProcessCache::Subscriber final : public Subscription {
 public:
  Subscriber(ProcessCache& cache, const std::string& channel, std::function<void(const std::string&)> callback)
      : cache_(cache), callback_(std::move(callback)), thread_([this] { deliver(); }) {
    const std::lock_guard lock(cache_.mutex_);
    place_ = cache_.subscribers_.emplace(channel, this);
  }
  ~Subscriber() override {
    {
      const std::lock_guard lock(cache_.mutex_);
      cache_.subscribers_.erase(place_);
    }
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
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
  void deliver() {
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

  ProcessCache& cache_;
  const std::function<void(const std::string&)> callback_;
  std::multimap<std::string, Subscriber*>::iterator place_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

SteadyTime ProcessCache::end_of(Duration lifetime) const { return clock_.steady() + whole_milliseconds(lifetime); }

std::size_t ProcessCache::size() const {
  const std::lock_guard lock(mutex_);
  return values_.size() + locks_.size();
}

// Looks through everything only when there is twice as much as was left the last time.
void ProcessCache::sweep() {
  if (values_.size() + locks_.size() < std::max(sweep_at_, kSweptAtLeast)) return;
  const SteadyTime now = clock_.steady();
  for (auto value = values_.begin(); value != values_.end();) {
    if (now < value->second.until) {
      ++value;
      continue;
    }
    bytes_ -= value->first.size() + value->second.text.size();
    value = values_.erase(value);
  }
  std::erase_if(locks_, [now](const auto& lock) { return now >= lock.second.until; });
  sweep_at_ = 2 * (values_.size() + locks_.size());
}

Status ProcessCache::put(const std::string& key, std::string text, SteadyTime until) {
  sweep();
  const auto known = values_.find(key);
  const std::size_t before = known == values_.end() ? 0 : key.size() + known->second.text.size();
  const std::size_t after = bytes_ - before + key.size() + text.size();
  if (after > kMaxProcessCacheBytes) return fail(ErrorCode::kUnavailable, "the cache is full", "try again in a minute");
  bytes_ = after;
  values_[key] = {std::move(text), until};
  return {};
}

const ProcessCache::Value* ProcessCache::find(const std::string& key) const {
  const auto value = values_.find(key);
  return value == values_.end() || clock_.steady() >= value->second.until ? nullptr : &value->second;
}

Status ProcessCache::set(const std::string& key, const std::string& value, Duration lifetime,
                         const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_value(value));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_CHECK(deadline.check("keeping " + key));
  const std::lock_guard lock(mutex_);
  return put(key, value, end_of(lifetime));
}

Result<std::optional<std::string>> ProcessCache::get(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(deadline.check("looking for " + key));
  const std::lock_guard lock(mutex_);
  const Value* value = find(key);
  return value ? std::optional(value->text) : std::nullopt;
}

Status ProcessCache::erase(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(deadline.check("erasing " + key));
  const std::lock_guard lock(mutex_);
  if (const auto found = values_.find(key); found != values_.end()) {
    bytes_ -= key.size() + found->second.text.size();
    values_.erase(found);
  }
  return {};
}

Result<std::int64_t> ProcessCache::add(const std::string& key, std::int64_t by, Duration lifetime,
                                       const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_CHECK(deadline.check("counting " + key));
  const std::lock_guard lock(mutex_);
  const Value* value = find(key);
  const auto old = value ? integer_of(value->text) : std::optional<std::int64_t>(0);
  if (!old) return fail(ErrorCode::kInvalidArgument, key + " is no counter");
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*old, by, &sum)) return fail(ErrorCode::kInvalidArgument, key + " would overflow");
  const SteadyTime until = value ? value->until : end_of(lifetime);
  PANDORA_CHECK(put(key, std::to_string(sum), until));
  return sum;
}

Result<CacheLock> ProcessCache::lock(const std::string& key, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_CHECK(deadline.check("locking " + key));
  const std::lock_guard guard(mutex_);
  sweep();
  Lock& lock = locks_[key];
  if (clock_.steady() < lock.until) return fail(ErrorCode::kConflict, key + " is locked");
  lock = {++last_fence_, end_of(lifetime)};
  return CacheLock{key, lock.fence};
}

Result<bool> ProcessCache::unlock(const CacheLock& held, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(held.key));
  PANDORA_CHECK(deadline.check("unlocking " + held.key));
  const std::lock_guard guard(mutex_);
  const auto lock = locks_.find(held.key);
  if (lock == locks_.end() || lock->second.fence != held.fence || clock_.steady() >= lock->second.until) return false;
  lock->second.until = SteadyTime{};
  return true;
}

Status ProcessCache::publish(const std::string& channel, const std::string& message, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(channel));
  PANDORA_CHECK(check_cache_value(message));
  PANDORA_CHECK(deadline.check("publishing to " + channel));
  const std::lock_guard lock(mutex_);  // one publisher at a time: every subscriber sees one order
  const auto [begin, end] = subscribers_.equal_range(channel);
  for (auto at = begin; at != end; ++at) at->second->push(message);
  return {};
}

Result<std::unique_ptr<Subscription>> ProcessCache::subscribe(const std::string& channel,
                                                              std::function<void(const std::string&)> callback) {
  PANDORA_CHECK(check_cache_key(channel));
  return std::make_unique<Subscriber>(*this, channel, std::move(callback));
}

}  // namespace pandora
