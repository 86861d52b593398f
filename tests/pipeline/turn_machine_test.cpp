// The rules of a turn, one by one: docs/pipeline.md.
#include "pipeline/turn_machine.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "pipeline/extractive_reply.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr const char* kQuestion = "Which nuts should I avoid?";

// Carries a turn through the machine, and keeps what it does.
class Driven : public ::testing::Test {
 protected:
  Driven() { state.options.has_model = true; }

  void offer(std::vector<std::string> names) {
    for (auto& name : names) state.options.tools.push_back({std::move(name), "", "{}"});
  }
  std::vector<Action> feed(decltype(Event::what) what) {
    now = now + std::chrono::milliseconds(1);
    auto actions = step(state, {now, std::move(what)});
    for (const auto& action : actions) {
      if (const auto* emit = std::get_if<EmitAction>(&action.what)) emitted += emit->text;
      if (const auto* save = std::get_if<SaveAction>(&action.what)) saved = *save;
      if (const auto* model = std::get_if<StartModelAction>(&action.what)) request = model->request;
      if (const auto* tool = std::get_if<RunToolAction>(&action.what)) ran.push_back(tool->call.name);
      if (const auto* finish = std::get_if<FinishAction>(&action.what)) finished = *finish;
      if (std::holds_alternative<CancelModelAction>(action.what)) model_cancelled = true;
      if (std::holds_alternative<RateAction>(action.what)) rated = std::get<RateAction>(action.what);
    }
    return actions;
  }
  ActionId id() const { return state.waiting_for; }

  void start(const std::string& message = kQuestion, std::vector<Turn> last = {}) {
    Uuid uid;
    uid.bytes[0] = 1;
    feed(Started{uid,
                 UserId::parse("ana").value(),
                 SessionId::parse("s1").value(),
                 {Role::kUser, "", message},
                 std::move(last)});
  }
  void recall() { feed(Recalled{id(), {RecallMode::kHybrid, {}, {}, 0}}); }
  void until_model(const std::string& message = kQuestion) { start(message), recall(); }
  void say(const std::string& text) { feed(ModelDelta{id(), text}); }
  void done(const std::string& content = "", std::vector<ToolCall> calls = {}, const std::string& reason = "stop") {
    feed(ModelDone{id(), {"a-model", content, std::move(calls), reason, 1, 2}});
  }
  void call(std::vector<std::string> names, const std::string& content = "") {
    std::vector<ToolCall> calls;
    for (auto& name : names) calls.push_back({"call-" + std::to_string(calls.size()), std::move(name), "{}"});
    done(content, std::move(calls));
  }
  void tool(ToolStatus status = ToolStatus::kOk, const std::string& result = "a result") {
    ToolOutcome outcome;
    outcome.status = status;
    outcome.result = result;
    feed(ToolDone{id(), std::move(outcome)});
  }
  void fail_model(ErrorCode code = ErrorCode::kUnavailable) { feed(ModelFailed{id(), {code, "it is away", ""}}); }
  void save() { feed(Saved{id()}); }
  Turn previous() const {
    Turn turn;
    turn.number = {7};
    turn.topic = "laptops";
    return turn;
  }
  const ContextDocument& context() const { return state.record.context; }
  std::string reply() const { return saved && saved->record.turn.reply ? saved->record.turn.reply->text : ""; }

