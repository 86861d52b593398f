// The rules of a turn with tools and guidance: docs/pipeline.md.
#include "driven_turn.h"

namespace pandora {
namespace {

using testing::kQuestion;
using TurnMachine = testing::Driven;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ── tools ──

TEST_F(TurnMachine, ToolsRunOneAfterTheOtherAndTheirResultsGoToTheModel) {
  offer({"search", "fetch"});
  until_model();
  call({"search", "fetch"}, "Let me look.");
  tool(ToolStatus::kOk, "one");
  tool(ToolStatus::kOk, "two");
  EXPECT_THAT(ran, ElementsAre("search", "fetch"));
  ASSERT_THAT(request.messages, SizeIs(5));
  EXPECT_EQ(request.messages[2].content, "Let me look.");
  EXPECT_THAT(request.messages[3].content, ::testing::HasSubstr("\none\n"));
  EXPECT_EQ(request.messages[3].tool_call_id, "call-0");
  EXPECT_THAT(request.messages[4].content, ::testing::HasSubstr("\ntwo\n"));
  done("Both.");
  EXPECT_EQ(reply(), "Let me look.\n\nBoth.");
  ASSERT_THAT(context().tools, SizeIs(2));
  EXPECT_EQ(context().tools[1].pass, 1);
}

TEST_F(TurnMachine, AToolThatIsNotInTheCatalogueIsRefusedAndNeverRun) {
  offer({"search"});
  until_model();
  call({"launch", "search"});
  EXPECT_THAT(ran, ElementsAre("search"));
  ASSERT_THAT(context().tools, SizeIs(1));
  EXPECT_EQ(context().tools[0].status, ToolStatus::kRefused);
  EXPECT_EQ(context().tools[0].result, "there is no tool of this name");
  EXPECT_EQ(state.tool_calls, 1) << "a refused call takes nothing of the limit";
}

TEST_F(TurnMachine, AModelThatCallsToolsWhereNoneAreOfferedIsAskedAgain) {
  until_model();
  call({"search"});
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_EQ(state.phase, TurnPhase::kModel);
  EXPECT_EQ(request.messages.back().role, ChatRole::kTool);
  done("All of them.");
  save();
  EXPECT_EQ(finished->ending, Ending::kAnswered);
}

TEST_F(TurnMachine, TwentyToolCallsRunAndTheOneAfterIsRefused) {
  offer({"search"});
  until_model();
  call(std::vector<std::string>(kMaxToolCalls + 1, "search"));
  for (int i = 0; i < kMaxToolCalls; ++i) tool();
  EXPECT_EQ(state.tool_calls, kMaxToolCalls);
  EXPECT_THAT(ran, SizeIs(kMaxToolCalls));
  EXPECT_EQ(context().tools.back().status, ToolStatus::kRefused);
  EXPECT_EQ(state.phase, TurnPhase::kModel);
  EXPECT_THAT(request.tools, IsEmpty());
}

TEST_F(TurnMachine, ExactlyTwentyToolCallsAreAllRun) {
  offer({"search"});
  until_model();
  call(std::vector<std::string>(kMaxToolCalls, "search"));
  for (int i = 0; i < kMaxToolCalls; ++i) tool();
  EXPECT_EQ(context().tools.back().status, ToolStatus::kOk);
  EXPECT_EQ(state.phase, TurnPhase::kModel);
}

TEST_F(TurnMachine, FivePassesRunAndASixthIsNotOffered) {
  offer({"search"});
  until_model();
  for (int pass = 1; pass <= kMaxPasses; ++pass) {
    EXPECT_THAT(request.tools, SizeIs(1)) << pass;
    call({"search"});
    tool();
    EXPECT_EQ(context().tools.back().pass, pass);
  }
  EXPECT_THAT(request.tools, IsEmpty());
  call({"search"});
  EXPECT_THAT(ran, SizeIs(kMaxPasses));
  EXPECT_EQ(context().tools.back().status, ToolStatus::kRefused);
}

TEST_F(TurnMachine, AReplyThatKeepsAskingForToolsIsNotWhole) {
  until_model();
  for (int i = 0; i <= kMaxRevises; ++i) call({"search"}, "Let me look.");
  save();
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_THAT(finished->error->message, HasSubstr("asked for more tools"));
  EXPECT_EQ(finished->reply, emitted);
}

TEST_F(TurnMachine, NoModelIsCalledBeyondTheLimit) {
  until_model();
  state.model_calls = kMaxModelCalls;  // more than rules of fast mode reach
  done();
  EXPECT_EQ(state.phase, TurnPhase::kSaving);
  EXPECT_EQ(state.model_calls, kMaxModelCalls);
}

TEST_F(TurnMachine, TheLastModelCallIsOfferedNoTools) {
  offer({"search"});
  until_model();
  state.model_calls = kMaxModelCalls - 1;
  done();
  EXPECT_EQ(state.model_calls, kMaxModelCalls);
  EXPECT_THAT(request.tools, IsEmpty());
}

TEST_F(TurnMachine, CallsBeyondTheMostOfOneReplyAreDroppedAndNoted) {
  offer({"search"});
  for (const std::size_t more : {0, 1}) {
    state = TurnState();
    state.options.has_model = true;
    until_model();
    call(std::vector<std::string>(kMaxCallsOfOneReply + more, "nothing"));
    EXPECT_THAT(context().tools, SizeIs(kMaxCallsOfOneReply));
    EXPECT_EQ(std::ranges::count(state.record.observations, "tools", &Observation::name), static_cast<long>(more));
  }
}

TEST_F(TurnMachine, ArgumentsAreTakenUpToTheirMaximum) {
  offer({"search"});
  until_model();
  done("", {{"a", "search", std::string(kMaxToolArgumentBytes, ' ')},
            {"b", "search", std::string(kMaxToolArgumentBytes + 1, ' ')}});
  tool();
  ASSERT_THAT(context().tools, SizeIs(2));
  EXPECT_EQ(context().tools[0].status, ToolStatus::kOk);
  EXPECT_EQ(context().tools[1].status, ToolStatus::kRefused);
  EXPECT_LE(context().tools[1].arguments.size(), kMaxToolArgumentBytes);
}

TEST_F(TurnMachine, AResultIsTakenUpToItsMaximum) {
  offer({"search"});
  until_model();
  call({"search", "search"});
  tool(ToolStatus::kOk, std::string(kMaxToolResultBytes, 'x'));
  tool(ToolStatus::kOk, std::string(kMaxToolResultBytes + 1, 'x'));
  EXPECT_EQ(context().tools[0].result, std::string(kMaxToolResultBytes, 'x'));
  EXPECT_EQ(context().tools[1].result.size(), kMaxToolResultBytes);
  EXPECT_THAT(context().tools[1].result, EndsWith("…"));
}

TEST_F(TurnMachine, AllResultsTogetherHaveAMaximumAndSaySo) {
  offer({"search"});
  until_model();
  const std::size_t full = kMaxToolTextBytes / kMaxToolResultBytes;
  call(std::vector<std::string>(full + 1, "search"));
  for (std::size_t i = 0; i < full; ++i) tool(ToolStatus::kOk, std::string(kMaxToolResultBytes, 'x'));
  EXPECT_EQ(context().tools.back().result.size(), kMaxToolResultBytes);
  tool(ToolStatus::kOk, "one more");
  EXPECT_THAT(context().tools.back().result, HasSubstr("too long"));
}

TEST_F(TurnMachine, HowAToolFailedIsKept) {
  offer({"search"});
  const std::vector<std::pair<ErrorCode, ToolStatus>> cases = {{ErrorCode::kDeadlineExceeded, ToolStatus::kTimedOut},
                                                               {ErrorCode::kCancelled, ToolStatus::kCancelled},
                                                               {ErrorCode::kPermissionDenied, ToolStatus::kRefused},
                                                               {ErrorCode::kNotFound, ToolStatus::kFailed}};
  until_model();
  call(std::vector<std::string>(cases.size(), "search"));
  for (const auto& [code, status] : cases) {
    feed(ToolFailed{id(), {code, "no", ""}});
    EXPECT_EQ(context().tools.back().status, status);
  }
  done("I could not look.");
  EXPECT_NE(context().validations.back().verdict, Verdict::kApprove);
}

// ── guidance ──

TEST_F(TurnMachine, GuidanceDuringRecallReachesTheFirstModelCall) {
  start();
  feed(GuidanceAdded{"in French, please"});
  recall();
  EXPECT_EQ(request.messages.back().content, "in French, please");
  EXPECT_EQ(context().plans.back().goals.front(), "in French, please");
}

TEST_F(TurnMachine, GuidanceDuringAToolStopsTheOthersAndReachesTheModelAfterTheResults) {
  offer({"search", "fetch"});
  until_model();
  call({"search", "fetch"});
  feed(GuidanceAdded{"not from the web"});
  tool();
  EXPECT_THAT(ran, ElementsAre("search"));
  EXPECT_EQ(context().tools[1].status, ToolStatus::kCancelled);
  EXPECT_EQ(request.messages.back().content, "not from the web");
  EXPECT_EQ(request.messages[request.messages.size() - 2].role, ChatRole::kTool);
}

TEST_F(TurnMachine, GuidanceThatNoCallFollowsIsKeptWithTheMessage) {
  until_model();
  feed(GuidanceAdded{"and I live in Porto"});
  done("All of them.");
  EXPECT_EQ(saved->record.turn.message.text, std::string(kQuestion) + "\n\nand I live in Porto");
  EXPECT_EQ(saved->record.context.query.message, kQuestion) << "§0 is append-only";
}

TEST_F(TurnMachine, GuidanceIsShownAgainWhenTheTurnIsPlannedAgain) {
  offer({"search"});
  start();
  feed(GuidanceAdded{"in French, please"});
  recall();
  for (int i = 0; i <= kMaxRevises; ++i) done();
  ASSERT_EQ(state.retries, 1);
  EXPECT_THAT(request.messages, SizeIs(3));
  EXPECT_EQ(request.messages.back().content, "in French, please");
}

TEST_F(TurnMachine, GuidanceWhileSavingIsNotTaken) {
  until_model();
  done("All of them.");
  feed(GuidanceAdded{"more"});
  EXPECT_THAT(state.guidance, IsEmpty());
}

}  // namespace
}  // namespace pandora
