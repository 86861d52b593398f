#include "contract/cache_contract.h"

#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "store_embedded/process_cache.h"

namespace pandora {
namespace {

using std::chrono::milliseconds;
constexpr Duration kLong = std::chrono::minutes(1);
constexpr Duration kSeconds = std::chrono::milliseconds(1'500);  // what a busy machine does not take for one request

// What a subscriber heard.
class Heard {
 public:
  auto callback() {
    return [this](const std::string& message) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(message);
      changed_.notify_all();
    };
  }
  // Once there are so many; fewer when that takes over ten seconds.
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return messages_.size() >= count; });
    return messages_;
  }
  // Until it has heard this one last; false when that takes over ten seconds.
  bool wait_for(const std::string& last) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10),
                             [&] { return !messages_.empty() && messages_.back() == last; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> messages_;
};

class CacheContract : public ::testing::TestWithParam<Implementation<CacheSetup>> {
 protected:
  Cache& cache() { return setup_->cache(); }
  void set(const std::string& key, const std::string& value, Duration lifetime = kLong) {
    must(cache().set(key, value, lifetime, kNever));
  }
  std::optional<std::string> get(const std::string& key) { return must(cache().get(key, kNever)); }
  std::int64_t add(const std::string& key, std::int64_t by, Duration lifetime = kLong) {
    return must(cache().add(key, by, lifetime, kNever));
  }
  CacheAdmission admit(const std::vector<CacheQuota>& quotas, Duration window) {
    return must(cache().admit(quotas, window, kNever));
  }
  void pass(Duration time) { setup_->pass(time); }
  void publish(const std::string& channel, const std::string& message) {
    must(cache().publish(channel, message, kNever));
  }

  std::unique_ptr<CacheSetup> setup_ = GetParam().make();
};

TEST_P(CacheContract, AValueIsKeptReplacedAndErased) {
  EXPECT_EQ(get("k"), std::nullopt);
  const std::string bytes("a\0\xff\r\n", 5);
  set("k", bytes);
  EXPECT_EQ(get("k"), bytes);
  set("k", "");
  EXPECT_EQ(get("k"), "");
  set("other", "x");
  must(cache().erase("k", kNever));
  must(cache().erase("k", kNever));
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_EQ(get("other"), "x");
}

TEST_P(CacheContract, AValueIsReplacedOnlyByWhoKnowsIt) {
  const auto replace = [this](const std::optional<std::string>& expected, const std::string& value) {
    return must(cache().replace("k", expected, value, kLong, kNever));
  };
  EXPECT_FALSE(replace("x", "y")) << "nothing is there";
  EXPECT_FALSE(replace("", "y")) << "which an empty value is not";
  EXPECT_EQ(get("k"), std::nullopt);
  const std::string bytes("a\0\xff\r\n", 5);
  EXPECT_TRUE(replace(std::nullopt, bytes));
  EXPECT_FALSE(replace(std::nullopt, "y")) << "something is there";
  EXPECT_FALSE(replace("a", "y"));
  EXPECT_EQ(get("k"), bytes);
  EXPECT_TRUE(replace(bytes, ""));
  EXPECT_FALSE(replace(std::nullopt, "y")) << "an empty value is one";
  EXPECT_TRUE(replace("", "z"));
  EXPECT_EQ(get("k"), "z");
  must(cache().replace("k", "z", "short", milliseconds(500), kNever));
  pass(milliseconds(500));
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_FALSE(replace("short", "y")) << "its time has passed";
  EXPECT_TRUE(replace(std::nullopt, "y"));
}

TEST_P(CacheContract, OfManyThreadsThatReplaceAValueOneDoes) {
  constexpr int kThreads = 4, kRounds = 50;
  set("k", "0");
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> replaced = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&] {
        const auto mine = cache().replace("k", std::to_string(round), std::to_string(round + 1), kLong, kNever);
        replaced += mine && *mine ? 1 : 0;
      });
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(replaced, 1);
  }
  EXPECT_EQ(get("k"), std::to_string(kRounds));
}

