// The rules of a turn, one by one: docs/pipeline.md. Its way, what is no answer, empty replies, what a model may say.
#include "driven_turn.h"

namespace pandora {
namespace {

using testing::kQuestion;
using TurnMachine = testing::Driven;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

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
