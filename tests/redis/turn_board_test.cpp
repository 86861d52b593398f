// How far turns have come, as several gateways know it of each other.
#include "pipeline/turn_board.h"

#include <csignal>
#include <future>

#include <gtest/gtest.h>

#include "redis/shared_caches.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using testing::eventually;
using namespace std::chrono_literals;

constexpr Duration kLong = 60s;

class Boards {
 public:
  Boards(Cache& a, Cache& b, const Clock& clock) : here(&a, "a", clock), there(&b, "b", clock), clock_(clock) {}
  TurnProgress progress(const Uuid& turn, TurnStage stage, std::string detail = "") {
    return {turn, ana, session, stage, {}, std::move(detail)};
  }
  void note(const Uuid& turn, TurnStage stage) { here.note(progress(turn, stage)); }
  std::optional<TurnStage> seen(TurnBoard& board, const Uuid& turn) {
    const auto found = must(board.find(turn, ana, kNever));
    return found ? std::optional(found->stage) : std::nullopt;
  }
  bool reaches(const Uuid& turn, TurnStage stage) {
    return eventually([&] { return seen(there, turn) == stage; });
  }
  // What the next turn of the session waits for at that board.
  std::future<Status> next_turn(TurnBoard& board, Duration patience = kLong) {
    auto told = std::make_shared<std::promise<Status>>();
    auto later = told->get_future();
    const auto now = board.after_session(ana, session, Deadline::after(clock_, patience),
                                         [told](Status how) { told->set_value(std::move(how)); });
    if (now) told->set_value(*now);
    return later;
  }
  const UserId ana = must(UserId::parse("ana")), bob = must(UserId::parse("bob"));
  const SessionId session = must(SessionId::parse("trip"));
  const SystemClock real;
  SystemRandom random;
  UuidV7Generator ids{real, random};
  TurnBoard here, there;

 private:
  const Clock& clock_;
};

bool waits(std::future<Status>& turn) { return turn.wait_for(200ms) == std::future_status::timeout; }

class SharedBoards : public ::testing::TestWithParam<Implementation<SharedCaches>> {
 protected:
  std::unique_ptr<SharedCaches> caches_ = GetParam().make();
  const SystemClock clock_;
  Boards boards_{caches_->of(0), caches_->of(1), clock_};
  const Uuid turn_ = boards_.ids.next();
};

TEST_P(SharedBoards, ATurnIsKnownAtBothHoweverFarItHasCome) {
  EXPECT_EQ(boards_.seen(boards_.there, turn_), std::nullopt);
  for (const TurnStage stage : {TurnStage::kGathering, TurnStage::kAnswering, TurnStage::kSaving,
                                TurnStage::kAcknowledged, TurnStage::kFindable}) {
    boards_.note(turn_, stage);
    EXPECT_EQ(boards_.seen(boards_.here, turn_), stage) << "where it is carried at once";
    EXPECT_TRUE(boards_.reaches(turn_, stage)) << to_string(stage);
  }
  boards_.here.note(boards_.progress(turn_, TurnStage::kTool, "clock"));
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kTool));
  const auto there = must(boards_.there.find(turn_, boards_.ana, kNever));
  EXPECT_EQ(there->detail, "clock");
  EXPECT_EQ(there->session, boards_.session);
  EXPECT_EQ(there->at, must(boards_.here.find(turn_, boards_.ana, kNever))->at);
  for (TurnBoard* board : {&boards_.here, &boards_.there})
    EXPECT_EQ(must(board->find(turn_, boards_.bob, kNever)), std::nullopt) << "it is another's";
}

TEST_P(SharedBoards, TheNextTurnOfASessionWaitsUntilTheLastOneIsFindableWhereverItWas) {
  boards_.note(turn_, TurnStage::kSaving);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kSaving));
  auto here = boards_.next_turn(boards_.here), there = boards_.next_turn(boards_.there);
  EXPECT_TRUE(waits(here));
  EXPECT_TRUE(waits(there));
  boards_.note(turn_, TurnStage::kAcknowledged);
  EXPECT_TRUE(here.get()) << "the saver of the same process knows the rest";
  EXPECT_TRUE(waits(there));
  boards_.note(turn_, TurnStage::kFindable);
  EXPECT_TRUE(there.get());
  EXPECT_TRUE(boards_.next_turn(boards_.here).get());
  EXPECT_TRUE(boards_.next_turn(boards_.there).get()) << "there is nothing to wait for any more";
}

TEST_P(SharedBoards, ATurnThatIsStillAnsweredHoldsNobodyUpForLong) {
  boards_.note(turn_, TurnStage::kAnswering);
  boards_.note(turn_, TurnStage::kGathering);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kGathering));
  EXPECT_TRUE(boards_.next_turn(boards_.here).get());
  EXPECT_TRUE(boards_.next_turn(boards_.there).get()) << "two requests of a session at once are two turns at once";
}

