// Approvals that wait at one gateway, seen and answered at another.
#include "service/shared_approvals.h"

#include <csignal>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "redis/shared_caches.h"
#include "service/approval_desk.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using testing::eventually;

class Desks {
 public:
  using Answer = Result<ApprovalAnswer>;
  explicit Desks(Cache& a, Cache& b) : here(ids, clock, kWait, &a), there(ids, clock, kWait, &b) {}
  ApprovalRequest request(const char* session = "trip", const char* tool = "memory_save") {
    return {ana.user, *session ? must(SessionId::parse(session)) : SessionId(), ids.next(), "phone", tool, "{\"a\":1}"};
  }
  std::future<Answer> ask(ApprovalRequest what) {
    return std::async(std::launch::async, [this, what = std::move(what)] {
      return here.ask(what, [this] { return left.load(); }, kNever);
    });
  }
  // The one that waits, as the other gateway lists it.
  PendingApproval wait_for_one() {
    EXPECT_TRUE(eventually([this] { return there.list(ana).size() == 1; }));
    const auto all = there.list(ana);
    return all.empty() ? PendingApproval() : all.front();
  }
  static constexpr Duration kWait = std::chrono::seconds(60);
  const Principal ana = Principal::of(must(UserId::parse("ana"))), bob = Principal::of(must(UserId::parse("bob")));
  ManualClock clock;
  SystemRandom random;
  UuidV7Generator ids{clock, random};
  std::atomic<bool> left = false;
  ApprovalDesk here, there;
};

class SharedDesks : public ::testing::TestWithParam<Implementation<SharedCaches>> {
 protected:
  std::unique_ptr<SharedCaches> caches_ = GetParam().make();
  Desks desks_{caches_->of(0), caches_->of(1)};
};

TEST_P(SharedDesks, WhatWaitsAtOneIsListedAndAnsweredAtTheOther) {
  const ApprovalRequest request = desks_.request();
  auto asked = desks_.ask(request);
  const PendingApproval shown = desks_.wait_for_one();
  EXPECT_EQ(shown.what.tool, request.tool);
  EXPECT_EQ(shown.what.arguments, request.arguments);
  EXPECT_EQ(shown.what.session, request.session);
  EXPECT_EQ(shown.what.turn, request.turn);
  EXPECT_EQ(shown.what.key, "phone");
  EXPECT_EQ(shown.until - shown.asked_at, Desks::kWait);
  EXPECT_EQ(desks_.here.list(desks_.ana).size(), 1u) << "once, where it waits";
  EXPECT_TRUE(desks_.there.answer(shown.id, ApprovalAnswer::kOnce, "", desks_.ana));
  EXPECT_EQ(must(asked.get()), ApprovalAnswer::kOnce);
  EXPECT_FAILS(kNotFound, desks_.there.answer(shown.id, ApprovalAnswer::kDeny, "", desks_.ana));
  EXPECT_TRUE(desks_.there.list(desks_.ana).empty());
}

TEST_P(SharedDesks, ANoAndItsReasonReachWhoeverAsked) {
  auto asked = desks_.ask(desks_.request());
  EXPECT_TRUE(desks_.there.answer(desks_.wait_for_one().id, ApprovalAnswer::kDeny, "not today", desks_.ana));
  const auto denied = asked.get();
  EXPECT_FAILS(kPermissionDenied, denied);
  EXPECT_NE(denied.error().message.find("not today"), std::string::npos);
}

TEST_P(SharedDesks, AYesForTheSessionHoldsAtBoth) {
  auto asked = desks_.ask(desks_.request());
  EXPECT_TRUE(desks_.there.answer(desks_.wait_for_one().id, ApprovalAnswer::kSession, "", desks_.ana));
  EXPECT_EQ(must(asked.get()), ApprovalAnswer::kSession);
  EXPECT_EQ(must(desks_.there.ask(desks_.request(), {}, kNever)), ApprovalAnswer::kSession) << "at once";
  desks_.left = true;
  EXPECT_FAILS(kCancelled, desks_.here.ask(desks_.request("work"), [] { return true; }, kNever));
  EXPECT_FAILS(kCancelled, desks_.here.ask(desks_.request("trip", "memory_forget"), [] { return true; }, kNever));
}

