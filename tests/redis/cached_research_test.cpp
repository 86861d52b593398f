// Research that gateways read through the cache which they share: never older than promised, never what was forgotten.
#include "recall/cached_research.h"

#include <atomic>
#include <csignal>
#include <future>

#include <gtest/gtest.h>

#include "redis/shared_caches.h"
#include "store_memory/memory_rows.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using testing::eventually;

// Rows that count who reads them, and let something happen between the reading and its answer.
class WatchedRows final : public ResearchStore {
 public:
  explicit WatchedRows(ResearchStore& rows) : rows_(rows) {}
  Status put(const Research& research, const Principal& who, const Deadline& deadline) override {
    return rows_.put(research, who, deadline);
  }
  Result<Research> find(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    ++reads;
    auto found = rows_.find(id, who, deadline);
    if (const auto then = std::exchange(once_read, nullptr)) then();
    return found;
  }
  Result<std::vector<Research>> list(const ResearchQuery& query, const Principal& who,
                                     const Deadline& deadline) override {
    ++reads;
    auto found = rows_.list(query, who, deadline);
    if (const auto then = std::exchange(once_read, nullptr)) then();
    return found;
  }
  Result<Research> change(const Uuid& id, const std::function<void(Research&)>& how, const Principal& who,
                          const Deadline& deadline) override {
    return rows_.change(id, how, who, deadline);
  }
  Result<Research> remove(const Uuid& id, const Principal& who, const Deadline& deadline) override {
    return rows_.remove(id, who, deadline);
  }
  int reads = 0;
  std::function<void()> once_read;

 private:
  ResearchStore& rows_;
};

// A clock that stands still, and counts how often it was asked how much time has passed.
class WatchedClock final : public Clock {
 public:
  Timestamp now() const override { return time_.now(); }
  SteadyTime steady() const override {
    const SteadyTime at = time_.steady();
    ++looks;
    return at;
  }
  void advance(Duration by) { time_.advance(by); }
  mutable std::atomic<int> looks = 0;

 private:
  ManualClock time_;
};

class World {
 public:
  World(Cache& a, Cache& b) : here(watched, a, clock), there(watched, b, clock) {}
  Research research(const std::string& topic, const Principal& who) {
    Research one;
    one.id = ids.next();
    one.user = who.user;
    one.primary_topic = topic;
    one.scope = Scope::kUser;
    one.findings = {{"trains go hourly", ContentType::kOther, 0.7, {"example.org"}}};
    one.created_at = clock.now();
    one.expires_at = clock.now() + std::chrono::hours(24);
    return one;
  }
  Research kept(const std::string& topic) {
    const Research one = research(topic, ana);
    must(here.put(one, ana, kNever));
    return one;
  }
  std::vector<Research> of_topic(CachedResearch& at, const std::string& topic) {
    return must(at.list({topic, clock.now(), {}, 10}, ana, kNever));
  }
  const Principal ana = Principal::of(must(UserId::parse("ana"))), bea = Principal::of(must(UserId::parse("bea")));
  WatchedClock clock;
  SeededRandom random{7};
  UuidV7Generator ids{clock, random};
  std::unique_ptr<MemoryRows> rows = make_memory_rows(clock);
  WatchedRows watched{rows->research()};
  CachedResearch here, there;
};

class Cached : public ::testing::TestWithParam<Implementation<SharedCaches>> {
 protected:
  std::unique_ptr<SharedCaches> caches_ = GetParam().make();
  World world_{caches_->of(0), caches_->of(1)};
  CachedResearch &here_ = world_.here, &there_ = world_.there;
  const Principal& ana_ = world_.ana;
};

TEST_P(Cached, WhatOneHasReadTheOtherReadsFromTheCache) {
  const Research one = world_.kept("trains");
  EXPECT_EQ(must(here_.find(one.id, ana_, kNever)), one);
  EXPECT_EQ(world_.of_topic(here_, "Trains "), std::vector{one});
  const int reads = world_.watched.reads;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(must(there_.find(one.id, ana_, kNever)), one);
    EXPECT_EQ(world_.of_topic(there_, "trains"), std::vector{one});
  }
  EXPECT_EQ(world_.watched.reads, reads);
}

