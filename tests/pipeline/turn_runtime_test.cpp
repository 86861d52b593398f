#include "pipeline/turn_runtime.h"

#include <gmock/gmock.h>

#include "runtime_world.h"

namespace pandora {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ModelScript;
using testing::RecordingSink;
using testing::RuntimeWorld;
using testing::ScriptedModel;
using testing::ScriptedTools;
using ::testing::SizeIs;
using testing::World;

constexpr const char* kQuestion = "Which nuts should I avoid?";
const ToolCall kSearch{"call-1", "search", "{}"};

class Running : public ::testing::Test {
 protected:
  Running() {
    const Status started = world.start();
    EXPECT_TRUE(started) << started.error().to_line();
  }
  ~Running() override { world.stop(); }

  RuntimeWorld& with(ChatModel* chat, ToolRunner* runner = nullptr, RuntimeOptions options = {}) {
    wired = std::make_unique<RuntimeWorld>(world, clock, chat, runner, std::move(options));
    return *wired;
  }
  Result<TurnOutcome> run(const std::string& message, const Deadline& deadline = Deadline::never(),
                          std::string speaker = "") {
    return wired->runtime.run({ana, session, {Role::kUser, std::move(speaker), message}, Scope::kUser}, sink, deadline);
  }
  TurnOutcome must_run(const std::string& message, const Deadline& deadline = Deadline::never()) {
    auto outcome = run(message, deadline);
    EXPECT_TRUE(outcome) << outcome.error().to_line();
    return outcome.value_or(TurnOutcome());
  }
  Turn saved(const TurnOutcome& outcome) {
    const auto number = world.saver->wait_findable(outcome.uid, world.soon());
    EXPECT_TRUE(number) << number.error().to_line();
    return number ? world.rows->turns().find(*number, Principal::of(ana), world.soon()).value_or(Turn()) : Turn();
  }
  bool is_kept(const TurnOutcome& outcome) {
    EXPECT_TRUE(world.saver->drain(world.soon()));
    return !world.rows->turns().find_all({&outcome.uid, 1}, Principal::of(ana), world.soon()).value().empty();
  }
  Deadline in(Duration time) const { return Deadline::after(clock, time); }

