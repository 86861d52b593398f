// What several gateways share, as each of them sees it: one Redis, or its twin in this process.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "contract/expect.h"
#include "store_embedded/process_cache.h"
#include "store_server/redis_cache.h"
#include "support/redis_process.h"

namespace pandora {

class SharedCaches {
 public:
  virtual ~SharedCaches() = default;
  virtual Cache& of(std::size_t gateway) = 0;  // 0 or 1
};

class TwinCaches final : public SharedCaches {
 public:
  Cache& of(std::size_t) override { return cache_; }

 private:
  const SystemClock clock_;
  ProcessCache cache_{clock_};
};

// One server for all; each test begins with keys that nobody has used.
class RedisCaches final : public SharedCaches {
 public:
  RedisCaches() {
    static testing::RedisProcess server;
    static int count = 0;
    RedisOptions options;
    options.url = server.url();
    options.timeout = std::chrono::seconds(20);
    const std::string prefix = std::to_string(++count) + ":";
    for (int i = 0; i < 2; ++i)
      caches_.push_back(std::make_unique<RedisCache>(must(RedisServer::create(options)), prefix,
                                                     std::make_unique<ProcessCache>(clock_), clock_));
  }
  Cache& of(std::size_t gateway) override { return *caches_.at(gateway); }

 private:
  const SystemClock clock_;
  std::vector<std::unique_ptr<RedisCache>> caches_;
};

inline std::vector<Implementation<SharedCaches>> shared_caches() {
  return {{"Twin", [] { return std::make_unique<TwinCaches>(); }},
          {"Redis", [] { return std::make_unique<RedisCaches>(); }}};
}

}  // namespace pandora