TEST_P(Cached, WhatOneWritesTheOtherSeesAtOnce) {
  Research one = world_.kept("trains");
  EXPECT_EQ(world_.of_topic(there_, "trains"), std::vector{one});
  one.findings.push_back({"and buses", ContentType::kOther, 0.5, {}});
  must(here_.put(one, ana_, kNever));
  EXPECT_EQ(must(there_.find(one.id, ana_, kNever)), one);
  const Research second = world_.kept("trains");
  EXPECT_EQ(world_.of_topic(there_, "trains").size(), 2u);
  const Research used = must(here_.change(one.id, [](Research& row) { ++row.uses; }, ana_, kNever));
  EXPECT_EQ(must(there_.find(one.id, ana_, kNever)), used);
  must(there_.remove(one.id, ana_, kNever));
  EXPECT_FAILS(kNotFound, here_.find(one.id, ana_, kNever));
  EXPECT_EQ(world_.of_topic(here_, "trains"), std::vector{second});
  EXPECT_FAILS(kNotFound, here_.change(
                              one.id, [](Research& row) { ++row.uses; }, ana_, kNever))
      << "it is not made again";
  EXPECT_FAILS(kNotFound, there_.find(one.id, ana_, kNever));
}

TEST_P(Cached, WhatATurnBroughtOrTookAwayIsSeenOnceItIsSaid) {
  const Research one = world_.kept("trains");
  EXPECT_EQ(world_.of_topic(there_, "trains").size(), 1u);
  const Research fetched = world_.research("trains", ana_);
  must(world_.rows->research().put(fetched, ana_, kNever));
  must(here_.written_elsewhere({}, std::vector<std::string>{"trains"}, kNever));
  EXPECT_EQ(world_.of_topic(there_, "trains").size(), 2u);
  must(world_.rows->research().remove(one.id, ana_, kNever));
  must(here_.written_elsewhere({&one.id, 1}, {}, kNever));
  EXPECT_FAILS(kNotFound, there_.find(one.id, ana_, kNever));
  EXPECT_EQ(world_.of_topic(there_, "trains"), std::vector{fetched});
}

TEST_P(Cached, WhoReadTheRowsBeforeAWriteKeepsNoCopyAfterIt) {
  const Research one = world_.kept("trains");
  world_.watched.once_read = [&] { must(there_.remove(one.id, ana_, kNever)); };
  EXPECT_EQ(must(here_.find(one.id, ana_, kNever)), one) << "it was there when it was read";
  EXPECT_FAILS(kNotFound, here_.find(one.id, ana_, kNever));
  EXPECT_FAILS(kNotFound, there_.find(one.id, ana_, kNever));
  world_.watched.once_read = [&] { world_.kept("buses"); };
  EXPECT_EQ(world_.of_topic(here_, "buses").size(), 0u) << "there was none when they were read";
  EXPECT_EQ(world_.of_topic(here_, "buses").size(), 1u);
  const Research other = world_.kept("planes");
  world_.watched.once_read = [&] {
    must(there_.change(other.id, [](Research& row) { row.uses = 7; }, ana_, kNever));
    EXPECT_EQ(must(there_.find(other.id, ana_, kNever)).uses, 7) << "and keeps a copy of its own";
  };
  (void)must(here_.find(other.id, ana_, kNever));
  EXPECT_EQ(must(here_.find(other.id, ana_, kNever)).uses, 7);
}

TEST_P(Cached, NobodyReadsAnothersFromACopy) {
  Research hers = world_.research("trains", world_.bea), ours = world_.research("trains", world_.bea);
  ours.scope = Scope::kGlobal;
  must(here_.put(hers, world_.bea, kNever));
  must(here_.put(ours, world_.bea, kNever));
  EXPECT_EQ(must(here_.list({"trains", {}, {}, 10}, world_.bea, kNever)).size(), 2u);
  EXPECT_EQ(world_.of_topic(there_, "trains"), std::vector{ours});
  EXPECT_FAILS(kNotFound, there_.find(hers.id, ana_, kNever));
  EXPECT_FAILS(kPermissionDenied, there_.change(ours.id, [](Research& row) { ++row.uses; }, ana_, kNever));
}

