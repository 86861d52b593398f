#include "store_server/redis_cache.h"

#include <charconv>

#include <fmt/format.h>

#include "base/log.h"
#include "ports/cache_checks.h"

namespace pandora {
namespace {

// The value, as text: Lua's numbers are doubles.
const RedisScript kAdd(R"(
local added = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(added) == 'table' then return added end
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
)");

// ARGV: the window in milliseconds, the greatest count, the slack, then limit, needs and counts of each key. A key is
// a hash: which window it is, what the one before had, what this one has. Gives whether, the share of the window that
// is over, then before and now of each.
const RedisScript kAdmit(R"(
local time = redis.call('TIME')
local length, most, slack = ARGV[1] * 1000, tonumber(ARGV[2]), tonumber(ARGV[3])
local micros = time[1] * 1000000 + time[2]
local window = math.floor(micros / length)
local admitted, shown, kept = 1, {}, {}
for i, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'window', 'before', 'now')
  local known, before, now = tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or 0)
  local at, passed = window, (micros - window * length) / length
  if window - known == -1 then at, passed = known, 0
  elseif window - known == 1 then before, now = now, 0
  elseif window ~= known then before, now = 0, 0 end
  local limit, needs = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  if needs > limit - (before * (1 - passed) + now) + slack then admitted = 0 end
  kept[i] = {at, before, now, passed}
end
for i, key in ipairs(KEYS) do
  local at, before, now, passed = unpack(kept[i])
  if admitted == 1 then now = math.min(now + ARGV[3 * i + 3], most) end
  redis.call('HSET', key, 'window', string.format('%.0f', at), 'before', string.format('%.0f', before),
             'now', string.format('%.0f', now))
  redis.call('PEXPIRE', key, ARGV[1] * 2)
  shown[i] = string.format('%.0f %.0f %.17g', before, now, passed)
end
return {admitted, shown}
)");

// KEYS: the lock, the last fence of all.
const RedisScript kLock(R"(
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local time = redis.call('TIME')
local fence, last = time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[2]) or 0)
if fence <= last then fence = last + 1 end
fence = string.format('%.0f', fence)
redis.call('SET', KEYS[2], fence)
redis.call('SET', KEYS[1], fence, 'PX', ARGV[1])
return fence
)");

const RedisScript kExtend(R"(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
)");

const RedisScript kUnlock(R"(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
)");

// ARGV: the new value, its lifetime, and the one that is expected; none: there must be none.
const RedisScript kReplace(R"(
local known = redis.call('GET', KEYS[1])
if known ~= (ARGV[3] or false) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)");

std::string milliseconds_of(Duration lifetime) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(whole_milliseconds(lifetime)).count());
}

tl::unexpected<Error> not_ours(const std::string& key) {
  return fail(ErrorCode::kDataCorrupt, fmt::format("what Redis holds under {} is not of Pandora", key),
              "set redis.prefix to one that nobody else uses");
}

template <class Number>
bool read_number(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_window(std::string_view text, CacheWindow& into) {
  const auto first = text.find(' '), second = text.rfind(' ');
  return first != std::string_view::npos && second > first && read_number(text.substr(0, first), into.before) &&
         read_number(text.substr(first + 1, second - first - 1), into.now) &&
         read_number(text.substr(second + 1), into.passed);
}

}  // namespace

RedisCache::RedisCache(std::shared_ptr<const RedisServer> server, std::string prefix, std::unique_ptr<Cache> alone,
                       const Clock& clock)
    : prefix_(std::move(prefix)),
      alone_(std::move(alone)),
      clock_(clock),
      pool_(server, clock),
      listener_(std::move(server), clock, [this](const std::string& channel, const std::string& message) {
        subscribers_.deliver(channel.substr(prefix_.size()), message);
      }) {}

