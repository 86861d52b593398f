#include "store_embedded/process_cache.h"

#include <algorithm>
#include <charconv>

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

SteadyTime ProcessCache::end_of(Duration lifetime) const { return clock_.steady() + whole_milliseconds(lifetime); }

std::size_t ProcessCache::size() const {
  const std::lock_guard lock(mutex_);
  return values_.size() + locks_.size() + uses_.size();
}

// Looks through everything only when there is twice as much as was left the last time.
void ProcessCache::sweep() {
  const auto things = [this] { return values_.size() + locks_.size() + uses_.size(); };
  if (things() < std::max(sweep_at_, kSweptAtLeast)) return;
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
  std::erase_if(uses_, [now](const auto& uses) { return now >= uses.second.until; });
  sweep_at_ = 2 * things();
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

Result<bool> ProcessCache::replace(const std::string& key, const std::optional<std::string>& expected,
                                   const std::string& value, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_value(value));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_CHECK(deadline.check("replacing " + key));
  const std::lock_guard lock(mutex_);
  const Value* known = find(key);
  if (expected ? !known || known->text != *expected : known != nullptr) return false;
  PANDORA_CHECK(put(key, value, end_of(lifetime)));
  return true;
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

Result<bool> ProcessCache::extend(const CacheLock& held, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(held.key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_CHECK(deadline.check("holding " + held.key));
  const std::lock_guard guard(mutex_);
  const auto lock = locks_.find(held.key);
  if (lock == locks_.end() || lock->second.fence != held.fence || clock_.steady() >= lock->second.until) return false;
  lock->second.until = end_of(lifetime);
  return true;
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

Result<CacheAdmission> ProcessCache::admit(std::span<const CacheQuota> quotas, Duration window,
                                           const Deadline& deadline) {
  PANDORA_CHECK(check_cache_quotas(quotas, window));
  PANDORA_CHECK(deadline.check("counting " + quotas.front().key));
  const Duration length = whole_milliseconds(window);
  const std::lock_guard lock(mutex_);
  sweep();
  const std::int64_t now = clock_.now().micros;
  CacheAdmission admission{true, {}};
  std::vector<Uses*> found;
  for (const CacheQuota& quota : quotas) {
    Uses& uses = uses_[{quota.key, length}];
    double passed = static_cast<double>(now % length.count()) / static_cast<double>(length.count());
    if (const std::int64_t gone = now / length.count() - uses.window; gone == -1)
      passed = 0;  // the wall clock was set back a little: what is counted stays
    else if (gone != 0)
      uses = {now / length.count(), gone == 1 ? uses.now : 0, 0, {}};
    const CacheWindow seen{uses.before, uses.now, passed};
    const double room = static_cast<double>(quota.limit) - seen.used();
    admission.admitted = admission.admitted && static_cast<double>(quota.needs) <= room + kQuotaSlack;
    admission.windows.push_back(seen);
    found.push_back(&uses);
  }
  for (std::size_t i = 0; i < quotas.size(); ++i) {
    Uses& uses = *found[i];
    if (admission.admitted) uses.now = std::min(uses.now + quotas[i].counts, kMaxCacheCount);
    admission.windows[i].now = uses.now;
    uses.until = end_of(2 * length);
  }
  return admission;
}

Status ProcessCache::publish(const std::string& channel, const std::string& message, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(channel));
  PANDORA_CHECK(check_cache_value(message));
  PANDORA_CHECK(deadline.check("publishing to " + channel));
  subscribers_.deliver(channel, message);
  return {};
}

Result<std::unique_ptr<Subscription>> ProcessCache::subscribe(const std::string& channel,
                                                              std::function<void(const std::string&)> callback) {
  PANDORA_CHECK(check_cache_key(channel));
  return subscribers_.add(channel, std::move(callback));
}

}  // namespace pandora