TEST_P(SharedBoards, AReplyThatIsOutSinceAMomentAgoIsWaitedForAlthoughTheCacheDoesNotKnow) {
  boards_.note(turn_, TurnStage::kAnswering);
  boards_.note(turn_, TurnStage::kGathering);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kGathering));
  // Its gateway knows more than the cache, which is put back.
  Cache& cache = caches_->of(0);
  const std::string key = "turn:" + turn_.to_string(), old = *must(cache.get(key, kNever));
  boards_.note(turn_, TurnStage::kSaving);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kSaving));
  must(cache.set(key, old, kLong, kNever));
  auto waiting = boards_.next_turn(boards_.there);
  EXPECT_TRUE(waits(waiting));
  boards_.note(turn_, TurnStage::kFindable);
  EXPECT_TRUE(waiting.get());
}

TEST_P(SharedBoards, WhatEndsOrIsNotSavedOrWaitsForRowsHoldsNobodyUp) {
  for (const auto& [stage, found] : {std::pair{TurnStage::kEnded, true}, std::pair{TurnStage::kUnsaved, true},
                                     std::pair{TurnStage::kWaits, false}}) {
    const Uuid turn = boards_.ids.next();
    boards_.note(turn, TurnStage::kSaving);
    ASSERT_TRUE(boards_.reaches(turn, TurnStage::kSaving));
    auto waiting = boards_.next_turn(boards_.there);
    boards_.note(turn, stage);
    EXPECT_EQ(waiting.get().has_value(), found) << to_string(stage);
    ASSERT_TRUE(boards_.reaches(turn, stage));
    EXPECT_EQ(boards_.next_turn(boards_.there).get().has_value(), found) << to_string(stage);
  }
}

TEST_P(SharedBoards, TheWaitIsBoundedAndSaysSo) {
  boards_.note(turn_, TurnStage::kSaving);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kSaving));
  // So long that the other's cache has been asked by then, also on a busy machine.
  auto here = boards_.next_turn(boards_.here, 2s), there = boards_.next_turn(boards_.there, 2s);
  EXPECT_FAILS(kDeadlineExceeded, here.get());
  EXPECT_FAILS(kDeadlineExceeded, there.get());
}

TEST_P(SharedBoards, OtherSessionsAndUsersDoNotWait) {
  boards_.note(turn_, TurnStage::kSaving);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kSaving));
  for (TurnBoard* board : {&boards_.here, &boards_.there}) {
    EXPECT_TRUE(board->wait_session(boards_.bob, boards_.session, kNever));
    EXPECT_TRUE(board->wait_session(boards_.ana, must(SessionId::parse("work")), kNever));
  }
}

TEST_P(SharedBoards, WhoFollowsIsToldOfEachStepFromBoth) {
  const auto follow = [&](TurnBoard& board, std::vector<TurnStage>& stages, std::mutex& mutex, const UserId& user) {
    return board.follow(turn_, user, [&](const TurnProgress& progress) {
      const std::lock_guard lock(mutex);
      stages.push_back(progress.stage);
    });
  };
  boards_.note(turn_, TurnStage::kGathering);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kGathering));
  std::mutex mutex;
  std::vector<TurnStage> here, there, strange;
  auto a = follow(boards_.here, here, mutex, boards_.ana), b = follow(boards_.there, there, mutex, boards_.ana),
       c = follow(boards_.here, strange, mutex, boards_.bob);
  const std::vector<TurnStage> all = {TurnStage::kAnswering, TurnStage::kSaving, TurnStage::kFindable};
  for (const TurnStage stage : all) {
    boards_.note(turn_, stage);
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return !there.empty() && there.back() == stage;
    })) << to_string(stage);
  }
  {
    const std::lock_guard lock(mutex);
    std::erase(there, TurnStage::kGathering);  // which it may have been told of late, or have looked up
    EXPECT_EQ(here, all);
    EXPECT_EQ(there, all);
    EXPECT_TRUE(strange.empty());
  }
  a.reset();
  boards_.note(turn_, TurnStage::kEnded);
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return there.back() == TurnStage::kEnded;
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(here, all) << "nobody is called who has gone";
}

TEST_P(SharedBoards, AMessageThatWasLostIsMadeUpForByLooking) {
  // Said before the follower's board could hear it, or by one that heard nothing.
  Boards silent(caches_->of(0), caches_->of(0), clock_);
  TurnBoard deaf(&caches_->of(1), "a", clock_);  // takes what "a" says for its own, and does not hear it
  silent.note(turn_, TurnStage::kSaving);
  ASSERT_TRUE(boards_.reaches(turn_, TurnStage::kSaving));
  auto waiting = silent.next_turn(deaf);
  EXPECT_TRUE(waits(waiting));
  silent.note(turn_, TurnStage::kFindable);
  EXPECT_TRUE(waiting.get());
}

TEST_P(SharedBoards, AFollowerOfATurnThatNobodyKnowsIsToldThatItIsOver) {
  std::promise<TurnProgress> told;
  const auto follower =
      boards_.there.follow(turn_, boards_.ana, [&](const TurnProgress& progress) { told.set_value(progress); });
  EXPECT_EQ(told.get_future().get().stage, TurnStage::kEnded);
}

