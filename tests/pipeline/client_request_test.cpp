// A turn whose request is a client's own: what the machine decides otherwise, and a runtime that holds no thread.
#include <future>

#include <gmock/gmock.h>

#include "net/work_pool.h"
#include "runtime_world.h"
#include "turns/documents.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using testing::RuntimeWorld;
using testing::ScriptedModel;
using testing::World;

const UserId kAna = UserId::parse("ana").value();
const SessionId kSession = SessionId::parse("s1").value();
constexpr const char* kQuestion = "Which nuts should I avoid?";

template <class What>
std::optional<What> find(const std::vector<Action>& actions) {
  for (const auto& action : actions)
    if (const auto* found = std::get_if<What>(&action.what)) return *found;
  return std::nullopt;
}

class PassedOn : public ::testing::Test {
 protected:
  PassedOn() { state.options.has_model = state.options.passes_on = true; }
  std::vector<Action> feed(decltype(Event::what) what) {
    return step(state, {{1'767'600'000'000'000}, std::move(what)});
  }
  void until_model(std::vector<ToolBlock> tools_run = {}) {
    Uuid uid;
    uid.bytes[0] = 1;
    feed(Started{uid, kAna, kSession, {Role::kUser, "", kQuestion}, {}, std::move(tools_run)});
    feed(Recalled{state.waiting_for, {RecallMode::kHybrid, {}, {}, 0}});
  }
  std::vector<Action> done(std::string content, std::vector<ToolCall> calls = {}) {
    return feed(ModelDone{state.waiting_for, {"a-model", std::move(content), std::move(calls), "stop", 1, 2}});
  }
  TurnState state;
};

TEST_F(PassedOn, ToolsThatItsModelCallsAreHandedBackAndNothingIsSavedYet) {
  until_model();
  const auto actions = done("Let me look.", {{"call-1", "weather", "{}"}});
  EXPECT_FALSE(find<SaveAction>(actions));
  EXPECT_FALSE(find<RunToolAction>(actions));
  ASSERT_TRUE(find<FinishAction>(actions));
  EXPECT_EQ(find<FinishAction>(actions)->ending, Ending::kHandedBack);
  EXPECT_FALSE(find<FinishAction>(actions)->acknowledged);
}

// ── with tools of ours beside the client's ──

class WithOurTools : public PassedOn {
 protected:
  WithOurTools() {
    state.options.tools = {{"search", "finds", "{}"}};
    state.options.client_tools = {"weather"};
  }
};

TEST_F(WithOurTools, OursRunHereAndTheModelGoesOn) {
  until_model();
  auto actions = done("Let me look.", {{"call-1", "search", "{}"}});
  ASSERT_TRUE(find<RunToolAction>(actions));
  EXPECT_FALSE(find<FinishAction>(actions));
  actions = feed(ToolDone{state.waiting_for, {.result = "found"}});
  const auto asked = find<StartModelAction>(actions);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->request.messages.size(), 4u);
  EXPECT_EQ(asked->request.tools.size(), 1u);
  const auto saved = find<SaveAction>(done("Peanuts."));
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->record.turn.reply->text, "Let me look.\n\nPeanuts.");
  EXPECT_EQ(saved->record.context.tools.size(), 1u);
}

TEST_F(WithOurTools, OfBothOursRunFirstAndThenTheClientsAreHandedBack) {
  until_model();
  auto actions = done("", {{"call-1", "weather", "{}"}, {"call-2", "search", "{}"}});
  ASSERT_TRUE(find<RunToolAction>(actions));
  EXPECT_EQ(find<RunToolAction>(actions)->call.name, "search");
  actions = feed(ToolDone{state.waiting_for, {.result = "found"}});
  EXPECT_FALSE(find<StartModelAction>(actions));
  ASSERT_TRUE(find<FinishAction>(actions));
  EXPECT_EQ(find<FinishAction>(actions)->ending, Ending::kHandedBack);
  EXPECT_EQ(state.messages[2].tool_calls.size(), 1u) << "the client's stand in a message of its own";
}

TEST_F(WithOurTools, TheClientsAloneAreHandedBackAtOnce) {
  until_model();
  const auto actions = done("", {{"call-1", "weather", "{}"}});
  EXPECT_FALSE(find<RunToolAction>(actions));
  ASSERT_TRUE(find<FinishAction>(actions));
  EXPECT_EQ(find<FinishAction>(actions)->ending, Ending::kHandedBack);
}

TEST_F(WithOurTools, ACallOfAToolThatIsNobodysIsAnsweredAndTheModelGoesOn) {
  until_model();
  const auto actions = done("", {{"call-1", "fly", "{}"}});
  EXPECT_FALSE(find<FinishAction>(actions));
  ASSERT_TRUE(find<StartModelAction>(actions));
  EXPECT_EQ(state.record.context.tools.back().status, ToolStatus::kRefused);
}

TEST_F(WithOurTools, AtTheLimitWhatWasSaidStandsAndItSaysWhy) {
  until_model();
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    done(pass == 0 ? "Let me look." : "", {{"call-1", "search", "{}"}});
    const auto asked = find<StartModelAction>(feed(ToolDone{state.waiting_for, {.result = "found"}}));
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->request.tools.empty(), pass + 1 == kMaxPasses);
  }
  const auto actions = done("", {{"call-1", "search", "{}"}});
  EXPECT_FALSE(find<StartModelAction>(actions)) << "its client has had what was said";
  ASSERT_TRUE(find<EmitAction>(actions));
  ASSERT_TRUE(find<SaveAction>(actions));
  EXPECT_EQ(find<SaveAction>(actions)->record.turn.reply->text,
            "Let me look.\n\n(It ends here: no more tools may run in this turn.)");
  const auto finished = find<FinishAction>(feed(Saved{state.waiting_for}));
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->acknowledged);
  ASSERT_TRUE(finished->error);
}

