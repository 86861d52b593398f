#include "contract/tool_runner_contract.h"

#include <atomic>
#include <set>
#include <thread>

#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

class ToolRunnerContract : public ::testing::TestWithParam<Implementation<ToolRunnerSetup>> {
 protected:
  Result<ToolOutcome> run(const std::string& tool, const std::string& arguments, const Deadline& deadline = kNever) {
    return setup_->runner().run({"call_1", tool, arguments}, {ana_}, deadline);
  }

  const Principal ana_ = Principal::of(must(UserId::parse("ana")));
  const SystemClock clock_;
  std::unique_ptr<ToolRunnerSetup> setup_ = GetParam().make();
};

TEST_P(ToolRunnerContract, TheCatalogueNamesEveryToolOnceWithItsSchema) {
  std::set<std::string> names;
  for (const auto& tool : setup_->runner().catalogue()) {
    EXPECT_TRUE(names.insert(tool.name).second) << tool.name;
    EXPECT_FALSE(tool.description.empty()) << tool.name;
    EXPECT_TRUE(must(parse_json(tool.schema, 1 << 20, "a schema")).is_object()) << tool.name;
  }
  for (const char* name : {"echo", "long", "broken", "slow", "denied"}) EXPECT_TRUE(names.contains(name)) << name;
  const auto* before = &setup_->runner().catalogue();
  must(run("echo", R"({"text": "x"})"));
  EXPECT_EQ(&setup_->runner().catalogue(), before);
  EXPECT_EQ(before->size(), names.size());
}

TEST_P(ToolRunnerContract, AToolGivesItsResultAsData) {
  const ToolOutcome outcome = must(run("echo", R"({"text": "hello\n日本"})"));
  EXPECT_EQ(outcome.status, ToolStatus::kOk);
  EXPECT_EQ(outcome.result, "hello\n日本");
  EXPECT_TRUE(outcome.trust == Trust::kTool || outcome.trust == Trust::kWeb);
}

TEST_P(ToolRunnerContract, AToolThatFailsIsAResult) {
  const ToolOutcome outcome = must(run("broken", "{}"));
  EXPECT_EQ(outcome.status, ToolStatus::kFailed);
  EXPECT_NE(outcome.result.find("it broke"), std::string::npos);
}

TEST_P(ToolRunnerContract, AToolThatIsNoneIsNotFound) {
  EXPECT_FAILS(kNotFound, run("nothing", "{}"));
  EXPECT_FAILS(kNotFound, run("", "no JSON"));
  EXPECT_FAILS(kNotFound, run("Echo", R"({"text": "x"})"));
}

TEST_P(ToolRunnerContract, ArgumentsAreCheckedBeforeAnythingRuns) {
  for (const char* arguments :
       {"", "text", "[]", "\"text\"", "null", "{", "{}", R"({"other": "x"})", R"({"text": "x"} more)"})
    EXPECT_FAILS(kInvalidArgument, run("echo", arguments)) << arguments;
  EXPECT_FAILS(kInvalidArgument, run("denied", "[]"));
  EXPECT_FAILS(kInvalidArgument, run("slow", "[]", past()));
}

TEST_P(ToolRunnerContract, WhatIsNotApprovedIsDenied) {
  EXPECT_FAILS(kPermissionDenied, run("denied", "{}"));
  EXPECT_FAILS(kDeadlineExceeded, run("denied", "{}", past()));
}

TEST_P(ToolRunnerContract, AToolEndsAtItsDeadline) {
  EXPECT_FAILS(kDeadlineExceeded, run("slow", "{}", Deadline::after(clock_, std::chrono::milliseconds(50))));
  EXPECT_FAILS(kDeadlineExceeded, run("echo", R"({"text": "x"})", past()));
}

TEST_P(ToolRunnerContract, ALongResultIsCutAtACodePoint) {
  const auto result = [&](std::size_t bytes) {
    return must(run("long", "{\"bytes\": " + std::to_string(bytes) + "}")).result;
  };
  const std::string longest = result(kMaxToolResultBytes), cut = result(kMaxToolResultBytes + 2);
  EXPECT_EQ(longest.size(), kMaxToolResultBytes);
  EXPECT_FALSE(longest.ends_with("…"));
  EXPECT_LE(cut.size(), kMaxToolResultBytes);
  EXPECT_GT(cut.size(), kMaxToolResultBytes - 8);
  EXPECT_TRUE(cut.ends_with("é…"));
  EXPECT_TRUE(is_valid_utf8(cut));
}

TEST_P(ToolRunnerContract, ManyToolsRunAtOnce) {
  constexpr int kThreads = 4, kEach = 50;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const std::string text = std::to_string(thread * kEach + i);
        const auto outcome = run("echo", "{\"text\": \"" + text + "\"}");
        if (!outcome || outcome->result != text) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(ToolRunners, ToolRunnerContract, ::testing::ValuesIn(tool_runner_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