TEST_P(Cached, WhatHasExpiredAndWhatIsTooMuchIsAsInTheRows) {
  Research one = world_.kept("trains");
  EXPECT_EQ(world_.of_topic(there_, "trains").size(), 1u);
  EXPECT_TRUE(must(there_.list({"trains", one.expires_at, {}, 10}, ana_, kNever)).empty());
  for (std::size_t i = 1; i < kMaxCachedOfTopic; ++i) world_.kept("trains");
  const auto all = [&] { return must(there_.list({"trains", {}, {}, 100}, ana_, kNever)).size(); };
  EXPECT_EQ(all(), kMaxCachedOfTopic);
  int reads = world_.watched.reads;
  EXPECT_EQ(all(), kMaxCachedOfTopic);
  EXPECT_EQ(world_.watched.reads, reads);
  EXPECT_EQ(must(there_.list({"trains", {}, {}, 3}, ana_, kNever)).size(), 3u);
  world_.kept("trains");
  reads = world_.watched.reads;
  EXPECT_EQ(all(), kMaxCachedOfTopic + 1);
  EXPECT_GT(world_.watched.reads, reads) << "one more is read from the rows";
}

INSTANTIATE_TEST_SUITE_P(Caches, Cached, ::testing::ValuesIn(shared_caches()), kImplementationName);

class CachedOverRedis : public ::testing::Test {
 protected:
  std::unique_ptr<RedisCache> cache() {
    RedisOptions options;
    options.url = server_.url();
    return std::make_unique<RedisCache>(must(RedisServer::create(options)),
                                        "p:", std::make_unique<ProcessCache>(clock_), clock_);
  }
  bool both_answer() {
    return eventually([&] { return a_->check(kNever).has_value() && b_->check(kNever).has_value(); });
  }
  const SystemClock clock_;
  testing::RedisProcess server_;
  const std::unique_ptr<RedisCache> a_ = cache(), b_ = cache();
  World world_{*a_, *b_};
};

TEST_F(CachedOverRedis, AServerThatHasLostAllTakesNoCopyThatIsTooOld) {
  const Research one = world_.kept("trains");
  world_.watched.once_read = [&] {
    server_.stop(SIGKILL);
    server_.start();
    ASSERT_TRUE(both_answer());
    must(world_.there.remove(one.id, world_.ana, kNever));
  };
  EXPECT_EQ(must(world_.here.find(one.id, world_.ana, kNever)), one);
  EXPECT_FAILS(kNotFound, world_.here.find(one.id, world_.ana, kNever));
  EXPECT_FAILS(kNotFound, world_.there.find(one.id, world_.ana, kNever));
}

TEST_F(CachedOverRedis, WhileItIsAwayRowsAnswerAndARemovalWaitsUntilNoCopyCanBeLeft) {
  const Research one = world_.kept("trains"), two = world_.kept("trains");
  EXPECT_EQ(world_.of_topic(world_.here, "trains").size(), 2u);
  server_.stop(SIGKILL);
  EXPECT_EQ(world_.of_topic(world_.here, "trains").size(), 2u);
  EXPECT_EQ(must(world_.there.find(one.id, world_.ana, kNever)), one);
  must(world_.here.change(one.id, [](Research& row) { ++row.uses; }, world_.ana, kNever));
  const int looks = world_.clock.looks;
  auto removing =
      std::async(std::launch::async, [&] { return world_.here.remove(two.id, world_.ana, kNever).has_value(); });
  ASSERT_TRUE(eventually([&] { return world_.clock.looks > looks; })) << "it has begun to count";
  EXPECT_FAILS(kNotFound, world_.rows->research().find(two.id, world_.ana, kNever));
  EXPECT_EQ(removing.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  world_.clock.advance(kResearchForgotten - std::chrono::milliseconds(1));
  EXPECT_EQ(removing.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  world_.clock.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(removing.get());
}

TEST_F(CachedOverRedis, ARemovalThatTheCacheCannotBeToldOfInTimeSaysSo) {
  const Research one = world_.kept("trains");
  server_.stop(SIGKILL);
  auto removing = std::async(std::launch::async, [&] {
    return world_.here.remove(one.id, world_.ana, Deadline::after(world_.clock, std::chrono::seconds(1)));
  });
  ASSERT_TRUE(eventually([&] { return !world_.rows->research().find(one.id, world_.ana, kNever); }));
  world_.clock.advance(std::chrono::seconds(1));
  EXPECT_FAILS(kDeadlineExceeded, removing.get());
  auto soon = std::async(std::launch::async, [&] { return world_.here.written_elsewhere({&one.id, 1}, {}, kNever); });
  server_.start();
  EXPECT_TRUE(soon.get()) << "once it is told, nobody waits";
}

}  // namespace
}  // namespace pandora