TEST_P(CacheContract, AValueLivesAsLongAsItWasGiven) {
  set("k", "x", kSeconds);
  pass(milliseconds(100));
  EXPECT_EQ(get("k"), "x");
  set("k", "y", 2 * kSeconds);  // the new one's lifetime counts
  pass(kSeconds);
  EXPECT_EQ(get("k"), "y");
  pass(kSeconds);
  EXPECT_EQ(get("k"), std::nullopt);
  set("k", "z", kSeconds);
  EXPECT_EQ(get("k"), "z");
}

TEST(ProcessCacheClock, ALifetimeEndsToTheMillisecondRoundedUp) {
  ManualClock clock;
  ProcessCache cache(clock);
  must(cache.set("k", "x", Duration(1'001), kNever));
  clock.advance(Duration(1'999));
  EXPECT_EQ(must(cache.get("k", kNever)), "x");
  clock.advance(Duration(1));
  EXPECT_EQ(must(cache.get("k", kNever)), std::nullopt);
}

TEST(ProcessCacheRoom, WhatHasEndedTakesNoRoom) {
  ManualClock clock;
  ProcessCache cache(clock);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1'000; ++i) {
      const std::string key = std::to_string(round) + ":" + std::to_string(i);
      must(cache.add(key, 1, kLong, kNever));
      must(cache.lock(key, kLong, kNever));
    }
    clock.advance(kLong);
  }
  EXPECT_LE(cache.size(), 4'100u) << "twice of what a round leaves, and no more";
}

TEST(ProcessCacheRoom, ItHoldsSoMuchAndNoMore) {
  ManualClock clock;
  ProcessCache cache(clock);
  const std::string value(kMaxCacheValue - 3, 'v');
  for (std::size_t i = 0; i < kMaxProcessCacheBytes / kMaxCacheValue; ++i)
    must(cache.set(std::to_string(100 + i), value, kLong, kNever));  // with its key a whole share
  EXPECT_FAILS(kUnavailable, cache.set("x", "", kLong, kNever));
  EXPECT_FAILS(kUnavailable, cache.add("x", 1, kLong, kNever));
  must(cache.set("100", value, kLong, kNever));
  must(cache.erase("100", kNever));
  must(cache.set("x", "", kLong, kNever));
}

TEST_P(CacheContract, KeysValuesAndLifetimesHaveTheirBounds) {
  const std::string key(kMaxCacheKey, 'k'), long_key(kMaxCacheKey + 1, 'k');
  const std::string value(kMaxCacheValue, 'v'), long_value(kMaxCacheValue + 1, 'v');
  set(key, value, kMinCacheLifetime);
  set(key, value, kMaxCacheLifetime);
  EXPECT_EQ(get(key), value);
  EXPECT_FAILS(kTooLarge, cache().set("k", long_value, kLong, kNever));
  EXPECT_FAILS(kTooLarge, cache().replace("k", std::nullopt, long_value, kLong, kNever));
  EXPECT_TRUE(must(cache().replace(key, value, value, kMaxCacheLifetime, kNever)));
  EXPECT_FAILS(kTooLarge, cache().publish("k", long_value, kNever));
  publish(key, value);
  EXPECT_EQ(add(std::string(kMaxCacheKey, 'c'), 1), 1);
  EXPECT_TRUE(must(cache().unlock(must(cache().lock(key, kLong, kNever)), kNever)));
  for (const auto& [bad, code] :
       {std::pair{long_key, ErrorCode::kTooLarge}, std::pair{std::string(), ErrorCode::kInvalidArgument}}) {
    EXPECT_TRUE(fails_with(code, cache().set(bad, "x", kLong, kNever)));
    EXPECT_TRUE(fails_with(code, cache().get(bad, kNever)));
    EXPECT_TRUE(fails_with(code, cache().erase(bad, kNever)));
    EXPECT_TRUE(fails_with(code, cache().add(bad, 1, kLong, kNever)));
    EXPECT_TRUE(fails_with(code, cache().lock(bad, kLong, kNever)));
    EXPECT_TRUE(fails_with(code, cache().unlock({bad, 1}, kNever)));
    EXPECT_TRUE(fails_with(code, cache().extend({bad, 1}, kLong, kNever)));
    EXPECT_TRUE(fails_with(code, cache().replace(bad, std::nullopt, "x", kLong, kNever)));
    EXPECT_TRUE(fails_with(code, cache().publish(bad, "x", kNever)));
    EXPECT_TRUE(fails_with(code, cache().subscribe(bad, [](const std::string&) {})));
  }
  for (const Duration lifetime :
       {Duration(-1), Duration(0), kMinCacheLifetime - Duration(1), kMaxCacheLifetime + Duration(1)}) {
    EXPECT_FAILS(kInvalidArgument, cache().set("k", "x", lifetime, kNever));
    EXPECT_FAILS(kInvalidArgument, cache().add("k", 1, lifetime, kNever));
    EXPECT_FAILS(kInvalidArgument, cache().lock("k", lifetime, kNever));
    EXPECT_FAILS(kInvalidArgument, cache().extend({"k", 1}, lifetime, kNever));
    EXPECT_FAILS(kInvalidArgument, cache().replace("k", std::nullopt, "x", lifetime, kNever));
  }
  EXPECT_EQ(get("k"), std::nullopt);
}

TEST_P(CacheContract, ACounterCountsFromZeroAndIsAValueOfDigits) {
  EXPECT_EQ(add("c", 5), 5);
  EXPECT_EQ(add("c", -7), -2);
  EXPECT_EQ(get("c"), "-2");
  EXPECT_EQ(add("c", 0), -2);
  set("c", "40");
  EXPECT_EQ(add("c", 2), 42);
  must(cache().erase("c", kNever));
  EXPECT_EQ(add("c", 1), 1);
}

TEST_P(CacheContract, WhatCannotBeCountedStaysAsItIs) {
  for (const char* value : {"", "x", "1.5", "1 ", " 1", "+1", "9223372036854775808"}) {
    set("c", value);
    EXPECT_FAILS(kInvalidArgument, cache().add("c", 1, kLong, kNever)) << '"' << value << '"';
    EXPECT_EQ(get("c"), value);
  }
  const auto largest = std::numeric_limits<std::int64_t>::max(), smallest = std::numeric_limits<std::int64_t>::min();
  set("c", std::to_string(largest));
  EXPECT_FAILS(kInvalidArgument, cache().add("c", 1, kLong, kNever));
  EXPECT_EQ(get("c"), std::to_string(largest));
  EXPECT_EQ(add("c", -1), largest - 1);
  EXPECT_EQ(add("d", smallest), smallest);
  EXPECT_FAILS(kInvalidArgument, cache().add("d", -1, kLong, kNever));
  EXPECT_EQ(get("d"), std::to_string(smallest));
}

TEST_P(CacheContract, ACountersLifetimeStartsWithItsFirstAdd) {
  add("c", 1, kSeconds);
  pass(milliseconds(100));
  EXPECT_EQ(add("c", 1, kLong), 2);
  pass(kSeconds);
  EXPECT_EQ(get("c"), std::nullopt);
  EXPECT_EQ(add("c", 1, kLong), 1);
}

TEST_P(CacheContract, ManyThreadsCountEveryAdd) {
  constexpr int kThreads = 4, kEach = 500;
  std::mutex mutex;
  std::set<std::int64_t> seen;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const auto value = cache().add("c", 1, kLong, kNever);
        const std::lock_guard lock(mutex);
        seen.insert(value.value_or(-1));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(get("c"), std::to_string(kThreads * kEach));
  EXPECT_EQ(seen.size(), std::size_t{kThreads * kEach}) << "two adds gave the same";
  EXPECT_EQ(*seen.begin(), 1);
}

// ── quotas ──

// So long that no test sees two of them.
constexpr Duration kAges = std::chrono::hours(24 * 366);

TEST_P(CacheContract, AQuotaIsUsedUpToItsLimitAndNoFurther) {
  for (int left : {2, 1, 0}) {
    const CacheAdmission one = admit({{"q", 3, 1, 1}}, kAges);
    EXPECT_TRUE(one.admitted);
    EXPECT_EQ(one.windows.at(0).now, 3 - left);
    EXPECT_EQ(one.windows.at(0).before, 0);
    EXPECT_GE(one.windows.at(0).passed, 0);
    EXPECT_LT(one.windows.at(0).passed, 1);
  }
  for (int i = 0; i < 3; ++i) {
    const CacheAdmission refused = admit({{"q", 3, 1, 1}}, kAges);
    EXPECT_FALSE(refused.admitted);
    EXPECT_EQ(refused.windows.at(0).now, 3) << "what is refused is not counted";
  }
  EXPECT_TRUE(admit({{"other", 3, 1, 1}}, kAges).admitted);
  EXPECT_TRUE(admit({{"q", 3, 1, 1}}, kAges - milliseconds(1)).admitted) << "a window of another length is another";
  EXPECT_FALSE(admit({{"never", 0, 1, 1}}, kAges).admitted);
}

TEST_P(CacheContract, OfSeveralQuotasAllAreUsedOrNone) {
  const std::vector<CacheQuota> both = {{"wide", 10, 1, 1}, {"narrow", 2, 1, 1}};
  EXPECT_TRUE(admit(both, kAges).admitted);
  EXPECT_TRUE(admit(both, kAges).admitted);
  const CacheAdmission refused = admit(both, kAges);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.windows.at(0).now, 2);
  EXPECT_EQ(refused.windows.at(1).now, 2);
}

TEST_P(CacheContract, WhatIsNeededAndWhatIsCountedAreTwoThings) {
  EXPECT_TRUE(admit({{"q", 10, 10, 0}}, kAges).admitted);
  EXPECT_EQ(admit({{"q", 10, 0, 11}}, kAges).windows.at(0).now, 11) << "past its limit, as nothing had to be free";
  EXPECT_FALSE(admit({{"q", 10, 1, 0}}, kAges).admitted);
  EXPECT_FALSE(admit({{"q", 10, 0, 0}}, kAges).admitted) << "it has less than nothing left";
  EXPECT_TRUE(admit({{"q", 11, 0, 0}}, kAges).admitted);
  EXPECT_FALSE(admit({{"q", 20, 10, 1}}, kAges).admitted);
  EXPECT_TRUE(admit({{"q", 20, 9, 1}}, kAges).admitted);
}

TEST_P(CacheContract, AWindowCountsInTheNextOneAndNoLonger) {
  constexpr Duration kWindow = milliseconds(100);
  constexpr int kLimit = 5;
  std::int64_t carried = 0, refused = 0;
  for (int i = 0; i < 60; ++i) {
    const CacheAdmission one = admit({{"q", kLimit, 1, 1}}, kWindow);
    const CacheWindow& window = one.windows.at(0);
    const double used_before = window.used() - (one.admitted ? 1 : 0);
    ASSERT_EQ(one.admitted, used_before + 1 <= kLimit + kQuotaSlack) << window.before << ' ' << window.now;
    carried += window.before, refused += one.admitted ? 0 : 1;
    if (i % 8 == 7) pass(milliseconds(60));  // bursts of eight, of which five are admitted
  }
  EXPECT_GT(carried, 0);
  EXPECT_GT(refused, 0);
  pass(2 * kWindow);
  const CacheWindow after = admit({{"q", kLimit, 1, 1}}, kWindow).windows.at(0);
  EXPECT_EQ(after.before, 0);
  EXPECT_EQ(after.now, 1);
}

TEST_P(CacheContract, ManyThreadsUseAQuotaExactly) {
  constexpr int kThreads = 4, kEach = 200, kLimit = 333;
  std::atomic<int> admitted = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&] {
      const CacheQuota quota{"q", kLimit, 1, 1};
      for (int i = 0; i < kEach; ++i) {
        const auto one = cache().admit({&quota, 1}, kAges, kNever);
        if (one) ++(one->admitted ? admitted : refused);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted, kLimit);
  EXPECT_EQ(refused, kThreads * kEach - kLimit);
}

TEST_P(CacheContract, QuotasOutOfBoundsAreRefusedAndUseNothing) {
  const auto attempt = [&](const std::vector<CacheQuota>& quotas, Duration window = kAges) {
    return cache().admit(quotas, window, kNever);
  };
  std::vector<CacheQuota> many;
  for (std::size_t i = 0; i < kMaxCacheQuotas; ++i) many.push_back({"q" + std::to_string(i), 2, 1, 1});
  EXPECT_TRUE(must(attempt(many)).admitted);
  many.push_back({"one too many", 2, 1, 1});
  EXPECT_FAILS(kInvalidArgument, attempt(many));
  EXPECT_FAILS(kInvalidArgument, attempt({}));
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", 2, 1, 1}, {"q0", 2, 1, 1}}));
  EXPECT_FAILS(kInvalidArgument, attempt({{"", 2, 1, 1}}));
  EXPECT_FAILS(kTooLarge, attempt({{std::string(kMaxCacheKey + 1, 'k'), 2, 1, 1}}));
  EXPECT_TRUE(must(attempt({{std::string(kMaxCacheKey, 'k'), 2, 1, 1}})).admitted);
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", -1, 1, 1}}));
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", 2, -1, 1}}));
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", 2, 1, kMaxCacheCount + 1}}));
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", 2, 1, 1}}, Duration(0)));
  EXPECT_FAILS(kInvalidArgument, attempt({{"q0", 2, 1, 1}}, kMaxCacheLifetime + Duration(1)));
  EXPECT_EQ(must(attempt({{"q0", 2, 0, 0}})).windows.at(0).now, 1);
  EXPECT_EQ(must(attempt({{"big", kMaxCacheCount, 0, kMaxCacheCount}})).windows.at(0).now, kMaxCacheCount);
  EXPECT_EQ(must(attempt({{"big", kMaxCacheCount, 0, 1}})).windows.at(0).now, kMaxCacheCount) << "it rises no more";
}

TEST_P(CacheContract, AQuotaAndAValueOfOneKeyAreTwoThings) {
  set("k", "x");
  EXPECT_TRUE(admit({{"k", 1, 1, 1}}, kAges).admitted);
  EXPECT_EQ(get("k"), "x");
  must(cache().erase("k", kNever));
  EXPECT_FALSE(admit({{"k", 1, 1, 1}}, kAges).admitted);
}

// ── locks ──

TEST_P(CacheContract, ALockHasOneHolderUntilItIsFreed) {
  const CacheLock first = must(cache().lock("l", kLong, kNever));
  EXPECT_EQ(first.key, "l");
  EXPECT_FAILS(kConflict, cache().lock("l", kLong, kNever));
  const CacheLock other = must(cache().lock("other", kLong, kNever));
  EXPECT_TRUE(must(cache().unlock(first, kNever)));
  EXPECT_FALSE(must(cache().unlock(first, kNever))) << "it is freed once";
  const CacheLock second = must(cache().lock("l", kLong, kNever));
  EXPECT_GT(second.fence, first.fence);
  EXPECT_TRUE(must(cache().unlock(other, kNever)));
}

TEST_P(CacheContract, ALateHolderIsToldFromThePresentOne) {
  const CacheLock late = must(cache().lock("l", kSeconds, kNever));
  pass(milliseconds(100));
  EXPECT_FAILS(kConflict, cache().lock("l", kLong, kNever));
  pass(kSeconds);
  const CacheLock present = must(cache().lock("l", kLong, kNever));
  EXPECT_GT(present.fence, late.fence);
  EXPECT_FALSE(must(cache().unlock(late, kNever))) << "it was not his any more";
  EXPECT_FAILS(kConflict, cache().lock("l", kLong, kNever)) << "the present holder's lock was freed";
  EXPECT_TRUE(must(cache().unlock(present, kNever)));
  const CacheLock expired = must(cache().lock("l", milliseconds(50), kNever));
  pass(milliseconds(50));
  EXPECT_FALSE(must(cache().unlock(expired, kNever)));
  EXPECT_FALSE(must(cache().unlock({"never_locked", 1}, kNever)));
}

TEST_P(CacheContract, AHolderHoldsOnAndALateOneDoesNot) {
  const CacheLock held = must(cache().lock("l", kSeconds, kNever));
  EXPECT_TRUE(must(cache().extend(held, kLong, kNever)));
  pass(kSeconds);
  EXPECT_FAILS(kConflict, cache().lock("l", kLong, kNever));
  EXPECT_TRUE(must(cache().extend(held, milliseconds(50), kNever)));
  pass(milliseconds(50));
  EXPECT_FALSE(must(cache().extend(held, kLong, kNever)));
  const CacheLock present = must(cache().lock("l", kLong, kNever));
  EXPECT_FALSE(must(cache().extend(held, kLong, kNever))) << "it is another's";
  EXPECT_TRUE(must(cache().unlock(present, kNever)));
  EXPECT_FALSE(must(cache().extend(present, kLong, kNever)));
  EXPECT_FALSE(must(cache().extend({"never_locked", 1}, kLong, kNever)));
}

TEST_P(CacheContract, FencesRiseAlsoWhenALockWasFreeForLong) {
  std::uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    // What is unlocked need not run out; what runs out is not unlocked.
    const CacheLock lock = must(cache().lock("l", i % 2 == 0 ? kLong : milliseconds(10), kNever));
    EXPECT_GT(lock.fence, last);
    last = lock.fence;
    EXPECT_TRUE(i % 2 != 0 || must(cache().unlock(lock, kNever)));
    pass(milliseconds(100));
  }
}

TEST_P(CacheContract, ALockAndAValueOfOneKeyAreTwoThings) {
  set("k", "x");
  const CacheLock lock = must(cache().lock("k", kLong, kNever));
  EXPECT_EQ(get("k"), "x");
  must(cache().erase("k", kNever));
  EXPECT_FAILS(kConflict, cache().lock("k", kLong, kNever));
  EXPECT_TRUE(must(cache().unlock(lock, kNever)));
  EXPECT_EQ(get("k"), std::nullopt);
}

TEST_P(CacheContract, OfManyThreadsOneGetsTheLock) {
  constexpr int kThreads = 4, kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> holders = 0, refused = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&] {
        const auto lock = cache().lock("l" + std::to_string(round), kLong, kNever);
        if (lock)
          ++holders;
        else if (lock.error().code == ErrorCode::kConflict)
          ++refused;
      });
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(holders, 1);
    ASSERT_EQ(refused, kThreads - 1);
  }
}

