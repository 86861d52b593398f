#include "tools/tool_registry.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "contract/expect.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Gate final : public ApprovalGate {
 public:
  Result<std::string> ask(const ToolCall& call, const ToolCaller&, const Deadline&) override {
    asked.push_back(call.name);
    if (when_asked) when_asked();
    return answer;
  }
  std::vector<std::string> asked;
  std::function<void()> when_asked;
  Result<std::string> answer = std::string("once");
};

class Registry : public ::testing::Test {
 protected:
  void add(std::string name, Approval approval = Approval::kAllow, ToolLimits limits = {}) {
    ToolInfo info{
        {std::move(name), "a tool of a test", R"({"type": "object", "properties": {"text": {"type": "string"}}})"},
        limits,
        approval};
    tools.push_back(std::make_shared<FunctionTool>(info, [this](const ToolTask& task) -> Result<ToolOutcome> {
      ++runs;
      if (error) return fail(*error);
      return ToolOutcome{.result = task.arguments.value("text", "done")};
    }));
  }
  ToolRegistry& registry() {
    if (!made)
      made = must(ToolRegistry::create({.tools = tools,
                                        .policy = must(ApprovalPolicy::parse(rules)),
                                        .gate = has_gate ? &gate : nullptr,
                                        .note = [this](const ToolNote& note) { notes.push_back(note); },
                                        .clock = clock}));
    return *made;
  }
  Result<ToolOutcome> call(const char* name, std::string arguments = "{}", const char* key = "",
                           const char* user = "ana") {
    return registry().run({"call_1", name, std::move(arguments)},
                          {.who = Principal::of(must(UserId::parse(user))), .key = key},
                          Deadline::after(clock, std::chrono::minutes(10)));
  }

  ManualClock clock;
  Gate gate;
  ToolList tools;
  std::string rules;
  bool has_gate = true;
  std::optional<Error> error;
  std::atomic<int> runs = 0;
  std::vector<ToolNote> notes;
  std::unique_ptr<ToolRegistry> made;
};

TEST_F(Registry, AToolThatIsAllowedRunsAtOnceAndIsNoted) {
  add("look");
  const auto outcome = must(call("look", R"({"text": "found"})"));
  EXPECT_EQ(outcome.result, "found");
  EXPECT_EQ(outcome.approval, "allow");
  EXPECT_TRUE(gate.asked.empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].tool, "look");
  EXPECT_EQ(notes[0].user.str(), "ana");
  EXPECT_THAT(notes[0].call, HasSubstr("ok; approval allow; arguments 17 bytes "));
  EXPECT_THAT(notes[0].call, HasSubstr("result 5 bytes"));
  EXPECT_EQ(notes[0].call.find("found"), std::string::npos) << "no text of the user's";
  const auto row = to_observation(notes[0]);
  EXPECT_TRUE(row.ok);
  EXPECT_EQ(row.kind, ObservationKind::kTool);
  EXPECT_THAT(row.detail, HasSubstr("user ana"));
}

TEST_F(Registry, AToolThatMustBeApprovedAsks) {
  add("change", Approval::kAsk);
  EXPECT_EQ(must(call("change")).approval, "once");
  EXPECT_THAT(gate.asked, ElementsAre("change"));
  gate.answer = fail(ErrorCode::kPermissionDenied, "change was not approved: the user said no");
  EXPECT_FAILS(kPermissionDenied, call("change"));
  EXPECT_EQ(runs, 1);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[1].status, ToolStatus::kRefused);
  EXPECT_THAT(notes[1].call, HasSubstr("approval deny"));
}

TEST_F(Registry, WhatIsApprovedWhenNobodyWaitsAnyMoreIsNotRun) {
  add("change", Approval::kAsk);
  bool left = false;
  gate.when_asked = [&] { left = true; };
  const ToolCaller caller{.who = Principal::of(must(UserId::parse("ana"))), .cancelled = [&] { return left; }};
  EXPECT_FAILS(kCancelled, registry().run({"call_1", "change", "{}"}, caller, kNever));
  EXPECT_EQ(gate.asked.size(), 1u);
  EXPECT_EQ(runs, 0);
}