  TurnState state;
  Timestamp now{1'767'600'000'000'000};
  std::string emitted;
  ChatRequest request;
  std::vector<std::string> ran;
  std::optional<SaveAction> saved;
  std::optional<FinishAction> finished;
  std::optional<RateAction> rated;
  bool model_cancelled = false;
};
using TurnMachine = Driven;

// ── a row of each step ──

// Each event comes a millisecond after the one before.
TEST_F(TurnMachine, EveryPhaseModelCallAndToolCallHasARowWithItsOwnTime) {
  state.options.tools = {{"web", "looks", "{}"}, {"clock", "tells", "{}"}};
  until_model();
  call({"web", "clock"});
  tool();
  tool(ToolStatus::kFailed);
  say("Peanuts.");
  done();
  ASSERT_TRUE(saved);
  struct Row {
    std::string name;
    std::int64_t millis;
    bool operator==(const Row&) const = default;
  };
  std::vector<Row> rows;
  for (const auto& one : saved->record.observations) rows.push_back({one.name, one.micros / 1'000});
  const std::vector<Row> wanted = {{"phase 0", 0}, {"phase 1", 0}, {"phase 2", 1}, {"phase 3", 0},
                                   {"a-model", 1}, {"web", 1},     {"clock", 1},   {"phase 4", 3},
                                   {"a-model", 2}, {"phase 5", 2}, {"phase 6", 0}, {"turn", 6}};
  ASSERT_EQ(rows.size(), wanted.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].name, wanted[i].name) << i;
    EXPECT_EQ(rows[i].millis, wanted[i].millis) << i << ": " << rows[i].name;
  }
  EXPECT_EQ(saved->record.observations[4].tokens_out, 2);
}

TEST_F(TurnMachine, TheTimeOfAModelIsNotThatOfTheOneBefore) {
  until_model();
  done();  // without a word: it is asked again
  done("Peanuts.");
  std::vector<std::int64_t> millis;
  for (const auto& one : saved->record.observations)
    if (one.kind == ObservationKind::kModel) millis.push_back(one.micros / 1'000);
  EXPECT_EQ(millis, (std::vector<std::int64_t>{1, 1}));
}

// ── the way of a turn ──

TEST_F(TurnMachine, AReplyIsEmittedAsItComesAndSavedAsItWasEmitted) {
  until_model();
  say("Peanuts");
  EXPECT_EQ(emitted, "Peanuts");
  say(", surely.");
  done();
  EXPECT_EQ(emitted, "Peanuts, surely.");
  EXPECT_EQ(reply(), emitted);
  save();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ending, Ending::kAnswered);
  EXPECT_EQ(finished->reply, emitted);
  EXPECT_TRUE(finished->acknowledged);
  EXPECT_FALSE(finished->error);
}

TEST_F(TurnMachine, AReplyThatWasNotStreamedIsEmittedOnce) {
  until_model();
  done("All of them.");
  EXPECT_EQ(emitted, "All of them.");
  EXPECT_EQ(reply(), "All of them.");
}

TEST_F(TurnMachine, NothingIsAcknowledgedWhenTheSaveFails) {
  until_model();
  done("All of them.");
  feed(SaveFailed{id(), {ErrorCode::kStorageFull, "the disk is full", ""}});
  ASSERT_TRUE(finished);
  EXPECT_FALSE(finished->acknowledged);
  EXPECT_EQ(finished->error->code, ErrorCode::kStorageFull);
  EXPECT_EQ(finished->reply, "All of them.");
}

TEST_F(TurnMachine, WithoutAModelTheReplyQuotesAndSaysWhy) {
  state.options.has_model = false;
  until_model();
  EXPECT_THAT(emitted, HasSubstr(std::string(kNoModelConfigured)));
  EXPECT_EQ(saved->record.turn.model, kExtractiveModel);
  EXPECT_EQ(saved->record.turn.status, TurnStatus::kComplete);
}

TEST_F(TurnMachine, AClarificationSavesNothing) {
  start("What is that?");
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ending, Ending::kClarified);
  EXPECT_FALSE(finished->acknowledged);
  EXPECT_FALSE(finished->reply.empty());
  EXPECT_EQ(finished->reply, emitted);
  EXPECT_FALSE(saved);
}

TEST_F(TurnMachine, WhatPointsBackToATurnNeedsNoClarification) {
  start("What is that?", {previous()});
  EXPECT_FALSE(finished);
  EXPECT_EQ(state.phase, TurnPhase::kGathering);
}

TEST_F(TurnMachine, ARejectionIsSaidOfTheTurnBefore) {
  start("No, that is wrong.", {previous()});
  ASSERT_TRUE(rated);
  EXPECT_EQ(rated->turn.value, 7);
  EXPECT_TRUE(rated->rejected);
  EXPECT_EQ(rated->quality, kRejectedQuality);
}

// ── events that are no answer ──

TEST_F(TurnMachine, ASecondStartChangesNothing) {
  until_model();
  const auto before = state.record;
  EXPECT_THAT(feed(Started{}), IsEmpty());
  EXPECT_EQ(state.record, before);
  EXPECT_EQ(state.phase, TurnPhase::kModel);
}

TEST_F(TurnMachine, AStartAfterTheEndBeginsNothing) {
  feed(Cancelled{});
  ASSERT_TRUE(finished);
  start();
  EXPECT_EQ(state.phase, TurnPhase::kFinished);
}

TEST_F(TurnMachine, AnAnswerOfAnotherKindIsNone) {
  until_model();
  const ActionId model = id();
  const Error error{ErrorCode::kUnavailable, "", ""};
  for (const decltype(Event::what)& what : {decltype(Event::what)(Saved{model}),
                                            {SaveFailed{model, error}},
                                            {ToolDone{model, {}}},
                                            {ToolFailed{model, error}},
                                            {Recalled{model, {}}}})
    EXPECT_THAT(feed(what), IsEmpty());
  EXPECT_EQ(id(), model);
  EXPECT_FALSE(finished) << "a stray \"saved\" acknowledged a turn that was never saved";
}

TEST_F(TurnMachine, AnAnswerCountsOnce) {
  offer({"search"});
  until_model();
  call({"search", "search"});
  const ActionId first = id();
  tool();
  const ActionId second = id();
  EXPECT_THAT(feed(ToolDone{first, {}}), IsEmpty());
  EXPECT_EQ(id(), second);
  EXPECT_THAT(context().tools, SizeIs(1));
}

