// What several processes share over one Redis, and what each does while it is away.
#include "store_server/redis_cache.h"

#include <csignal>
#include <thread>

#include <gmock/gmock.h>

#include "access/rate_limiter.h"
#include "contract/expect.h"
#include "store_embedded/process_cache.h"
#include "support/raw_tcp.h"
#include "support/redis_process.h"
#include "support/tcp_gate.h"

namespace pandora {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::RedisProcess;
using namespace std::chrono_literals;

constexpr Duration kLong = 60s, kAges = std::chrono::hours(24 * 366);

class RedisCacheTest : public ::testing::Test {
 protected:
  // What a process of its own would have.
  std::unique_ptr<RedisCache> process(std::uint16_t port, Duration timeout = 20s,
                                      const std::string& prefix = "pandora:") {
    RedisOptions options;
    options.host = "127.0.0.1", options.port = port, options.timeout = timeout;
    return std::make_unique<RedisCache>(must(RedisServer::create(options)), prefix,
                                        std::make_unique<ProcessCache>(clock_), clock_);
  }
  static bool use(Cache& cache, const CacheQuota& quota) {
    return must(cache.admit({&quota, 1}, kAges, kNever)).admitted;
  }
  const SystemClock clock_;
};

TEST_F(RedisCacheTest, FourProcessesShareALimitExactly) {
  const RedisProcess server;
  constexpr int kLimit = 100;
  ApiKey key;
  key.requests_a_minute = kLimit;
  std::vector<std::unique_ptr<RedisCache>> caches;
  for (int i = 0; i < 4; ++i) caches.push_back(process(server.port()));
  std::atomic<int> admitted = 0, refused = 0;
  std::atomic<std::int64_t> crossed = 0;
  const SteadyTime begun = clock_.steady();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      Cache& cache = *caches[static_cast<std::size_t>(thread) % 4];
      const CacheQuota quota{"q", kLimit, 1, 1};
      for (int i = 0; i < 40; ++i) ++(use(cache, quota) ? admitted : refused);
      RateLimiter limiter(cache);
      for (int i = 0; i < 40; ++i)
        if (must(limiter.admit(key, kNever)).verdict == RateVerdict::kAdmitted) ++crossed;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted, kLimit);
  EXPECT_EQ(refused, 8 * 40 - kLimit);
  EXPECT_GE(crossed, kLimit);
  // A minute may have ended meanwhile, and what it had fades by seconds.
  const double seconds = std::chrono::duration<double>(clock_.steady() - begun).count();
  EXPECT_LE(crossed, kLimit + 2 + kLimit * seconds / 60);
}

TEST_F(RedisCacheTest, AnAdmissionIsOneRoundTrip) {
  const RedisProcess server;
  const auto cache = process(server.port());
  (void)use(*cache, {"q", 10, 1, 1});
  const auto calls = [&] {
    const std::string all = server.ask({"INFO", "commandstats"});
    const auto at = all.find("cmdstat_evalsha:calls=");
    return std::stoi(all.substr(at + 22));
  };
  const int before = calls();
  for (int i = 0; i < 5; ++i) (void)use(*cache, {"q", 10, 1, 1});
  EXPECT_EQ(calls() - before, 5);
  EXPECT_THAT(server.ask({"INFO", "commandstats"}), HasSubstr("cmdstat_eval:calls=1,"));
}

TEST_F(RedisCacheTest, ValuesLocksAndMessagesGoFromProcessToProcess) {
  const RedisProcess server;
  const auto one = process(server.port()), other = process(server.port()),
             stranger = process(server.port(), 20s, "theirs:");
  must(one->set("k", "v", kLong, kNever));
  EXPECT_EQ(must(other->get("k", kNever)), "v");
  EXPECT_EQ(must(stranger->get("k", kNever)), std::nullopt);
  const CacheLock lock = must(one->lock("l", kLong, kNever));
  EXPECT_FAILS(kConflict, other->lock("l", kLong, kNever));
  must(stranger->lock("l", kLong, kNever));
  EXPECT_TRUE(must(other->unlock(lock, kNever))) << "who knows the fence may";
  std::atomic<int> heard = 0, strange = 0;
  const auto mine = must(one->subscribe("c", [&](const std::string&) { ++heard; }));
  const auto theirs = must(stranger->subscribe("c", [&](const std::string&) { ++strange; }));
  must(other->publish("c", "hello", kNever));
  EXPECT_TRUE(eventually([&] { return heard == 1; }));
  EXPECT_EQ(strange, 0);
}

TEST_F(RedisCacheTest, AFenceRisesAlsoWhenTheServerHasLostAll) {
  RedisProcess server;
  const auto cache = process(server.port());
  const CacheLock before = must(cache->lock("l", kLong, kNever));
  server.stop(SIGKILL);
  server.start();
  const CacheLock after = must(cache->lock("l", kLong, kNever));
  EXPECT_GT(after.fence, before.fence);
  EXPECT_FALSE(must(cache->unlock(before, kNever)));
}