TEST_F(Registry, NobodyIsAskedAboutACallThatIsOneTooMany) {
  add("change", Approval::kAsk, {.calls_a_minute = 1});
  EXPECT_TRUE(call("change"));
  EXPECT_FAILS(kResourceExhausted, call("change"));
  EXPECT_EQ(gate.asked.size(), 1u);
}

TEST_F(Registry, WhatNobodyCanBeAskedAboutIsDenied) {
  has_gate = false;
  add("change", Approval::kAsk);
  EXPECT_FAILS(kPermissionDenied, call("change"));
  EXPECT_EQ(runs, 0);
}

TEST_F(Registry, SettingsDecideByToolAndByKey) {
  rules = "change=allow, phone:change=deny";
  add("change", Approval::kAsk);
  EXPECT_EQ(must(call("change")).approval, "allow");
  EXPECT_FAILS(kPermissionDenied, call("change", "{}", "phone"));
  EXPECT_EQ(registry().approval_of("change", "phone"), Approval::kDeny);
  EXPECT_EQ(registry().approval_of("nothing", "phone"), Approval::kDeny);
  EXPECT_TRUE(gate.asked.empty());
}

TEST_F(Registry, ArgumentsAreCheckedBeforeAnybodyIsAsked) {
  add("change", Approval::kAsk);
  EXPECT_FAILS(kInvalidArgument, call("change", R"({"text": 7})"));
  EXPECT_FAILS(kInvalidArgument, call("change", "no JSON"));
  const std::string longest = R"({"text": ")" + std::string(kMaxCallArgumentBytes - 12, 'x') + "\"}";
  ASSERT_EQ(longest.size(), kMaxCallArgumentBytes);
  EXPECT_TRUE(call("change", longest));
  EXPECT_FAILS(kTooLarge, call("change", longest + " "));
  EXPECT_EQ(gate.asked.size(), 1u);
}

TEST_F(Registry, SoManyCallsAMinuteOfAUserAndNoMore) {
  add("look", Approval::kAllow, {.calls_a_minute = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call("look"));
  EXPECT_FAILS(kResourceExhausted, call("look"));
  EXPECT_TRUE(call("look", "{}", "", "bob")) << "another user has calls of his own";
  clock.advance(std::chrono::seconds(59));
  EXPECT_FAILS(kResourceExhausted, call("look"));
  clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(call("look"));
}

TEST_F(Registry, ALongResultIsCutAndSaysSo) {
  add("look", Approval::kAllow, {.result_bytes = 100});
  EXPECT_EQ(must(call("look", R"({"text": ")" + std::string(100, 'x') + "\"}")).result, std::string(100, 'x'));
  const std::string cut = must(call("look", R"({"text": ")" + std::string(101, 'x') + "\"}")).result;
  EXPECT_LE(cut.size(), 100u);
  EXPECT_THAT(cut, HasSubstr("(cut: 100 of 101 bytes are shown)"));
}

TEST_F(Registry, AToolThatFailsIsAResultWithItsRemedy) {
  add("look");
  error = Error{ErrorCode::kNotFound, "there is no memory 7", "search for it first"};
  const auto outcome = must(call("look"));
  EXPECT_EQ(outcome.status, ToolStatus::kFailed);
  EXPECT_EQ(outcome.result, "there is no memory 7; search for it first");
  EXPECT_EQ(notes.at(0).status, ToolStatus::kFailed);
  EXPECT_EQ(notes.at(0).why, "not_found");
}

TEST_F(Registry, ToolsThatNoModelCanCallAreRefused) {
  const auto create = [&] { return ToolRegistry::create({.tools = tools, .policy = {}, .clock = clock}); };
  add("look");
  EXPECT_TRUE(create());
  add("look");
  EXPECT_FAILS(kInvalidArgument, create()) << "two of a name";
  for (const std::string& name : {std::string(), std::string("a tool"), std::string("a.b"), std::string(65, 'x')}) {
    tools.clear();
    add(name);
    EXPECT_FAILS(kInvalidArgument, create()) << name;
  }
  tools.clear();
  for (std::size_t i = 0; i < kMaxTools; ++i) add("tool" + std::to_string(i));
  EXPECT_TRUE(create());
  add("one_more");
  EXPECT_FAILS(kInvalidArgument, create());
}

}  // namespace
}  // namespace pandora