INSTANTIATE_TEST_SUITE_P(Caches, SharedBoards, ::testing::ValuesIn(shared_caches()), kImplementationName);

// ── in one process ──

class OneBoard : public ::testing::Test {
 protected:
  TurnProgress progress(const Uuid& turn, TurnStage stage, const char* session = "trip") {
    return {turn, ana_, must(SessionId::parse(session)), stage, {}, ""};
  }
  const UserId ana_ = must(UserId::parse("ana"));
  const SessionId trip_ = must(SessionId::parse("trip"));
  const SystemClock clock_;
  SystemRandom random_;
  UuidV7Generator ids_{clock_, random_};
  TurnBoard board_{nullptr, "a", clock_};
};

TEST_F(OneBoard, ATurnWaitsForTheSaveOfTheLastOneOfItsSession) {
  const Uuid turn = ids_.next();
  EXPECT_TRUE(board_.wait_session(ana_, trip_, kNever));
  board_.note(progress(turn, TurnStage::kSaving));
  auto waiting = std::async(std::launch::async, [&] { return board_.wait_session(ana_, trip_, kNever); });
  EXPECT_TRUE(waits(waiting));
  board_.note(progress(turn, TurnStage::kAcknowledged));
  EXPECT_TRUE(waiting.get());
}

TEST_F(OneBoard, ItKnowsSoManyTurnsAndNoMore) {
  std::vector<Uuid> turns;
  for (std::size_t i = 0; i <= kMaxKnownTurns; ++i) {
    turns.push_back(ids_.next());
    board_.note(progress(turns.back(), TurnStage::kSaving, ("s" + std::to_string(i)).c_str()));
  }
  EXPECT_EQ(must(board_.find(turns.front(), ana_, kNever)), std::nullopt);
  EXPECT_NE(must(board_.find(turns[1], ana_, kNever)), std::nullopt);
  EXPECT_TRUE(board_.wait_session(ana_, must(SessionId::parse("s0")), kNever)) << "what is not known is not waited for";
  EXPECT_FAILS(kDeadlineExceeded,
               board_.wait_session(ana_, must(SessionId::parse("s1")), Deadline::after(clock_, Duration(1))));
}

TEST_F(OneBoard, SoManyFollowAndNoMore) {
  const Uuid turn = ids_.next();
  std::vector<std::unique_ptr<TurnBoard::Follower>> followers;
  for (std::size_t i = 0; i < kMaxFollowers; ++i)
    followers.push_back(board_.follow(turn, ana_, [](const TurnProgress&) {}));
  EXPECT_NE(followers.back(), nullptr);
  EXPECT_EQ(board_.follow(turn, ana_, [](const TurnProgress&) {}), nullptr);
  followers.pop_back();
  EXPECT_NE(board_.follow(turn, ana_, [](const TurnProgress&) {}), nullptr);
}

TEST_F(OneBoard, StepsRiseAlsoWhenTheClockStandsStill) {
  const ManualClock still;
  TurnBoard board(nullptr, "a", still);
  const Uuid turn = ids_.next();
  std::int64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    board.note(progress(turn, TurnStage::kAnswering));
    const std::int64_t step = must(board.find(turn, ana_, kNever))->step;
    EXPECT_GT(step, last);
    last = step;
  }
}

TEST(BoardsWithoutTheirRedis, EachKnowsItsOwnAndNobodyWaitsForTheOthers) {
  testing::RedisProcess server;
  const SystemClock clock;
  RedisOptions options;
  options.url = server.url();
  const auto cache = [&] {
    return std::make_unique<RedisCache>(must(RedisServer::create(options)), "p:", std::make_unique<ProcessCache>(clock),
                                        clock);
  };
  const auto a = cache(), b = cache();
  Boards boards(*a, *b, clock);
  const Uuid turn = boards.ids.next();
  boards.note(turn, TurnStage::kSaving);
  ASSERT_TRUE(boards.reaches(turn, TurnStage::kSaving));
  server.stop(SIGKILL);
  auto here = boards.next_turn(boards.here);
  EXPECT_TRUE(waits(here)) << "it knows by itself";
  EXPECT_TRUE(boards.next_turn(boards.there).get());
  EXPECT_FAILS(kUnavailable, boards.there.find(turn, boards.ana, kNever)) << "nobody can say";
  boards.note(turn, TurnStage::kAcknowledged);
  EXPECT_TRUE(here.get());
  server.start();
  ASSERT_TRUE(eventually([&] { return a->check(kNever).has_value() && b->check(kNever).has_value(); }));
  const Uuid next = boards.ids.next();
  ASSERT_TRUE(eventually([&] {
    boards.note(next, TurnStage::kSaving);
    return boards.seen(boards.there, next) == TurnStage::kSaving;
  }));
  auto there = boards.next_turn(boards.there);
  EXPECT_TRUE(waits(there));
  boards.note(next, TurnStage::kFindable);
  EXPECT_TRUE(there.get());
}

}  // namespace
}  // namespace pandora