// What it makes of one request it is for all, unless that is about a single key, our own connections, or a caller who
// had no time.
Result<RedisReply> RedisCache::noted(Result<RedisReply> reply, bool had_time) {
  if (reply)
    note({});
  else if (reply.error().code != ErrorCode::kDataCorrupt && reply.error().code != ErrorCode::kResourceExhausted &&
           (had_time || reply.error().code != ErrorCode::kDeadlineExceeded))
    note(fail(reply.error()));
  return reply;
}
bool RedisCache::has_time(const Deadline& deadline) const {
  return deadline.remaining() >= pool_.server().options().timeout;
}
Result<RedisReply> RedisCache::ask(const RedisCommand& command, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking Redis"));
  const bool had_time = has_time(deadline);
  return noted(pool_.run(command, deadline), had_time);
}
Result<RedisReply> RedisCache::ask(const RedisScript& script, std::vector<std::string> keys,
                                   std::vector<std::string> arguments, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking Redis"));
  const bool had_time = has_time(deadline);
  return noted(pool_.run(script, std::move(keys), std::move(arguments), deadline), had_time);
}

Status RedisCache::set(const std::string& key, const std::string& value, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_value(value));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  return ask({"SET", prefix_ + "value:" + key, value, "PX", milliseconds_of(lifetime)}, deadline).map([](auto&&) {});
}

Result<std::optional<std::string>> RedisCache::get(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_TRY(reply, ask(RedisCommand{"GET", prefix_ + "value:" + key}, deadline));
  if (reply.kind == RedisReply::Kind::kNothing) return std::optional<std::string>();
  return std::optional(std::move(reply.text));
}

Status RedisCache::erase(const std::string& key, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  return ask(RedisCommand{"DEL", prefix_ + "value:" + key}, deadline).map([](auto&&) {});
}

Result<bool> RedisCache::replace(const std::string& key, const std::optional<std::string>& expected,
                                 const std::string& value, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_value(value));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  std::vector<std::string> arguments = {value, milliseconds_of(lifetime)};
  if (expected) arguments.push_back(*expected);
  PANDORA_TRY(reply, ask(kReplace, {prefix_ + "value:" + key}, std::move(arguments), deadline));
  return reply.integer == 1;
}

Result<std::int64_t> RedisCache::add(const std::string& key, std::int64_t by, Duration lifetime,
                                     const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  auto reply = pool_.run(kAdd, {prefix_ + "value:" + key}, {std::to_string(by), milliseconds_of(lifetime)}, deadline);
  if (!reply) {
    const std::string& why = reply.error().message;
    if (why.find("not an integer") != std::string::npos)
      return fail(ErrorCode::kInvalidArgument, key + " is no counter");
    if (why.find("would overflow") != std::string::npos)
      return fail(ErrorCode::kInvalidArgument, key + " would overflow");
    return fail(std::move(reply).error());
  }
  std::int64_t sum = 0;
  if (!read_number(reply->text, sum)) return not_ours(key);
  return sum;
}

Result<CacheAdmission> RedisCache::admit_there(std::span<const CacheQuota> quotas, Duration window,
                                               const Deadline& deadline) {
  const std::string length = milliseconds_of(window);
  std::vector<std::string> keys, arguments = {length, std::to_string(kMaxCacheCount), fmt::format("{}", kQuotaSlack)};
  for (const auto& quota : quotas) {
    keys.push_back(fmt::format("{}quota:{}:{}", prefix_, length, quota.key));
    for (const std::int64_t number : {quota.limit, quota.needs, quota.counts})
      arguments.push_back(std::to_string(number));
  }
  PANDORA_TRY(reply, ask(kAdmit, std::move(keys), std::move(arguments), deadline));
  CacheAdmission admission;
  if (reply.list.size() != 2 || reply.list[1].list.size() != quotas.size()) return not_ours(quotas.front().key);
  admission.admitted = reply.list[0].integer == 1;
  for (const auto& shown : reply.list[1].list)
    if (!read_window(shown.text, admission.windows.emplace_back())) return not_ours(quotas.front().key);
  return admission;
}

