// Turns through the real runtime, two at a time, over real stores on a disk that fills up, fails and dies; with models
// on threads of their own that stream, call tools, fail and hang; then power is lost. Whatever was acknowledged is
// there again.
#include <map>

#include <gtest/gtest.h>

#include "runtime_world.h"

namespace pandora {
namespace {

using testing::ModelScript;
using testing::RecordingSink;
using testing::RuntimeWorld;
using testing::ScriptedModel;
using testing::ScriptedTools;
using testing::World;

constexpr std::uint64_t kWorlds = 40;
constexpr int kTalkers = 2;  // at the same time, each in a session of his own
constexpr int kTurnsEach = 5;

const std::vector<std::string> kMessages = {
    "Which nuts should I avoid?", "I am allergic to peanuts.", "What is that?",
    "No, that is wrong.",         "My sister lives in Porto.", "Thanks! And walnuts?"};

struct Said {
  UserId user;
  std::string message, emitted;
  TurnOutcome outcome;
};

// Time goes on by itself, so that a wait ends, and in leaps.
class LeapingClock final : public Clock {
 public:
  Timestamp now() const override { return system_.now() + Duration(leapt_.load()); }
  SteadyTime steady() const override { return system_.steady() + Duration(leapt_.load()); }
  void advance(Duration by) { leapt_ += by.count(); }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> leapt_ = 0;
};

RuntimeOptions impatient() {
  RuntimeOptions options;
  options.findable_wait = std::chrono::milliseconds(20);
  return options;
}

class Sink final : public TurnSink {
 public:
  explicit Sink(std::optional<int> cancel_at) : cancel_at_(cancel_at) {}
  void on_text(std::string_view part) override { text += part; }
  bool cancelled() override { return cancel_at_ && asked_++ >= *cancel_at_; }
  std::string text;

 private:
  const std::optional<int> cancel_at_;
  int asked_ = 0;
};

class Talk {
 public:
  Talk(World& world, LeapingClock& clock, std::uint64_t seed, int talker)
      : clock_(clock),
        random_(seed * kTalkers + static_cast<std::uint64_t>(talker)),
        user_(UserId::parse("user" + std::to_string(talker)).value()),
        session_(SessionId::parse("s" + std::to_string(talker)).value()),
        wired_(world, clock, random_.below(10) > 0 ? &model_ : nullptr, random_.below(4) > 0 ? &tools_ : nullptr,
               impatient()) {
    tools_.behaviour = [this](const ToolCall& call) { return run_tool(call); };
  }

  void run() {
    for (int turn = 0; turn < kTurnsEach; ++turn) {
      const bool timed = random_.below(3) == 0;
      model_.forget_the_rest();
      for (int calls = 0; calls < 3; ++calls) model_.expect(script(timed));
      Sink sink(random_.below(6) == 0 ? std::optional<int>(static_cast<int>(random_.below(8))) : std::nullopt);
      const Deadline deadline = timed ? Deadline::after(clock_, std::chrono::seconds(20)) : Deadline::never();
      const std::string message = kMessages[random_.below(kMessages.size())];
      auto outcome = wired_.runtime.run({user_, session_, {Role::kUser, "", message}, Scope::kUser}, sink, deadline);
      ASSERT_TRUE(outcome) << outcome.error().to_line();
      said.push_back({user_, message, sink.text, *std::move(outcome)});
    }
  }
  std::vector<Said> said;

 private:
  ModelScript script(bool timed) {
    ModelScript script;
    for (std::uint64_t n = random_.below(4); n-- > 0;)
      script.deltas.push_back("word " + std::to_string(random_.below(100)) + " ");
    if (random_.below(3) == 0)
      for (std::uint64_t n = random_.below(3) + 1; n-- > 0;)
        script.calls.push_back({"call-" + std::to_string(n), random_.below(8) == 0 ? "nothing" : "search", "{}"});
    if (random_.below(6) == 0) script.error = Error{ErrorCode::kUnavailable, "the server is away", ""};
    if (random_.below(10) == 0) script.finish_reason = "length";
    if (random_.below(10) == 0) script.babbles_after_its_end = true;
    if (random_.below(6) == 0) script.before_end = [this] { clock_.advance(std::chrono::seconds(15)); };
    if (timed && random_.below(4) == 0) {  // it hangs until the deadline
      script.waits_for_cancel = true;
      script.before_end = [this] { clock_.advance(std::chrono::seconds(25)); };
    }
    return script;
  }
  Result<ToolOutcome> run_tool(const ToolCall& call) {
    const std::lock_guard lock(mutex_);
    if (tool_random_.below(5) == 0) clock_.advance(std::chrono::seconds(25));  // it hung until its deadline
    if (tool_random_.below(5) == 0) return fail(ErrorCode::kDeadlineExceeded, "the tool hung");
    if (tool_random_.below(5) == 0) return fail(ErrorCode::kInvalidArgument, "no such argument");
    ToolOutcome outcome;
    outcome.result = call.name + " found it";
    return outcome;
  }

