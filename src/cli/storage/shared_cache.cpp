#include "cli/storage/shared_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "cli/storage/data_paths.h"
#include "store_embedded/process_cache.h"
#include "store_server/redis_cache.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxPrefix = 64;

Result<RedisOptions> redis_options(const Config& config) {
  RedisOptions options;
  options.url = config.string("redis.url");
  options.host = config.string("redis.host");
  options.port = static_cast<std::uint16_t>(config.integer("redis.port"));
  options.database = static_cast<int>(config.integer("redis.database"));
  options.user = config.string("redis.user");
  options.password = config.string("redis.password");
  options.tls = config.boolean("redis.tls");
  options.tls_root = expanded_path(config.string("redis.tls_ca"));
  options.connections = static_cast<std::size_t>(config.integer("redis.connections"));
  options.timeout = std::chrono::milliseconds(config.integer("redis.timeout_ms"));
  if (!options.user.empty() && options.password.empty() && options.url.empty())
    return fail(ErrorCode::kInvalidArgument, "redis.user is set, and redis.password is not",
                "set REDIS_PASSWORD or REDIS_PASSWORD_FILE");
  if (options.url.empty()) return options;
  std::vector<std::string_view> beaten;
  for (const EffectiveValue& value : config.values())
    for (const char* key : {"redis.host", "redis.port", "redis.database", "redis.user", "redis.password"})
      if (value.setting->key == key && value.source != SettingSource::kDefault)
        beaten.push_back(value.setting->environment);
  if (!beaten.empty()) log_warn("config.redis_url_wins", {{"ignored", fmt::format("{}", fmt::join(beaten, ", "))}});
  return options;
}

Result<std::unique_ptr<RedisCache>> open_redis(const Config& config, const Clock& clock) {
  const std::string& prefix = config.string("redis.prefix");
  if (prefix.size() > kMaxPrefix)
    return fail(ErrorCode::kTooLarge, fmt::format("redis.prefix has {} bytes, at most {}", prefix.size(), kMaxPrefix));
  PANDORA_TRY(options, redis_options(config));
  PANDORA_TRY(server, RedisServer::create(std::move(options)));
  return std::make_unique<RedisCache>(std::move(server), prefix, std::make_unique<ProcessCache>(clock), clock);
}

}  // namespace

Result<bool> cache_is_shared(const Config& config) {
  const std::string& where = config.string("cache.store");
  if (where == "redis") return true;
  if (where == "embedded") return false;
  return fail(ErrorCode::kInvalidArgument, fmt::format("cache.store is \"{}\"", where), "set it to embedded or redis");
}

Result<std::unique_ptr<Cache>> open_cache(const Config& config, const Clock& clock) {
  PANDORA_TRY(shared, cache_is_shared(config));
  if (!shared) return std::unique_ptr<Cache>(std::make_unique<ProcessCache>(clock));
  PANDORA_TRY(cache, open_redis(config, clock));
  return std::unique_ptr<Cache>(std::move(cache));
}

Result<std::string> look_at_redis(const Config& config, const Clock& clock, const Deadline& deadline) {
  PANDORA_TRY(cache, open_redis(config, clock));
  PANDORA_TRY(found, cache->describe(deadline));
  PANDORA_CHECK(cache->check(deadline));
  return found;
}

}  // namespace pandora