TEST_F(WithOurTools, AServerThatRefusesARequestWithToolsIsAskedOnceWithout) {
  until_model();
  const Error refused{ErrorCode::kInvalidArgument, "no tools here", ""};
  const auto asked = find<StartModelAction>(feed(ModelFailed{state.waiting_for, refused, true}));
  ASSERT_TRUE(asked);
  EXPECT_TRUE(asked->request.tools.empty());
  EXPECT_TRUE(state.tools_refused);
  const auto actions = feed(ModelFailed{state.waiting_for, refused, true});
  EXPECT_FALSE(find<StartModelAction>(actions));
  ASSERT_TRUE(find<SaveAction>(actions));
  EXPECT_EQ(find<SaveAction>(actions)->record.turn.status, TurnStatus::kFailed);
}

TEST_F(WithOurTools, WhatWasSaidBeforeACallThatFailsIsKept) {
  for (const bool fails : {true, false}) {
    SCOPED_TRACE(fails ? "it fails" : "it says nothing");
    const MachineOptions options = state.options;
    state = TurnState();
    state.options = options;
    until_model();
    done("Let me look.", {{"call-1", "search", "{}"}});
    feed(ToolDone{state.waiting_for, {.result = "found"}});
    const auto saved = find<SaveAction>(
        fails ? feed(ModelFailed{state.waiting_for, {ErrorCode::kUnavailable, "gone", ""}, true}) : done(""));
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->record.turn.status, TurnStatus::kFailed);
    ASSERT_TRUE(saved->record.turn.reply);
    EXPECT_EQ(saved->record.turn.reply->text, "Let me look.");
  }
}

TEST_F(WithOurTools, AnyOtherRefusalIsNotAskedAgain) {
  until_model();
  EXPECT_FALSE(
      find<StartModelAction>(feed(ModelFailed{state.waiting_for, {ErrorCode::kResourceExhausted, "full", ""}, true})));
}

