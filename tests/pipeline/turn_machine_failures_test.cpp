// The rules of a turn when it is cancelled, out of time, or its model fails: docs/pipeline.md.
#include "driven_turn.h"

namespace pandora {
namespace {

using testing::kQuestion;
using TurnMachine = testing::Driven;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// ── cancel and deadline ──

TEST_F(TurnMachine, CancelledWhileRecallingStartsNoModelAndLeavesNothing) {
  start();
  feed(Cancelled{});
  recall();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ending, Ending::kCancelled);
  EXPECT_FALSE(saved);
  EXPECT_EQ(state.model_calls, 0);
}

TEST_F(TurnMachine, CancelledWhileTheModelSpeaksTellsItAndKeepsWhatWasSaid) {
  until_model();
  say("Peanuts, and");
  feed(Cancelled{});
  EXPECT_TRUE(model_cancelled);
  fail_model(ErrorCode::kCancelled);
  EXPECT_EQ(reply(), "Peanuts, and");
  EXPECT_EQ(saved->record.turn.status, TurnStatus::kCancelled);
  save();
  EXPECT_EQ(finished->ending, Ending::kCancelled);
  EXPECT_TRUE(finished->acknowledged);
  EXPECT_EQ(finished->error->message, "cancelled");
}

TEST_F(TurnMachine, CancelledWhileAToolRunsStartsNoOtherToolAndNoModel) {
  offer({"search", "fetch"});
  until_model();
  call({"search", "fetch"});
  feed(Cancelled{});
  tool();
  EXPECT_THAT(ran, ElementsAre("search"));
  EXPECT_EQ(state.model_calls, 1);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ending, Ending::kCancelled);
}

TEST_F(TurnMachine, WhatWasSaidBeforeAToolIsKeptWhenTheTurnIsCancelledInIt) {
  offer({"search"});
  until_model();
  say("Let me look.");
  call({"search"});
  feed(Cancelled{});
  tool();
  EXPECT_EQ(reply(), "Let me look.");
  EXPECT_EQ(saved->record.turn.status, TurnStatus::kCancelled);
}

TEST_F(TurnMachine, CancelledWhileSavingIsTooLate) {
  until_model();
  done("All of them.");
  feed(Cancelled{});
  save();
  EXPECT_EQ(finished->ending, Ending::kAnswered);
  EXPECT_TRUE(finished->acknowledged);
}

TEST_F(TurnMachine, AReplyThatCameWholeInSpiteOfACancelIsAnAnswer) {
  until_model();
  say("All of them.");
  feed(Cancelled{});
  done();
  save();
  EXPECT_EQ(finished->ending, Ending::kAnswered);
  EXPECT_FALSE(finished->error);
}

TEST_F(TurnMachine, ToolsThatACancelPreventedMakeTheReplyIncomplete) {
  offer({"search"});
  until_model();
  say("Let me look.");
  feed(Cancelled{});
  call({"search"});
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_EQ(saved->record.turn.status, TurnStatus::kCancelled);
  EXPECT_NE(context().validations.back().verdict, Verdict::kApprove);
}

TEST_F(TurnMachine, OutOfTimeKeepsTheMessageAndFails) {
  start();
  feed(DeadlinePassed{});
  recall();
  ASSERT_TRUE(saved);
  EXPECT_FALSE(saved->record.turn.reply);
  EXPECT_EQ(saved->record.turn.status, TurnStatus::kFailed);
  save();
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_EQ(finished->error->code, ErrorCode::kDeadlineExceeded);
}

TEST_F(TurnMachine, OutOfTimeWhileTheModelSpeaksIsAFailureAndNoCancel) {
  until_model();
  say("Peanuts, and");
  feed(DeadlinePassed{});
  EXPECT_TRUE(model_cancelled);
  fail_model(ErrorCode::kCancelled);
  save();
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_EQ(finished->error->code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(finished->reply, "Peanuts, and");
}

TEST_F(TurnMachine, TheFirstOfCancelAndDeadlineCounts) {
  until_model();
  say("Peanuts");
  feed(DeadlinePassed{});
  feed(Cancelled{});
  fail_model(ErrorCode::kCancelled);
  save();
  EXPECT_EQ(finished->error->code, ErrorCode::kDeadlineExceeded);
}

// ── the model fails ──

TEST_F(TurnMachine, AModelThatFailsBeforeAWordIsReplacedByQuotesAndNamed) {
  until_model();
  fail_model();
  EXPECT_THAT(emitted, HasSubstr("The language model did not answer (it is away)"));
  EXPECT_EQ(context().validations.back().verdict, Verdict::kRevise);
  save();
  EXPECT_EQ(finished->ending, Ending::kAnswered);
  ASSERT_TRUE(finished->error) << "a failure reported as success";
  EXPECT_EQ(finished->error->message, "it is away");
}

TEST_F(TurnMachine, AModelThatFailsInTheMiddleFailsTheTurnAndKeepsItsWords) {
  until_model();
  say("Peanuts, and");
  fail_model();
  EXPECT_EQ(reply(), "Peanuts, and");
  save();
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_EQ(finished->error->message, "it is away");
}

TEST_F(TurnMachine, AReplyThatItsLengthCutOffIsNotWhole) {
  for (const char* reason : {"length", "content_filter"}) {
    state = TurnState();
    state.options.has_model = true;
    until_model();
    done("Peanuts, and", {}, reason);
    EXPECT_EQ(context().validations.back().verdict, Verdict::kRetry);
    save();
    EXPECT_EQ(finished->ending, Ending::kFailed) << reason;
    EXPECT_THAT(finished->error->message, HasSubstr(reason));
  }
}

TEST_F(TurnMachine, WhatIsToldIsRememberedThoughTheModelFails) {
  until_model("I am allergic to peanuts.");
  fail_model();
  EXPECT_THAT(emitted, HasSubstr("I will remember that"));
  EXPECT_THAT(saved->proposals, SizeIs(1));
}

TEST_F(TurnMachine, ItDoesNotSayThatItRemembersWhatIsNotKept) {
  offer({"search"});
  until_model("I am allergic to peanuts.");
  call({"search"});
  tool(ToolStatus::kFailed);
  fail_model();
  EXPECT_THAT(saved->proposals, IsEmpty());
  EXPECT_THAT(emitted, Not(HasSubstr("I will remember that")));
}

TEST_F(TurnMachine, MemoriesAreProposedOnlyWhenValidationApproves) {
  until_model("I am allergic to peanuts.");
  say("I see, and");
  fail_model();
  EXPECT_THAT(saved->proposals, IsEmpty());
  state = TurnState();
  state.options.has_model = true;
  until_model("I am allergic to peanuts.");
  done("I see.");
  EXPECT_THAT(saved->proposals, SizeIs(1));
}

}  // namespace
}  // namespace pandora