// ── messages ──

TEST_P(CacheContract, EverySubscriberOfAChannelHearsItsMessagesInOrder) {
  Heard first, second, elsewhere;
  const auto a = must(cache().subscribe("news", first.callback())),
             b = must(cache().subscribe("news", second.callback()));
  const auto c = must(cache().subscribe("other", elsewhere.callback()));
  std::vector<std::string> sent = {"", std::string("a\0\xff", 3)};
  for (int i = 0; i < 200; ++i) sent.push_back(std::to_string(i));
  for (const auto& message : sent) publish("news", message);
  publish("other", "for others");
  publish("nobody", "fine");
  EXPECT_EQ(first.wait_for(sent.size()), sent);
  EXPECT_EQ(second.wait_for(sent.size()), sent);
  EXPECT_EQ(elsewhere.wait_for(1), std::vector<std::string>{"for others"});
}

TEST_P(CacheContract, MessagesOfManyPublishersAreHeardOnceAndEachsInOrder) {
  constexpr int kThreads = 3, kEach = 100;
  Heard heard;
  const auto subscription = must(cache().subscribe("news", heard.callback()));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i)
        (void)cache().publish("news", std::string(1, static_cast<char>('a' + thread)) + std::to_string(i), kNever);
    });
  for (auto& thread : threads) thread.join();
  std::map<char, int> next;
  for (const auto& message : heard.wait_for(kThreads * kEach))
    EXPECT_EQ(message.substr(1), std::to_string(next[message[0]]++));
  for (int thread = 0; thread < kThreads; ++thread) EXPECT_EQ(next[static_cast<char>('a' + thread)], kEach);
}

