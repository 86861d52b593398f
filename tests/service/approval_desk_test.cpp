#include "service/approval_desk.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "contract/expect.h"

namespace pandora {
namespace {

class Desk : public ::testing::Test {
 protected:
  using Answer = Result<ApprovalAnswer>;
  ApprovalRequest request(const char* session = "trip", const char* user = "ana", const char* tool = "memory_save") {
    return {must(UserId::parse(user)), *session ? must(SessionId::parse(session)) : SessionId(), turn, "", tool, "{}"};
  }
  std::future<Answer> ask(ApprovalRequest what, const Deadline& deadline = kNever) {
    return std::async(std::launch::async, [this, what = std::move(what), deadline] {
      return desk.ask(what, [this] { return left.load(); }, deadline);
    });
  }
  std::vector<PendingApproval> wait_for(std::size_t count) {
    while (desk.list(Principal::system()).size() != count) std::this_thread::yield();
    return desk.list(Principal::system());
  }
  const Principal ana = Principal::of(must(UserId::parse("ana"))), bob = Principal::of(must(UserId::parse("bob")));
  ManualClock clock;
  SystemRandom random;
  UuidV7Generator ids{clock, random};
  ApprovalDesk desk{ids, clock, std::chrono::seconds(60)};
  std::atomic<bool> left = false;
  const Uuid turn = ids.next();
};

TEST_F(Desk, AYesForOnceAndANo) {
  auto asked = ask(request());
  const Uuid id = wait_for(1).front().id;
  EXPECT_TRUE(desk.answer(id, ApprovalAnswer::kOnce, "", ana));
  EXPECT_EQ(must(asked.get()), ApprovalAnswer::kOnce);
  EXPECT_FAILS(kNotFound, desk.answer(id, ApprovalAnswer::kDeny, "", ana)) << "it waits no more";

  auto again = ask(request());
  EXPECT_TRUE(desk.answer(wait_for(1).front().id, ApprovalAnswer::kDeny, "not today", ana));
  const Answer denied = again.get();
  EXPECT_FAILS(kPermissionDenied, denied);
  EXPECT_NE(denied.error().message.find("not today"), std::string::npos);
}

TEST_F(Desk, AYesForTheSessionHoldsForThatToolUserAndSession) {
  auto asked = ask(request());
  EXPECT_TRUE(desk.answer(wait_for(1).front().id, ApprovalAnswer::kSession, "", ana));
  EXPECT_EQ(must(asked.get()), ApprovalAnswer::kSession);
  EXPECT_EQ(must(desk.ask(request(), {}, kNever)), ApprovalAnswer::kSession) << "at once";
  for (auto& other : {request("work"), request("trip", "bob"), request("trip", "ana", "memory_forget")}) {
    auto waits = ask(other);
    EXPECT_TRUE(desk.answer(wait_for(1).front().id, ApprovalAnswer::kDeny, "", Principal::of(other.user)));
    EXPECT_FAILS(kPermissionDenied, waits.get());
  }
}

TEST_F(Desk, WithoutASessionThereIsNoYesForIt) {
  auto asked = ask(request(""));
  const Uuid id = wait_for(1).front().id;
  EXPECT_FAILS(kInvalidArgument, desk.answer(id, ApprovalAnswer::kSession, "", ana));
  EXPECT_TRUE(desk.answer(id, ApprovalAnswer::kOnce, "", ana));
  EXPECT_TRUE(asked.get());
}

TEST_F(Desk, NobodysAnswerIsANo) {
  auto asked = ask(request());
  wait_for(1);
  clock.advance(std::chrono::seconds(59));
  EXPECT_EQ(desk.list(ana).size(), 1u);
  clock.advance(std::chrono::seconds(1));
  EXPECT_FAILS(kPermissionDenied, asked.get());
  EXPECT_TRUE(desk.list(ana).empty());
}

TEST_F(Desk, TheWaitEndsWhenItWasSaidToHoweverLongOthersTookToBeTold) {
  const ApprovalDesk::Watch watch(desk, turn, [&](const PendingApproval&) { clock.advance(std::chrono::seconds(60)); });
  auto asked = ask(request());
  left = asked.wait_for(std::chrono::seconds(10)) != std::future_status::ready;
  EXPECT_FAILS(kPermissionDenied, asked.get());
}

TEST_F(Desk, ADeadlineAndACallerWhoLeavesEndTheWait) {
  auto asked = ask(request(), Deadline::after(clock, std::chrono::seconds(1)));
  wait_for(1);
  clock.advance(std::chrono::seconds(1));
  EXPECT_FAILS(kDeadlineExceeded, asked.get());
  auto leaves = ask(request());
  wait_for(1);
  left = true;
  EXPECT_FAILS(kCancelled, leaves.get());
}

TEST_F(Desk, NobodySeesOrAnswersAnothers) {
  auto asked = ask(request());
  const Uuid id = wait_for(1).front().id;
  EXPECT_TRUE(desk.list(bob).empty());
  EXPECT_FAILS(kNotFound, desk.answer(id, ApprovalAnswer::kOnce, "", bob));
  EXPECT_TRUE(desk.answer(id, ApprovalAnswer::kDeny, "", ana));
  EXPECT_FAILS(kPermissionDenied, asked.get());
}

TEST_F(Desk, SoManyWaitAndNoMore) {
  std::vector<std::future<Answer>> waiting;
  for (std::size_t i = 0; i < kMaxPendingApprovals; ++i) waiting.push_back(ask(request()));
  wait_for(kMaxPendingApprovals);
  EXPECT_FAILS(kPermissionDenied, desk.ask(request(), {}, kNever));
  left = true;
  for (auto& one : waiting) EXPECT_FAILS(kCancelled, one.get());
}

TEST_F(Desk, LongArgumentsAreShownCut) {
  ApprovalRequest long_one = request();
  long_one.arguments = std::string(kMaxShownArguments + 1, 'x');
  auto asked = ask(long_one);
  EXPECT_LE(wait_for(1).front().what.arguments.size(), kMaxShownArguments);
  left = true;
  EXPECT_FAILS(kCancelled, asked.get());
}

TEST_F(Desk, AWatcherOfTheTurnIsToldAndMayAnswerAtOnce) {
  int told = 0;
  {
    const ApprovalDesk::Watch watch(desk, turn, [&](const PendingApproval& pending) {
      ++told;
      EXPECT_TRUE(desk.answer(pending.id, ApprovalAnswer::kOnce, "", ana));
    });
    EXPECT_TRUE(desk.ask(request(), {}, kNever));
    ApprovalRequest other = request();
    other.turn = ids.next();
    auto waits = ask(other);
    wait_for(1);
    left = true;
    EXPECT_FAILS(kCancelled, waits.get());
  }
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace pandora