TEST_F(TurnMachine, WordsOfAnEarlierCallAreNotTakenForThoseOfALaterOne) {
  offer({"search"});
  until_model();
  const ActionId first = id();
  call({"search"});
  tool();
  EXPECT_THAT(feed(ModelDelta{first, "late"}), IsEmpty());
  EXPECT_EQ(emitted, "");
}

TEST_F(TurnMachine, AfterTheEndNothingHappens) {
  until_model();
  done("All of them.");
  const ActionId asked = id();
  save();
  for (const decltype(Event::what)& what : {decltype(Event::what)(Saved{asked}),
                                            {Cancelled{}},
                                            {DeadlinePassed{}},
                                            {GuidanceAdded{"more"}},
                                            {ModelDelta{asked, "x"}}})
    EXPECT_THAT(feed(what), IsEmpty());
}

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

// ── empty replies: REVISE and RETRY ──

TEST_F(TurnMachine, AnEmptyReplyIsAskedForAgainTwiceAndThenReplacedByQuotes) {
  until_model();
  for (int i = 0; i < kMaxRevises; ++i) {
    done();
    EXPECT_EQ(state.phase, TurnPhase::kModel);
    EXPECT_EQ(context().validations.back().verdict, Verdict::kRevise);
  }
  done(" \n ");
  EXPECT_EQ(state.model_calls, 1 + kMaxRevises);
  EXPECT_THAT(emitted, HasSubstr("The language model gave an empty reply"));
  save();
  EXPECT_TRUE(finished->error);
}

TEST_F(TurnMachine, WithToolsItIsPlannedAgainOnceWithoutThem) {
  offer({"search"});
  until_model();
  for (int i = 0; i < kMaxRevises; ++i) done();
  EXPECT_THAT(request.tools, SizeIs(1));
  done();
  EXPECT_EQ(state.retries, 1);
  EXPECT_THAT(request.tools, IsEmpty());
  EXPECT_EQ(context().validations.back().verdict, Verdict::kRetry);
  ASSERT_THAT(context().plans, SizeIs(2));
  EXPECT_EQ(context().plans[1].attempt, 2);
  EXPECT_EQ(context().plans[1].route, Route::kSynthesis);
  done();
  EXPECT_EQ(state.phase, TurnPhase::kSaving);
  EXPECT_EQ(state.model_calls, 1 + kMaxRepeats);
}

TEST_F(TurnMachine, ALaterReplyWithWordsIsTheAnswer) {
  until_model();
  done();
  done("All of them.");
  save();
  EXPECT_EQ(finished->reply, "All of them.");
  EXPECT_FALSE(finished->error);
}

TEST_F(TurnMachine, WhatWasSaidStandsWhateverWorseComesLater) {
  offer({"search"});
  until_model();
  say("Peanuts, I believe.");
  call({"search"});
  tool();
  for (int i = 0; i <= kMaxRepeats; ++i) done();
  EXPECT_THAT(reply(), StartsWith("Peanuts, I believe.\n\n"));
  EXPECT_EQ(reply(), emitted);
}

TEST_F(TurnMachine, WhiteSpaceBeforeAFirstWordIsNoWord) {
  until_model();
  say("\n ");
  EXPECT_EQ(emitted, "");
  say("All");
  EXPECT_EQ(emitted, "\n All");
}

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

// ── what a model may say ──

TEST_F(TurnMachine, AReplyOfTheMaximumIsTakenAndALongerOneIsStopped) {
  until_model();
  say(std::string(kMaxReplyBytes, 'x'));
  EXPECT_FALSE(model_cancelled);
  say("y");
  EXPECT_TRUE(model_cancelled);
  say("z");
  fail_model(ErrorCode::kCancelled);
  EXPECT_EQ(reply().size(), kMaxReplyBytes);
  EXPECT_EQ(reply(), emitted);
  save();
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_EQ(finished->error->code, ErrorCode::kTooLarge);
}

TEST_F(TurnMachine, BrokenTextOfAModelIsMadeWholeBeforeAnybodySeesIt) {
  until_model();
  say("a\xE2\x82");
  EXPECT_EQ(emitted, "a");
  say("\xAC\xFF");
  done();
  EXPECT_EQ(emitted, "a€\uFFFD");
  EXPECT_EQ(reply(), emitted);
}

TEST_F(TurnMachine, BrokenTextOfAToolIsMadeWhole) {
  offer({"search"});
  until_model();
  done("", {{"\xFF", "search", "\xFF"}});
  tool(ToolStatus::kOk, "\xFF");
  EXPECT_TRUE(is_valid_utf8(context().tools[0].result + context().tools[0].arguments));
  EXPECT_TRUE(is_valid_utf8(request.messages.back().tool_call_id));
}

}  // namespace
}  // namespace pandora