TEST_F(PassedOn, WhatTheClientsToolsGaveStandsInTheRecord) {
  until_model({{1, 1, "weather", "{}", ToolStatus::kOk, "sunny", {}}});
  const auto saved = find<SaveAction>(done("It is sunny."));
  ASSERT_TRUE(saved);
  ASSERT_EQ(saved->record.context.tools.size(), 1u);
  EXPECT_EQ(saved->record.context.tools[0].result, "sunny");
}

TEST_F(PassedOn, AnAnswerWithoutAWordStandsAndItsTurnHasFailed) {
  until_model();
  const auto actions = done("");
  EXPECT_FALSE(find<StartModelAction>(actions)) << "nothing is asked again: the client has had its answer";
  ASSERT_TRUE(find<SaveAction>(actions));
  EXPECT_EQ(find<SaveAction>(actions)->record.turn.status, TurnStatus::kFailed);
  EXPECT_FALSE(find<SaveAction>(actions)->record.turn.reply);
}

TEST_F(PassedOn, AFailureThatIsReportedIsNotReplacedByQuotes) {
  until_model();
  const auto actions = feed(ModelFailed{state.waiting_for, {ErrorCode::kResourceExhausted, "full", ""}, true});
  EXPECT_FALSE(find<EmitAction>(actions));
  ASSERT_TRUE(find<SaveAction>(actions));
  EXPECT_EQ(find<SaveAction>(actions)->record.turn.status, TurnStatus::kFailed);
  const auto finished = find<FinishAction>(feed(Saved{state.waiting_for}));
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ending, Ending::kFailed);
  EXPECT_EQ(finished->error->code, ErrorCode::kResourceExhausted);
}

TEST_F(PassedOn, ATurnThatIsToLeaveNoTraceIsNeitherSavedNorAcknowledged) {
  state.options.saves = false;
  until_model();
  const auto actions = done("Peanuts.");
  EXPECT_FALSE(find<SaveAction>(actions));
  ASSERT_TRUE(find<FinishAction>(actions));
  EXPECT_EQ(find<FinishAction>(actions)->ending, Ending::kAnswered);
  EXPECT_FALSE(find<FinishAction>(actions)->acknowledged);
}

class Listener final : public TurnListener {
 public:
  void on_text(std::string_view part) override { text += part; }
  void on_reply_end(const std::optional<Error>& error) override { ++ends, broken = error; }
  void on_finished(TurnOutcome outcome) override { finished.set_value(std::move(outcome)); }
  std::string text;
  int ends = 0;
  std::optional<Error> broken;
  std::promise<TurnOutcome> finished;
};

// A pool of one thread, which the turn must give back while its model speaks.
class StartedTurn : public ::testing::Test {
 protected:
  StartedTurn() {
    EXPECT_TRUE(world.start());
    wired = std::make_unique<RuntimeWorld>(world, clock, &model, nullptr);
  }
  ~StartedTurn() override {
    pool.reset();
    wired.reset();
    world.stop();
  }
  std::shared_ptr<RunningTurn> start(const std::string& message) {
    listener = std::make_shared<Listener>();
    TurnRequest request{kAna, kSession, {Role::kUser, "", message}, Scope::kUser, MemoryUse::kOn, std::nullopt};
    const auto on_pool = [this](std::function<void()> work) { EXPECT_TRUE(pool->submit(std::move(work))); };
    auto turn = wired->runtime.start(std::move(request), listener, Deadline::never(), {on_pool, on_pool, on_pool});
    EXPECT_TRUE(turn) << turn.error().to_line();
    return turn ? *turn : nullptr;
  }
  TurnOutcome wait() {
    auto future = listener->finished.get_future();
    EXPECT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    return future.get();
  }

  World world{"started"};
  SystemClock clock;
  ScriptedModel model;
  std::shared_ptr<Listener> listener;
  std::unique_ptr<RuntimeWorld> wired;
  std::unique_ptr<WorkPool> pool = std::make_unique<WorkPool>(1, 100);
};