TEST_P(CacheContract, OnlyWhoHasSubscribedByThenHears) {
  Heard before, heard;
  const auto witness = must(cache().subscribe("news", before.callback()));
  publish("news", "too early");
  ASSERT_EQ(before.wait_for(1).size(), 1u);
  auto subscription = must(cache().subscribe("news", heard.callback()));
  publish("news", "in time");
  EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"in time"});
  subscription.reset();
  publish("news", "too late");
  ASSERT_EQ(before.wait_for(3).size(), 3u);
  EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"in time"});
}

TEST_P(CacheContract, NoCallbackRunsAfterTheSubscriptionEnded) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> ended = false, heard_late = false;
    auto subscription = must(cache().subscribe("news", [&](const std::string&) { heard_late = heard_late || ended; }));
    std::thread publisher([&] {
      for (int i = 0; i < 50; ++i) (void)cache().publish("news", "x", kNever);
    });
    subscription.reset();
    ended = true;
    publisher.join();
    ASSERT_FALSE(heard_late);
  }
}

TEST_P(CacheContract, OfASubscriberThatLagsTheOldestMessagesAreLost) {
  Heard heard;
  std::mutex mutex;
  std::condition_variable changed;
  bool busy = false, go_on = false;
  const auto subscription = must(cache().subscribe("news", [&](const std::string& message) {
    {
      std::unique_lock lock(mutex);
      busy = true;
      changed.notify_all();
      changed.wait(lock, [&] { return go_on; });
    }
    heard.callback()(message);
  }));
  // Who comes second to a channel hears each message second.
  Heard witness;
  const auto second = must(cache().subscribe("news", witness.callback()));
  publish("news", "in hand");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return busy; }));
  }
  const int sent = static_cast<int>(kMaxCacheBacklog) + 1;
  for (int i = 0; i < sent; ++i) publish("news", std::to_string(i));
  ASSERT_TRUE(witness.wait_for(std::to_string(sent - 1)));
  {
    const std::lock_guard lock(mutex);
    go_on = true;
    changed.notify_all();
  }
  const auto messages = heard.wait_for(kMaxCacheBacklog + 1);
  ASSERT_EQ(messages.size(), kMaxCacheBacklog + 1);
  EXPECT_EQ(messages[0], "in hand");
  EXPECT_EQ(messages[1], "1");
  EXPECT_EQ(messages.back(), std::to_string(sent - 1));
}

