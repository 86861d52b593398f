// Requests and tokens a minute: so many and no more, whatever the minute of the clock, and what is promised of later
// holds.
#include "access/rate_limiter.h"

#include <deque>

#include "base/random.h"
#include "contract/expect.h"
#include "store_embedded/process_cache.h"

namespace pandora {
namespace {

using std::chrono::seconds;
constexpr Duration kMinute = std::chrono::minutes(1);

class RateLimiterTest : public ::testing::Test {
 protected:
  static ApiKey key(std::int64_t requests, std::int64_t tokens, std::uint8_t number = 1) {
    ApiKey made;
    made.id.bytes[15] = number;
    made.requests_a_minute = requests;
    made.tokens_a_minute = tokens;
    return made;
  }
  RateDecision admit(const ApiKey& key) { return must(limiter_.admit(key, kNever)); }
  bool is_admitted(const ApiKey& key) { return admit(key).verdict == RateVerdict::kAdmitted; }

  ManualClock clock_;
  ProcessCache cache_{clock_};
  RateLimiter limiter_{cache_};
};

TEST_F(RateLimiterTest, SoManyRequestsAMinuteAndNotOneMore) {
  const ApiKey one = key(3, 0), other = key(3, 0, 2);
  for (std::int64_t left : {2, 1, 0}) {
    const RateDecision decision = admit(one);
    EXPECT_EQ(decision.verdict, RateVerdict::kAdmitted);
    EXPECT_EQ(decision.requests.remaining, left);
    EXPECT_EQ(decision.requests.limit, 3);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(admit(one).verdict, RateVerdict::kTooManyRequests);
  EXPECT_TRUE(is_admitted(other)) << "keys have limits of their own";
}

TEST_F(RateLimiterTest, AKeyWithoutLimitsIsNotCounted) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(is_admitted(key(0, 0)));
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(RateLimiterTest, WhoWaitsAsLongAsHeIsToldIsAdmitted) {
  SeededRandom random(5);
  for (const std::int64_t limit : {1, 2, 7, 60}) {
    const ApiKey one = key(limit, 0, static_cast<std::uint8_t>(limit));
    for (int round = 0; round < 200; ++round) {
      clock_.advance(Duration(static_cast<std::int64_t>(random.below(20'000'000))));
      RateDecision decision = admit(one);
      if (decision.verdict == RateVerdict::kAdmitted) continue;
      ASSERT_GT(decision.retry_after, Duration(0));
      ASSERT_LE(decision.retry_after, 2 * kMinute);
      clock_.advance(decision.retry_after);
      ASSERT_TRUE(is_admitted(one)) << "limit " << limit << ", round " << round;
    }
  }
}

TEST_F(RateLimiterTest, NoMinuteSeesManyMoreThanTheLimit) {
  constexpr std::int64_t kLimit = 20;
  SeededRandom random(9);
  const ApiKey one = key(kLimit, 0);
  std::deque<Timestamp> admitted;
  std::size_t most = 0, all = 0;
  for (int i = 0; i < 20'000; ++i) {
    clock_.advance(Duration(static_cast<std::int64_t>(random.below(600'000))));
    if (!is_admitted(one)) continue;
    ++all;
    admitted.push_back(clock_.now());
    while (admitted.front() + kMinute <= clock_.now()) admitted.pop_front();
    most = std::max(most, admitted.size());
  }
  // The minute before is taken as even; two minutes of the clock would let twice the limit through.
  EXPECT_LE(most, kLimit + kLimit / 4);
  EXPECT_GE(most, static_cast<std::size_t>(kLimit));
  constexpr std::int64_t kMinutes = 20'000 / 200;  // of 300 ms each
  EXPECT_GE(std::int64_t(all), kMinutes * kLimit * 8 / 10) << "and nearly all of the limit can be used";
}

TEST_F(RateLimiterTest, TokensAreCountedAfterwardsAndTheNextWaits) {
  const ApiKey one = key(100, 1'000);
  EXPECT_EQ(admit(one).tokens.remaining, 1'000);
  must(limiter_.count_tokens(one, 999, kNever));
  EXPECT_EQ(admit(one).tokens.remaining, 1);
  must(limiter_.count_tokens(one, 5'000, kNever));
  RateDecision refused = admit(one);
  EXPECT_EQ(refused.verdict, RateVerdict::kTooManyTokens);
  EXPECT_EQ(refused.requests.remaining, 98) << "what is refused is not counted";
  clock_.advance(refused.retry_after - seconds(1));
  EXPECT_EQ(admit(one).verdict, RateVerdict::kTooManyTokens);
  clock_.advance(seconds(1));
  EXPECT_TRUE(is_admitted(one));
}

TEST_F(RateLimiterTest, WhatIsCountedIsGoneAfterTwoMinutes) {
  const ApiKey one = key(5, 10);
  (void)admit(one);
  must(limiter_.count_tokens(one, 3, kNever));
  const RateDecision before = admit(one);
  EXPECT_GT(before.requests.reset, Duration(0));
  clock_.advance(std::max(before.requests.reset, before.tokens.reset));
  const RateDecision after = admit(one);
  EXPECT_EQ(after.requests.remaining, 4);
  EXPECT_EQ(after.tokens.remaining, 10);
}

}  // namespace
}  // namespace pandora
