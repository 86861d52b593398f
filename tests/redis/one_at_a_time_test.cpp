// Long work that two gateways begin at once.
#include "service/one_at_a_time.h"

#include <csignal>

#include <gtest/gtest.h>

#include "redis/shared_caches.h"

namespace pandora {
namespace {

class SharedWork : public ::testing::TestWithParam<Implementation<SharedCaches>> {
 protected:
  Result<OneAtATime> begin(std::size_t gateway, const char* what) {
    return OneAtATime::begin(&caches_->of(gateway), clock_, what);
  }
  std::unique_ptr<SharedCaches> caches_ = GetParam().make();
  const SystemClock clock_;
};

TEST_P(SharedWork, OneIsAtItAndTheOtherIsTold) {
  {
    auto here = begin(0, "reindex");
    ASSERT_TRUE(here);
    EXPECT_FAILS(kConflict, begin(1, "reindex"));
    EXPECT_FAILS(kConflict, begin(0, "reindex"));
    EXPECT_TRUE(begin(1, "archive")) << "which is something else";
    EXPECT_TRUE(here->go_on());
  }
  EXPECT_TRUE(begin(1, "reindex")) << "it has ended";
}

INSTANTIATE_TEST_SUITE_P(Caches, SharedWork, ::testing::ValuesIn(shared_caches()), kImplementationName);

TEST(OneAtATime, WhoGoesOnHoldsItAndWhoStandsStillForTooLongDoesNot) {
  ManualClock clock;
  ProcessCache cache(clock);
  auto begun = OneAtATime::begin(&cache, clock, "reindex");
  ASSERT_TRUE(begun);
  auto first = std::make_unique<OneAtATime>(*std::move(begun));
  for (int i = 0; i < 5; ++i) {
    clock.advance(kHeldWithoutAStep - Duration(1));
    EXPECT_TRUE(first->go_on());
  }
  EXPECT_FAILS(kConflict, OneAtATime::begin(&cache, clock, "reindex"));
  clock.advance(kHeldWithoutAStep);
  auto second = OneAtATime::begin(&cache, clock, "reindex");
  ASSERT_TRUE(second);
  EXPECT_FAILS(kConflict, first->go_on());
  EXPECT_TRUE(second->go_on());
  first.reset();
  EXPECT_FAILS(kConflict, OneAtATime::begin(&cache, clock, "reindex")) << "the late one has not freed it";
}

TEST(OneAtATime, WithoutACacheOrWithOneThatIsAwayNobodyIsKeptFromIt) {
  const SystemClock clock;
  EXPECT_TRUE(OneAtATime::begin(nullptr, clock, "reindex"));
  testing::RedisProcess server;
  RedisOptions options;
  options.url = server.url();
  RedisCache cache(must(RedisServer::create(options)), "p:", std::make_unique<ProcessCache>(clock), clock);
  auto before = OneAtATime::begin(&cache, clock, "archive");
  ASSERT_TRUE(before);
  server.stop(SIGKILL);
  auto mine = OneAtATime::begin(&cache, clock, "reindex");
  ASSERT_TRUE(mine);
  EXPECT_TRUE(mine->go_on());
  EXPECT_TRUE(before->go_on());
}

}  // namespace
}  // namespace pandora