TEST_F(StartedTurn, IsAnsweredSavedAndToldToItsListener) {
  model.expect({.deltas = {"Pea", "nuts."}});
  start(kQuestion);
  const auto outcome = wait();
  EXPECT_EQ(outcome.ending, Ending::kAnswered);
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_EQ(listener->text, "Peanuts.");
  EXPECT_EQ(listener->ends, 1);
  EXPECT_FALSE(listener->broken);
}

TEST_F(StartedTurn, HoldsNoThreadWhileItsModelSpeaks) {
  std::promise<void> speaks, go;
  model.expect({.deltas = {"Pea"}, .before_end = [&] {
                  speaks.set_value();
                  go.get_future().wait();
                }});
  start(kQuestion);
  speaks.get_future().wait();
  std::promise<void> ran;  // the pool's only thread is free
  EXPECT_TRUE(pool->submit([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  go.set_value();
  EXPECT_TRUE(wait().acknowledged);
}

TEST_F(StartedTurn, ThatIsCancelledKeepsWhatWasSaid) {
  std::promise<void> speaks;
  model.expect({.deltas = {"Pea"}, .waits_for_cancel = true, .before_end = [&] { speaks.set_value(); }});
  const auto turn = start(kQuestion);
  speaks.get_future().wait();
  turn->cancel();
  const auto outcome = wait();
  EXPECT_EQ(outcome.ending, Ending::kCancelled);
  EXPECT_EQ(outcome.reply, "Pea");
  EXPECT_TRUE(outcome.acknowledged);
  ASSERT_TRUE(listener->broken);
  EXPECT_EQ(listener->broken->code, ErrorCode::kCancelled);
}

TEST_F(StartedTurn, ThatIsCancelledAtOnceLeavesNothing) {
  const auto turn = start(kQuestion);
  turn->cancel();
  const auto outcome = wait();
  // Whichever was first: a cancel that came too late finds a whole answer.
  EXPECT_EQ(outcome.acknowledged, outcome.ending == Ending::kAnswered || !outcome.reply.empty());
  EXPECT_EQ(listener->ends, 1);
}

// ── with tools ──

class StartedTurnWithTools : public StartedTurn {
 protected:
  StartedTurnWithTools() { wired = std::make_unique<RuntimeWorld>(world, clock, &model, &tools); }
  ~StartedTurnWithTools() override { tool_pool.reset(); }
  static RunBlocking on(WorkPool& threads) {
    return [&threads](std::function<void()> work) { EXPECT_TRUE(threads.submit(std::move(work))); };
  }
  std::shared_ptr<RunningTurn> start_client() {
    listener = std::make_shared<Listener>();
    TurnRequest request{kAna, kSession, {Role::kUser, "", kQuestion}, Scope::kUser, MemoryUse::kOn, std::nullopt};
    ClientRequest client;
    client.compose = [this](const GatherSection&, const std::vector<OwnRounds>& rounds,
                            const std::vector<ToolDefinition>& offered) {
      composed.push_back({rounds, offered.size()});
      return PassedOnRequest{"{}", true, false, false};
    };
    client.offers_tools = true;
    client.tool_names = {"weather", "fetch"};
    client.messages_since = 0;
    client.continues = std::move(continues);
    client.tools_run = tools_run;
    client.images = images;
    request.client = std::move(client);
    auto turn =
        wired->runtime.start(std::move(request), listener, Deadline::never(), {on(*pool), on(*tool_pool), on(*pool)});
    EXPECT_TRUE(turn) << turn.error().to_line();
    return turn ? *turn : nullptr;
  }
  struct Composed {
    std::vector<OwnRounds> rounds;
    std::size_t offered;
  };
  testing::ScriptedTools tools;
  std::unique_ptr<WorkPool> tool_pool = std::make_unique<WorkPool>(1, 100);
  std::vector<Composed> composed;
  std::optional<OpenTurn> continues;
  std::vector<ToolBlock> tools_run;
  std::function<AttachedImages()> images;
};

TEST_F(StartedTurnWithTools, ItsToolsRunAndTheModelIsAskedAgainWithWhatTheyGave) {
  model.expect({.deltas = {"Let me look."}, .calls = {{"call-1", "search", "{}"}}});
  model.expect({.deltas = {"Found."}});
  start_client();
  const auto outcome = wait();
  EXPECT_EQ(outcome.reply, "Let me look.\n\nFound.");
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_EQ(listener->ends, 1);
  ASSERT_EQ(composed.size(), 2u);
  EXPECT_EQ(composed[0].offered, 1u) << "a tool of the client's hides ours of the same name";
  ASSERT_EQ(composed[1].rounds.size(), 1u);
  EXPECT_EQ(composed[1].rounds[0].messages.size(), 2u) << "the call and its result";
}

TEST_F(StartedTurnWithTools, AToolHoldsNoThreadOfTheTurnsAndACancelEndsIt) {
  model.expect({.calls = {{"call-1", "search", "{}"}}});
  tools.waits = true;
  const auto turn = start_client();
  tools.began.get_future().wait();
  std::promise<void> ran;  // the pool's only thread is free
  EXPECT_TRUE(pool->submit([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  turn->cancel();
  EXPECT_EQ(wait().ending, Ending::kCancelled);
}

TEST_F(StartedTurnWithTools, WhatWasCalledOfOursComesBackWithTheClientsResults) {
  model.expect({.calls = {{"call-1", "search", "{}"}, {"call-2", "weather", "{}"}}});
  start_client();
  auto outcome = wait();
  EXPECT_EQ(outcome.ending, Ending::kHandedBack);
  EXPECT_FALSE(outcome.acknowledged);
  ASSERT_TRUE(outcome.open);
  EXPECT_EQ(outcome.open->tools.size(), 1u);
  EXPECT_EQ(listener->ends, 1);

  continues = std::move(outcome.open);
  tools_run = {{1, 1, "weather", "{}", ToolStatus::kOk, "sunny", {}}};
  model.expect({.deltas = {"It is sunny."}});
  start_client();
  outcome = wait();
  EXPECT_TRUE(outcome.acknowledged);
  ASSERT_EQ(composed.size(), 2u);
  ASSERT_EQ(composed[1].rounds.size(), 1u);
  EXPECT_EQ(composed[1].rounds[0].after, 0u);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const auto turn = world.rows->turns().find_all({&outcome.uid, 1}, Principal::of(kAna), world.soon());
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->size(), 1u);
}

TEST_F(StartedTurnWithTools, ImagesOfTheMessageAndPagesThatWereFetchedBelongToTheTurn) {
  images = [] {
    AttachedImages found;
    found.whole.push_back({{ObjectOrigin::kImage, "", 0, "image/png", ""}, "a picture"});
    found.whole.push_back({{ObjectOrigin::kImage, "", 0, "no media type", ""}, "another"});
    found.unread = 1;
    return found;
  };
  tools.behaviour = [](const ToolCall&) -> Result<ToolOutcome> {
    ToolOutcome outcome;
    outcome.pages.push_back({{ObjectOrigin::kPage, "", 0, "text/html", "https://example.com/"}, "<p>nuts"});
    return outcome;
  };
  model.expect({.calls = {{"call-1", "search", "{}"}, {"call-2", "weather", "{}"}}});
  start_client();
  auto outcome = wait();
  ASSERT_TRUE(outcome.open) << "a page waits with its turn for the client's tools";
  continues = std::move(outcome.open);
  model.expect({.deltas = {"Found."}});
  start_client();
  outcome = wait();
  ASSERT_TRUE(outcome.acknowledged);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const auto turns = world.rows->turns().find_all({&outcome.uid, 1}, Principal::of(kAna), world.soon());
  ASSERT_TRUE(turns && turns->size() == 1);
  const auto& objects = turns->front().objects;
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(objects[1].media_type, "application/octet-stream");
  EXPECT_EQ(objects[2].url, "https://example.com/");
  for (const auto& object : objects) EXPECT_TRUE(world.objects->get(object.key, world.soon())) << object.key;
  EXPECT_EQ(world.objects->get(objects[2].key, world.soon()).value(), "<p>nuts");
  const auto kept = read_turn_folder(*world.documents, turn_folder(turns->front().number), world.soon());
  ASSERT_TRUE(kept);
  EXPECT_THAT(kept->context.gathered.missing,
              ::testing::Contains(HasSubstr("1 images of the message could not be read")));
}

TEST_F(StartedTurnWithTools, WhatIsTooMuchForATurnIsLeftOutAndSaid) {
  images = [] {
    AttachedImages found;
    for (std::size_t i = 0; i < kMaxTurnObjects + 2; ++i)
      found.whole.push_back({{ObjectOrigin::kImage, "", 0, "image/png", ""}, "picture " + std::to_string(i)});
    found.whole.insert(found.whole.begin(), {{}, std::string(kMaxTurnObjectBytes + 1, 'x')});
    return found;
  };
  start_client();
  const auto outcome = wait();
  ASSERT_TRUE(outcome.acknowledged);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const auto turn = world.rows->turns().find_all({&outcome.uid, 1}, Principal::of(kAna), world.soon()).value().front();
  EXPECT_EQ(turn.objects.size(), kMaxTurnObjects);
  const auto kept = read_turn_folder(*world.documents, turn_folder(turn.number), world.soon());
  ASSERT_TRUE(kept);
  EXPECT_THAT(kept->context.gathered.missing, ::testing::Contains(HasSubstr("3 images and pages were not kept")));
}

TEST_F(StartedTurn, SessionsThatWaitForTheirTurnBeforeHoldNoThread) {
  start("I am allergic to peanuts.");
  ASSERT_TRUE(wait().acknowledged);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  world.embedder.down = true;
  start("I am allergic to walnuts.");
  ASSERT_TRUE(wait().acknowledged);  // and not findable for as long as the encoder is away
  std::vector<std::shared_ptr<Listener>> waiting;
  for (int i = 0; i < 50; ++i) {
    start(kQuestion);
    waiting.push_back(listener);
  }
  std::promise<void> ran;  // the pool's only thread is behind them all, and free
  EXPECT_TRUE(pool->submit([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready)
      << "one after the other they would have held it for 100 s";
  for (const auto& one : waiting) {
    listener = one;
    const auto outcome = wait();
    EXPECT_THAT(outcome.gathered.missing, ::testing::Contains(HasSubstr("not yet findable")));
  }
}

TEST_F(StartedTurnWithTools, ARefusalThatNamesNoToolsIsNotTriedAgain) {
  model.expect({.error = Error{ErrorCode::kInvalidArgument, "the prompt is too long", ""}});
  start_client();
  EXPECT_EQ(wait().ending, Ending::kFailed);
  EXPECT_EQ(composed.size(), 1u);
}

TEST_F(StartedTurnWithTools, AServerThatTakesNoToolsIsNotOfferedThemForAWhile) {
  model.expect({.error = Error{ErrorCode::kInvalidArgument, "no tools here", ""}});
  model.expect({.deltas = {"Hello."}});
  start_client();
  EXPECT_EQ(wait().reply, "Hello.");
  model.expect({.deltas = {"Hello again."}});
  start_client();
  EXPECT_EQ(wait().reply, "Hello again.");
  ASSERT_EQ(composed.size(), 3u);
  EXPECT_EQ(composed[0].offered, 1u);
  EXPECT_EQ(composed[1].offered, 0u);
  EXPECT_EQ(composed[2].offered, 0u);
}

}  // namespace
}  // namespace pandora