  LeapingClock& clock_;
  SeededRandom random_, tool_random_{random_.next()};
  std::mutex mutex_;
  ScriptedModel model_;
  ScriptedTools tools_;
  UserId user_;
  SessionId session_;
  RuntimeWorld wired_;
};

void check(const Said& said, std::map<std::string, int>& coverage) {
  const TurnOutcome& outcome = said.outcome;
  EXPECT_EQ(outcome.reply, said.emitted) << "the reply is not what was emitted";
  EXPECT_FALSE(outcome.ending == Ending::kClarified && outcome.acknowledged) << "a clarification was saved";
  EXPECT_TRUE(outcome.error || outcome.acknowledged || outcome.ending == Ending::kClarified)
      << "not saved, and nothing said";
  EXPECT_TRUE(outcome.error || outcome.ending != Ending::kFailed) << "failed, and nothing said";
  EXPECT_TRUE(outcome.acknowledged || outcome.memories.empty()) << "memories of a turn that is not saved";
  const std::vector<std::string> names = {"answered", "clarified", "cancelled", "failed"};
  ++coverage[names[static_cast<std::size_t>(outcome.ending)] + (outcome.acknowledged ? ", saved" : "")];
}

// What came back after the power was lost.
void check_kept(World& world, const std::vector<Said>& all) {
  std::set<std::int64_t> numbers;
  for (const auto& said : all) {
    const Uuid uid = said.outcome.uid;
    const auto rows = world.rows->turns().find_all({&uid, 1}, Principal::of(said.user), world.soon());
    ASSERT_TRUE(rows) << rows.error().to_line();
    EXPECT_TRUE(said.outcome.ending != Ending::kClarified || rows->empty()) << "a clarification was saved";
    if (!said.outcome.acknowledged) continue;
    ASSERT_EQ(rows->size(), 1u) << "an acknowledged turn is lost: " << said.message;
    const Turn& turn = rows->front();
    EXPECT_EQ(turn.message.text, said.message);
    EXPECT_EQ(turn.reply ? turn.reply->text : "", said.emitted);
    EXPECT_TRUE(numbers.insert(turn.number.value).second) << "two turns with one number";
    for (const auto& memory : said.outcome.memories)
      EXPECT_TRUE(world.rows->memories().find(memory.id, Principal::of(said.user), world.soon())) << "a memory is lost";
  }
}

void disturb(World& world, Random& random) {
  switch (random.below(5)) {
    case 0:
      return world.files.die_after(random.below(600));
    case 1:
      return world.files.fail_after(random.below(300), ErrorCode::kStorageFull);
    case 2:
      return world.files.limit_bytes(random.below(400'000));
    case 3:
      world.embedder.down = true;
      return;
    default:
      return;
  }
}

TEST(RuntimeSimulation, WhateverWasAcknowledgedComesBackAfterAPowerLoss) {
  std::map<std::string, int> coverage;
  for (std::uint64_t seed = 0; seed < kWorlds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    World world("runtime-simulation");
    const Status started = world.start();
    ASSERT_TRUE(started) << started.error().to_line();
    LeapingClock clock;
    disturb(world, random);
    std::vector<Said> all;
    {
      std::vector<std::unique_ptr<Talk>> talks;
      std::vector<std::thread> threads;
      for (int talker = 0; talker < kTalkers; ++talker)
        talks.push_back(std::make_unique<Talk>(world, clock, seed, talker));
      for (auto& talk : talks) threads.emplace_back([&talk] { talk->run(); });
      for (auto& thread : threads) thread.join();
      for (auto& talk : talks) all.insert(all.end(), talk->said.begin(), talk->said.end());
    }
    for (const auto& said : all) check(said, coverage);
    world.crash(random);
    world.files.limit_bytes(std::nullopt);
    world.embedder.down = false;
    const Status again = world.start();
    ASSERT_TRUE(again) << again.error().to_line();
    const Status drained = world.saver->drain(world.soon());
    ASSERT_TRUE(drained) << drained.error().to_line();
    check_kept(world, all);
    world.stop();
  }
  for (const char* what :
       {"answered, saved", "answered", "clarified", "cancelled", "cancelled, saved", "failed, saved"}) {
    EXPECT_GT(coverage[what], 0) << what;
    RecordProperty(what, std::to_string(coverage[what]));
  }
}

}  // namespace
}  // namespace pandora
