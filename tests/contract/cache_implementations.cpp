// The implementations of Cache that the suite runs on: one more is one more class and one more line below.
#include <thread>

#include "contract/cache_contract.h"
#include "store_embedded/process_cache.h"
#include "store_server/redis_cache.h"
#include "support/redis_process.h"

namespace pandora {
namespace {

class MemorySetup final : public CacheSetup {
 public:
  Cache& cache() override { return cache_; }
  void pass(Duration time) override { clock_.advance(time); }

 private:
  ManualClock clock_;
  ProcessCache cache_{clock_};
};

// One server for all; each test begins with keys that nobody has used.
class RedisSetup final : public CacheSetup {
 public:
  RedisSetup() {
    static testing::RedisProcess server;
    static int count = 0;
    RedisOptions options;
    options.url = server.url();
    options.timeout = std::chrono::seconds(20);
    cache_ = std::make_unique<RedisCache>(must(RedisServer::create(options)), std::to_string(++count) + ":",
                                          std::make_unique<ProcessCache>(clock_), clock_);
  }
  Cache& cache() override { return *cache_; }
  void pass(Duration time) override { std::this_thread::sleep_for(time + std::chrono::milliseconds(2)); }

 private:
  const SystemClock clock_;
  std::unique_ptr<RedisCache> cache_;
};

}  // namespace

std::vector<Implementation<CacheSetup>> cache_implementations() {
  return {{"Memory", [] { return std::make_unique<MemorySetup>(); }},
          {"Redis", [] { return std::make_unique<RedisSetup>(); }}};
}

}  // namespace pandora