Result<CacheAdmission> RedisCache::admit(std::span<const CacheQuota> quotas, Duration window,
                                         const Deadline& deadline) {
  PANDORA_CHECK(check_cache_quotas(quotas, window));
  PANDORA_CHECK(deadline.check("counting " + quotas.front().key));
  auto there = admit_there(quotas, window, deadline);
  if (there) return there;
  // What somebody else keeps under one of our keys is no reason to call the server away: each other call would call it
  // back, and so on for ever.
  if (there.error().code != ErrorCode::kDataCorrupt)
    note(fail(there.error()));
  else if (!told_of_strangers_.exchange(true))
    log_warn("cache.not_ours",
             {{"what", "a limit is counted by this process alone"}, {"why", there.error().to_line()}});
  return alone_->admit(quotas, window, Deadline::never());
}

// Once when it begins, and once when it ends.
void RedisCache::note(const Status& shared) {
  {
    const std::lock_guard lock(mutex_);
    if (is_alone_ == !shared) return;
    is_alone_ = !shared;
  }
  if (shared)
    log_warn("cache.shared_again", {{"what", "limits, sessions and approvals are those of all processes together"}});
  else
    log_warn("cache.alone",
             {{"what", "limits, sessions and approvals are of this process alone"}, {"why", shared.error().to_line()}});
}

Result<CacheLock> RedisCache::lock(const std::string& key, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_TRY(reply, ask(kLock, {prefix_ + "lock:" + key, prefix_ + "fence"}, {milliseconds_of(lifetime)}, deadline));
  if (reply.kind == RedisReply::Kind::kNothing) return fail(ErrorCode::kConflict, key + " is locked");
  CacheLock lock{key, 0};
  if (!read_number(reply.text, lock.fence)) return not_ours(key);
  return lock;
}

Result<bool> RedisCache::extend(const CacheLock& lock, Duration lifetime, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(lock.key));
  PANDORA_CHECK(check_cache_lifetime(lifetime));
  PANDORA_TRY(reply, ask(kExtend, {prefix_ + "lock:" + lock.key},
                         {std::to_string(lock.fence), milliseconds_of(lifetime)}, deadline));
  return reply.integer == 1;
}

Result<bool> RedisCache::unlock(const CacheLock& lock, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(lock.key));
  PANDORA_TRY(reply, ask(kUnlock, {prefix_ + "lock:" + lock.key}, {std::to_string(lock.fence)}, deadline));
  return reply.integer == 1;
}

Status RedisCache::publish(const std::string& channel, const std::string& message, const Deadline& deadline) {
  PANDORA_CHECK(check_cache_key(channel));
  PANDORA_CHECK(check_cache_value(message));
  return ask(RedisCommand{"PUBLISH", prefix_ + channel, message}, deadline).map([](auto&&) {});
}

Result<std::unique_ptr<Subscription>> RedisCache::subscribe(const std::string& channel,
                                                            std::function<void(const std::string&)> callback) {
  PANDORA_CHECK(check_cache_key(channel));
  const std::lock_guard lock(subscribing_);
  const auto leave = [this, channel] {
    if (!subscribers_.has(channel)) listener_.leave(prefix_ + channel);
  };
  const Duration patience = 2 * pool_.server().options().timeout;  // to connect, and to answer
  if (const Status heard = listener_.listen(prefix_ + channel, Deadline::after(clock_, patience)); !heard) {
    leave();
    return fail(heard.error());
  }
  return subscribers_.add(channel, std::move(callback), [this, leave] {
    const std::lock_guard ending(subscribing_);
    leave();
  });
}

Status RedisCache::check(const Deadline& deadline) {
  // A replica, and one that is full, would answer a PING.
  return ask(RedisCommand{"SET", prefix_ + "check", "", "PX", "1000"}, deadline).map([](auto&&) {});
}

}  // namespace pandora