TEST_P(SharedDesks, AnothersUserAndACallWithoutASessionAreAsWithOneDesk) {
  auto asked = desks_.ask(desks_.request(""));
  const Uuid id = desks_.wait_for_one().id;
  EXPECT_TRUE(desks_.there.list(desks_.bob).empty());
  EXPECT_FAILS(kNotFound, desks_.there.answer(id, ApprovalAnswer::kOnce, "", desks_.bob));
  EXPECT_FAILS(kInvalidArgument, desks_.there.answer(id, ApprovalAnswer::kSession, "", desks_.ana));
  EXPECT_TRUE(desks_.there.answer(id, ApprovalAnswer::kOnce, "", desks_.ana));
  EXPECT_TRUE(asked.get());
}

TEST_P(SharedDesks, OfTwoAnswersAtOnceOneCounts) {
  for (int round = 0; round < 10; ++round) {
    auto asked = desks_.ask(desks_.request());
    const Uuid id = desks_.wait_for_one().id;
    auto yes = std::async(std::launch::async,
                          [&] { return desks_.here.answer(id, ApprovalAnswer::kOnce, "", desks_.ana).has_value(); });
    const bool no = desks_.there.answer(id, ApprovalAnswer::kDeny, "", desks_.ana).has_value();
    ASSERT_NE(yes.get(), no) << "one is told that it counts";
    ASSERT_EQ(asked.get().has_value(), !no) << "and it does";
  }
}

TEST_P(SharedDesks, WhatWaitsNoMoreIsGoneEverywhere) {
  auto late = desks_.ask(desks_.request());
  const Uuid id = desks_.wait_for_one().id;
  desks_.clock.advance(Desks::kWait);
  EXPECT_FAILS(kPermissionDenied, late.get());
  EXPECT_TRUE(desks_.there.list(desks_.ana).empty());
  EXPECT_FAILS(kNotFound, desks_.there.answer(id, ApprovalAnswer::kOnce, "", desks_.ana));
  auto leaves = desks_.ask(desks_.request());
  desks_.wait_for_one();
  desks_.left = true;
  EXPECT_FAILS(kCancelled, leaves.get());
  EXPECT_TRUE(desks_.there.list(desks_.ana).empty());
}

TEST_P(SharedDesks, ManyThatWaitAreAllListed) {
  std::vector<std::future<Desks::Answer>> waiting;
  for (std::size_t i = 0; i < kMaxPendingApprovals; ++i) waiting.push_back(desks_.ask(desks_.request()));
  EXPECT_TRUE(eventually([&] { return desks_.there.list(desks_.ana).size() == kMaxPendingApprovals; }));
  desks_.left = true;
  for (auto& one : waiting) EXPECT_FAILS(kCancelled, one.get());
  EXPECT_TRUE(desks_.there.list(desks_.ana).empty());
}

INSTANTIATE_TEST_SUITE_P(Caches, SharedDesks, ::testing::ValuesIn(shared_caches()), kImplementationName);

TEST(DesksWithoutTheirRedis, EachHasItsOwnAndTheyShareAgainWhenItIsBack) {
  testing::RedisProcess server;
  const SystemClock clock;
  RedisOptions options;
  options.url = server.url();
  const auto cache = [&] {
    return std::make_unique<RedisCache>(must(RedisServer::create(options)), "p:", std::make_unique<ProcessCache>(clock),
                                        clock);
  };
  const auto a = cache(), b = cache();
  server.stop(SIGKILL);
  Desks desks(*a, *b);
  auto asked = desks.ask(desks.request());
  ASSERT_TRUE(eventually([&] { return desks.here.list(desks.ana).size() == 1; }));
  const Uuid id = desks.here.list(desks.ana).front().id;
  EXPECT_TRUE(desks.there.list(desks.ana).empty());
  EXPECT_FAILS(kUnavailable, desks.there.answer(id, ApprovalAnswer::kOnce, "", desks.ana)) << "it cannot know";
  EXPECT_TRUE(desks.here.answer(id, ApprovalAnswer::kSession, "", desks.ana));
  EXPECT_EQ(must(asked.get()), ApprovalAnswer::kSession);
  EXPECT_EQ(must(desks.here.ask(desks.request(), {}, kNever)), ApprovalAnswer::kSession) << "it knows by itself";
  server.start();
  ASSERT_TRUE(eventually([&] { return a->check(kNever).has_value() && b->check(kNever).has_value(); }));
  auto again = desks.ask(desks.request("work"));
  EXPECT_TRUE(desks.there.answer(desks.wait_for_one().id, ApprovalAnswer::kOnce, "", desks.ana));
  EXPECT_EQ(must(again.get()), ApprovalAnswer::kOnce);
}

}  // namespace
}  // namespace pandora