  World world{"runtime"};
  ManualClock clock;
  ScriptedModel model;
  ScriptedTools tools;
  RecordingSink sink;
  std::unique_ptr<RuntimeWorld> wired;
  UserId ana = UserId::parse("ana").value();
  SessionId session = SessionId::parse("s1").value();
};
using TurnRuntimeTest = Running;

TEST_F(TurnRuntimeTest, AnEmptyMessageIsRefused) {
  with(nullptr);
  for (const char* message : {"", " \n"}) EXPECT_EQ(run(message).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TurnRuntimeTest, AMessageOfTheMaximumIsTakenAndALongerOneIsNot) {
  RuntimeOptions options;
  options.message_bytes = 100;
  with(nullptr, nullptr, options);
  EXPECT_TRUE(must_run(std::string(100, 'x')).acknowledged);
  EXPECT_EQ(run(std::string(101, 'x')).error().code, ErrorCode::kTooLarge);
}

// The record holds a message four times, and is read up to a maximum: what is taken must be saved.
TEST_F(TurnRuntimeTest, AMessageOfTheMaximumThatIsConfiguredIsSaved) {
  std::string message;
  while (message.size() < static_cast<std::size_t>(RuntimeOptions().message_bytes)) message += "\"One\"\n";
  message.resize(static_cast<std::size_t>(RuntimeOptions().message_bytes));
  with(nullptr);
  const auto outcome = must_run(message);
  EXPECT_TRUE(outcome.acknowledged) << outcome.error.value_or(Error()).to_line();
}

TEST_F(TurnRuntimeTest, WithoutAModelATurnIsAnsweredSavedAndFoundAgain) {
  with(nullptr);
  const auto told = must_run("I am allergic to peanuts.");
  EXPECT_EQ(told.ending, Ending::kAnswered);
  EXPECT_TRUE(told.acknowledged);
  EXPECT_THAT(told.memories, SizeIs(1));
  EXPECT_EQ(sink.text, told.reply);
  EXPECT_EQ(saved(told).reply->text, told.reply);
  const auto asked = must_run("What am I allergic to?");
  EXPECT_THAT(asked.reply, HasSubstr("“I am allergic to peanuts.”"));
}

TEST_F(TurnRuntimeTest, TheRecallOfATurnLeavesAReceiptThatNamesIt) {
  with(nullptr);
  const auto told = must_run("I am allergic to peanuts.");
  const auto asked = must_run("What am I allergic to?");
  ASSERT_TRUE(told.receipt && asked.receipt);
  EXPECT_NE(*told.receipt, *asked.receipt);
  const auto receipt = world.rows->receipts().find(*asked.receipt, Principal::of(ana), world.soon());
  ASSERT_TRUE(receipt) << receipt.error().to_line();
  EXPECT_EQ(receipt->turn, asked.uid);
  EXPECT_EQ(receipt->session, session);
  EXPECT_EQ(receipt->question, "What am I allergic to?");
  EXPECT_EQ(receipt->tokens, asked.gathered.tokens);
  EXPECT_TRUE(names(*receipt, told.uid));
}

// Keeps nothing, and says so.
class FullReceiptStore final : public ReceiptStore {
 public:
  Status put(std::span<const RecallReceipt>, const Principal&, const Deadline&) override { return full(); }
  Result<RecallReceipt> find(const Uuid&, const Principal&, const Deadline&) override { return full(); }
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery&, const Principal&, const Deadline&) override {
    return full();
  }
  Result<std::int64_t> forget(const ForgottenRows&, const Principal&, const Deadline&) override { return full(); }
  Result<std::vector<Uuid>> naming(std::span<const Uuid>, const Principal&, const Deadline&) override { return full(); }
  Result<ReceiptStatus> status(const Deadline&) override { return full(); }

 private:
  static tl::unexpected<Error> full() { return fail(ErrorCode::kStorageFull, "no space for receipts"); }
};

TEST_F(TurnRuntimeTest, AReceiptThatCannotBeKeptIsSaidAndTheTurnIsAsItWas) {
  FullReceiptStore full;
  world.receipts = &full;
  with(nullptr);
  const auto told = must_run("I am allergic to peanuts.");
  EXPECT_EQ(told.ending, Ending::kAnswered);
  EXPECT_TRUE(told.acknowledged);
  EXPECT_FALSE(told.error);
  EXPECT_FALSE(told.receipt);
  EXPECT_THAT(told.gathered.missing, Contains(HasSubstr("no space for receipts")));
  EXPECT_EQ(saved(told).reply->text, told.reply);
}

// Keeps what it is given, in memory, whatever becomes of the disk.
class KeepingReceiptStore final : public ReceiptStore {
 public:
  Status put(std::span<const RecallReceipt> receipts, const Principal&, const Deadline&) override {
    kept.insert(kept.end(), receipts.begin(), receipts.end());
    return {};
  }
  Result<RecallReceipt> find(const Uuid&, const Principal&, const Deadline&) override { return kept.back(); }
  Result<std::vector<RecallReceipt>> list(const ReceiptQuery&, const Principal&, const Deadline&) override {
    return kept;
  }
  Result<std::int64_t> forget(const ForgottenRows&, const Principal&, const Deadline&) override { return 0; }
  Result<std::vector<Uuid>> naming(std::span<const Uuid>, const Principal&, const Deadline&) override {
    return std::vector<Uuid>();
  }
  Result<ReceiptStatus> status(const Deadline&) override { return ReceiptStatus(); }
  std::vector<RecallReceipt> kept;
};

// Forgetting could never find it by that uid.
TEST_F(TurnRuntimeTest, ATurnThatIsNotSavedIsNotNamedByItsReceipt) {
  KeepingReceiptStore receipts;
  world.receipts = &receipts;
  with(nullptr);
  world.files.die_after(0);
  const auto lost = must_run("I am allergic to peanuts.");
  EXPECT_FALSE(lost.acknowledged);
  ASSERT_THAT(receipts.kept, SizeIs(1));
  EXPECT_EQ(lost.receipt, receipts.kept[0].id);
  EXPECT_FALSE(receipts.kept[0].turn);
}

TEST_F(TurnRuntimeTest, AModelSpeaksToTheSinkAndWhatItSaidIsSaved) {
  model.expect({.deltas = {"Pea", "nuts", "."}});
  with(&model);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(sink.text, "Peanuts.");
  EXPECT_EQ(outcome.reply, "Peanuts.");
  EXPECT_EQ(saved(outcome).model, "a-model");
}

TEST_F(TurnRuntimeTest, ToolsRunAndTheirResultsReachTheModel) {
  model.expect({.calls = {kSearch}});
  model.expect({.deltas = {"Found."}});
  with(&model, &tools);
  EXPECT_EQ(must_run(kQuestion).reply, "Found.");
  EXPECT_EQ(tools.runs, 1);
  EXPECT_NE(model.requests().back().messages.back().content.find("\nsearch found it\n"), std::string::npos);
}

TEST_F(TurnRuntimeTest, AModelThatCallsToolsWhereThereAreNoneHarmsNothing) {
  for (int i = 0; i < 5; ++i) model.expect({.deltas = {"Let me look."}, .calls = {kSearch}});
  with(&model);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(outcome.ending, Ending::kFailed);
  EXPECT_TRUE(outcome.acknowledged);
}

TEST_F(TurnRuntimeTest, AClarificationSavesNothing) {
  with(&model);
  const auto outcome = must_run("What is that?");
  EXPECT_EQ(outcome.ending, Ending::kClarified);
  EXPECT_FALSE(outcome.acknowledged);
  EXPECT_FALSE(is_kept(outcome));
  EXPECT_EQ(world.rows->turns().reserve_number(Principal::of(ana), world.soon()).value().value, 1)
      << "a number was used";
}

TEST_F(TurnRuntimeTest, ACancelBeforeTheModelIsHonoured) {
  with(&model);
  sink.cancel = true;
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(outcome.ending, Ending::kCancelled);
  EXPECT_THAT(model.requests(), IsEmpty());
  EXPECT_FALSE(is_kept(outcome));
}

TEST_F(TurnRuntimeTest, ACancelBeforeAToolIsHonoured) {
  model.expect({.calls = {kSearch}, .before_end = [&] { sink.cancel = true; }});
  with(&model, &tools);
  EXPECT_EQ(must_run(kQuestion).ending, Ending::kCancelled);
  EXPECT_EQ(tools.runs, 0);
}

TEST_F(TurnRuntimeTest, ACancelInAToolIsHonouredBeforeTheNext) {
  model.expect({.deltas = {"Let me look."}, .calls = {kSearch, {"call-2", "fetch", "{}"}}});
  tools.behaviour = [&](const ToolCall&) {
    sink.cancel = true;
    return ToolOutcome();
  };
  with(&model, &tools);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(tools.runs, 1);
  EXPECT_THAT(model.requests(), SizeIs(1));
  EXPECT_EQ(outcome.ending, Ending::kCancelled);
  EXPECT_EQ(saved(outcome).reply->text, "Let me look.");
}

TEST_F(TurnRuntimeTest, ACancelWhileTheModelSpeaksStopsItAndKeepsWhatItSaid) {
  model.expect({.deltas = {"Peanuts, and"}, .waits_for_cancel = true, .before_end = [&] { sink.cancel = true; }});
  with(&model);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(outcome.ending, Ending::kCancelled);
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_EQ(saved(outcome).reply->text, "Peanuts, and");
  EXPECT_EQ(saved(outcome).status, TurnStatus::kCancelled);
}

TEST_F(TurnRuntimeTest, OutOfTimeTheMessageIsKept) {
  model.expect({.waits_for_cancel = true, .before_end = [&] { clock.advance(std::chrono::seconds(11)); }});
  with(&model);
  const auto outcome = must_run(kQuestion, in(std::chrono::seconds(10)));
  EXPECT_EQ(outcome.ending, Ending::kFailed);
  EXPECT_EQ(outcome.error->code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_EQ(saved(outcome).message.text, kQuestion);
}

TEST_F(TurnRuntimeTest, ADeadlineThatHasPassedStartsNothingAndKeepsTheMessage) {
  with(&model);
  const Deadline deadline = in(std::chrono::seconds(1));
  clock.advance(std::chrono::seconds(2));
  const auto outcome = must_run(kQuestion, deadline);
  EXPECT_EQ(outcome.ending, Ending::kFailed);
  EXPECT_THAT(model.requests(), IsEmpty());
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_THAT(outcome.gathered.missing, Contains(HasSubstr("the last turns")));
}

TEST_F(TurnRuntimeTest, AModelThatDoesNotStopWhenToldToIsLeft) {
  model.expect({.deltas = {"Peanuts"},
                .ignores_cancel = true,
                .before_end = [&] { sink.cancel = true; },
                .when_cancelled = [&] { clock.advance(std::chrono::seconds(6)); }});
  with(&model);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(outcome.ending, Ending::kCancelled);
  EXPECT_EQ(outcome.reply, "Peanuts");
}

TEST_F(TurnRuntimeTest, WhatAModelSaysAfterItsEndIsNotHeard) {
  model.expect({.calls = {kSearch}, .babbles_after_its_end = true});
  model.expect({.deltas = {"Found."}});
  with(&model, &tools);
  EXPECT_EQ(must_run(kQuestion).reply, "Found.");
  EXPECT_EQ(sink.text, "Found.");
}

TEST_F(TurnRuntimeTest, AModelThatNeverEndsIsStoppedAtTheMaximum) {
  model.expect({.deltas = std::vector<std::string>(3, std::string(kMaxReplyBytes, 'x')), .waits_for_cancel = true});
  with(&model);
  const auto outcome = must_run(kQuestion);
  EXPECT_EQ(outcome.reply.size(), kMaxReplyBytes);
  EXPECT_EQ(outcome.error->code, ErrorCode::kTooLarge);
  EXPECT_TRUE(outcome.acknowledged);
}

TEST_F(TurnRuntimeTest, ManySmallWordsArriveInOrder) {
  ModelScript script;
  std::string all;
  for (int i = 0; i < 10'000; ++i) script.deltas.push_back(std::to_string(i) + " "), all += script.deltas.back();
  model.expect(script);
  with(&model);
  EXPECT_EQ(must_run(kQuestion).reply, all);
  EXPECT_EQ(sink.text, all);
}

TEST_F(TurnRuntimeTest, AFailedSaveIsSaidAndNoMemoryIsReported) {
  model.expect({.deltas = {"I see."}, .before_end = [&] { world.files.die_after(0); }});
  with(&model);
  const auto outcome = must_run("I am allergic to peanuts.");
  EXPECT_FALSE(outcome.acknowledged);
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.memories, IsEmpty());
  EXPECT_EQ(outcome.reply, "I see.");
}

TEST_F(TurnRuntimeTest, AMemoryThatCouldNotBeMadeIsSaidAndTheTurnIsKept) {
  with(nullptr).admission_fails = Error{ErrorCode::kUnavailable, "the store is away", ""};
  const auto outcome = must_run("I am allergic to peanuts.");
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_THAT(outcome.memories, IsEmpty());
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.error->message, HasSubstr("no memory was made"));
}

TEST_F(TurnRuntimeTest, AReplyAtTheLastMomentKeepsItsMemories) {
  model.expect({.deltas = {"I see."}, .before_end = [&] { clock.advance(std::chrono::seconds(11)); }});
  with(&model);
  const auto outcome = must_run("I am allergic to peanuts.", in(std::chrono::seconds(10)));
  EXPECT_EQ(outcome.ending, Ending::kAnswered);
  EXPECT_THAT(outcome.memories, SizeIs(1));
}

TEST_F(TurnRuntimeTest, ACorrectionSupersedesWhatWasRemembered) {
  with(nullptr);
  const auto red = must_run("My favourite colour is red.");
  const auto green = must_run("My favourite colour is green.");
  ASSERT_THAT(red.memories, SizeIs(1));
  ASSERT_THAT(green.memories, SizeIs(1));
  const auto old = world.rows->memories().find(red.memories[0].id, Principal::of(ana), world.soon());
  ASSERT_TRUE(old) << old.error().to_line();
  EXPECT_EQ(old->superseded_by, green.memories[0].id);
}

TEST_F(TurnRuntimeTest, ARejectionIsWrittenToTheTurnBefore) {
  with(&model);
  const auto wrong = must_run(kQuestion);
  must_run("No, that is wrong.");
  EXPECT_TRUE(saved(wrong).rejected);
  EXPECT_EQ(saved(wrong).quality, kRejectedQuality);
}

TEST_F(TurnRuntimeTest, ASearchThatIsIncompleteIsSaid) {
  with(nullptr);
  saved(must_run("I am allergic to peanuts."));
  world.embedder.down = true;
  EXPECT_THAT(must_run("What am I allergic to?").reply, HasSubstr("The search was incomplete"));
}

TEST_F(TurnRuntimeTest, BrokenTextOfTheUserIsCleanedBeforeItGoesAnywhere) {
  with(&model);
  const auto outcome = run("nuts \xFF?", Deadline::never(), "Car\xFFline");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(saved(*outcome).message.text, "nuts \uFFFD?");
  EXPECT_EQ(saved(*outcome).message.name, "Car\uFFFDline");
  EXPECT_EQ(model.requests().back().messages.back().content, "nuts \uFFFD?");
}

}  // namespace
}  // namespace pandora