TEST_F(RedisCacheTest, NothingStaysThere) {
  const RedisProcess server;
  const auto cache = process(server.port());
  must(cache->set("k", "v", 1ms, kNever));
  must(cache->add("c", 1, 1ms, kNever));
  const CacheQuota quota{"q", 1, 1, 1};
  must(cache->admit({&quota, 1}, 1ms, kNever));
  must(cache->lock("l", 1ms, kNever));
  must(cache->check(kNever));
  EXPECT_TRUE(eventually([&] { return server.ask({"KEYS", "*"}) == "pandora:fence"; })) << server.ask({"KEYS", "*"});
}

TEST_F(RedisCacheTest, WhileItIsAwayLimitsAreOfEachProcessAndLocksOfNobody) {
  RedisProcess server;
  const auto one = process(server.port()), other = process(server.port());
  const CacheQuota quota{"q", 3, 1, 1};
  EXPECT_TRUE(use(*one, quota));
  server.stop(SIGKILL);
  for (Cache* cache : {static_cast<Cache*>(one.get()), static_cast<Cache*>(other.get())}) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(use(*cache, quota));
    EXPECT_FALSE(use(*cache, quota));
    EXPECT_FAILS(kUnavailable, cache->check(kNever));
    EXPECT_FAILS(kUnavailable, cache->lock("l", kLong, kNever));
    EXPECT_FAILS(kUnavailable, cache->get("k", kNever));
    EXPECT_FAILS(kUnavailable, cache->publish("c", "x", kNever));
    EXPECT_FALSE(cache->subscribe("c", [](const std::string&) {}));
  }
  server.start();
  EXPECT_TRUE(eventually([&] { return one->check(kNever).has_value() && other->check(kNever).has_value(); }));
  EXPECT_TRUE(use(*one, quota));
  EXPECT_TRUE(use(*other, quota));
  EXPECT_TRUE(use(*one, quota));
  EXPECT_FALSE(use(*other, quota)) << "they share it again";
}

TEST_F(RedisCacheTest, AServerThatHangsHoldsUpHardlyAnybody) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const auto cache = process(gate.port(), 300ms);
  const CacheQuota quota{"q", kMaxCacheCount, 1, 1};
  EXPECT_TRUE(use(*cache, quota));
  gate.hold();
  const SteadyTime begin = clock_.steady();
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(use(*cache, quota));
  EXPECT_LT(clock_.steady() - begin, 10s) << "each waited for the timeout";
  gate.release();
  EXPECT_TRUE(eventually([&] { return cache->check(kNever).has_value(); }));
}

TEST_F(RedisCacheTest, AServerThatIsFullOrAReplicaOrRefusesUsIsAwayAsWell) {
  const RedisProcess full({.settings = {"maxmemory 1", "maxmemory-policy noeviction"}, .tls_files = ""});
  const auto cannot = process(full.port());
  EXPECT_TRUE(use(*cannot, {"q", 1, 1, 1}));
  EXPECT_FALSE(use(*cannot, {"q", 1, 1, 1}));
  const Status why = cannot->check(kNever);
  EXPECT_FAILS(kUnavailable, why);
  EXPECT_THAT(why.error().remedy, HasSubstr("maxmemory"));
  const RedisProcess locked({.settings = {"requirepass right"}, .tls_files = ""});
  const auto stranger = process(locked.port());
  EXPECT_TRUE(use(*stranger, {"q", 1, 1, 1}));
  EXPECT_FAILS(kUnauthenticated, stranger->check(kNever));
  const RedisProcess limited({.settings = {"user default on nopass ~theirs:* &* +@all"}, .tls_files = ""});
  const auto elsewhere = process(limited.port());
  EXPECT_TRUE(use(*elsewhere, {"q", 1, 1, 1}));
  EXPECT_FAILS(kPermissionDenied, elsewhere->check(kNever));
}

TEST_F(RedisCacheTest, WhatSomebodyElsePutUnderOurKeysIsNoValueOfOurs) {
  const RedisProcess server;
  const auto cache = process(server.port());
  server.ask({"RPUSH", "pandora:value:k", "1"});
  EXPECT_FAILS(kDataCorrupt, cache->get("k", kNever));
  server.ask({"SET", "pandora:quota:60000:q", "1"});
  const CacheQuota quota{"q", 1, 1, 1};
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(must(cache->admit({&quota, 1}, kLong, kNever)).admitted, i == 0) << "counted by this process";
    EXPECT_FALSE(must(cache->get("none", kNever)));
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("cache.alone"), std::string::npos) << said;
  EXPECT_EQ(said.find("cache.shared_again"), std::string::npos) << said;
  const auto once = said.find("cache.not_ours");
  EXPECT_NE(once, std::string::npos) << said;
  EXPECT_EQ(said.find("cache.not_ours", once + 1), std::string::npos) << said;
}

}  // namespace
}  // namespace pandora