TEST_P(CacheContract, AfterADeadlineNothingIsDone) {
  set("k", "x");
  const CacheLock lock = must(cache().lock("l", kLong, kNever));
  Heard heard;
  const auto subscription = must(cache().subscribe("news", heard.callback()));
  EXPECT_FAILS(kDeadlineExceeded, cache().set("k", "y", kLong, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().get("k", past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().erase("k", past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().replace("k", "x", "y", kLong, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().add("c", 1, kLong, past()));
  const CacheQuota quota{"q", 1, 1, 1};
  EXPECT_FAILS(kDeadlineExceeded, cache().admit({&quota, 1}, kLong, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().check(past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().lock("m", kLong, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().unlock(lock, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().extend(lock, kLong, past()));
  EXPECT_FAILS(kDeadlineExceeded, cache().publish("news", "late", past()));
  publish("news", "in time");
  EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"in time"});
  EXPECT_EQ(get("k"), "x");
  EXPECT_EQ(get("c"), std::nullopt);
  EXPECT_TRUE(must(cache().unlock(lock, kNever)));
  must(cache().lock("m", kLong, kNever));
  EXPECT_TRUE(must(cache().admit({&quota, 1}, kLong, kNever)).admitted);
  must(cache().check(kNever));
}

INSTANTIATE_TEST_SUITE_P(Caches, CacheContract, ::testing::ValuesIn(cache_implementations()), kImplementationName);

}  // namespace
}  // namespace pandora
