// What Compose is called with: beside programs that only remember it.
#include "stack/apply.h"

#include <csignal>

#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace pandora {
namespace {

// Ends when it is told to, or at once.
class Called final : public Process {
 public:
  Called(std::vector<int>& signals, bool runs) : signals_(signals), runs_(runs) {}
  int pid() const override { return 0; }
  Status signal(int) override { return fail(ErrorCode::kInternal, "what it has started is not told"); }
  Status signal_all(int number) override {
    signals_.push_back(number);
    runs_ = false;
    return {};
  }
  Result<std::optional<ExitStatus>> wait(const Deadline&) override {
    return runs_ ? std::nullopt : std::optional(ExitStatus{});
  }

 private:
  std::vector<int>& signals_;
  bool runs_;
};

class Programs final : public ProcessRunner {
 public:
  bool run_on = false;
  std::vector<Command> commands;
  std::vector<int> signals;
  Result<CommandOutput> run(const Command&, const Deadline&) override {
    return fail(ErrorCode::kInternal, "nothing is run here");
  }
  Result<std::unique_ptr<Process>> start(const Command& command, const std::string&) override {
    commands.push_back(command);
    return std::make_unique<Called>(signals, run_on);
  }
};

class Apply : public ::testing::Test {
 protected:
  tl::expected<void, ApplyFailure> apply(bool cancelled = false) {
    const StackPlan plan{.steps = {{StepKind::kCreate, "postgres", "it has no container"}}, .obstacles = {}};
    const ApplyHooks hooks{.doing = [](const std::string&) {},
                           .waiting = [](const std::string&) {},
                           .cancelled = [=] { return cancelled; }};
    return apply_plan(plan, Goal::kUp, true,
                      {.compose = compose_,
                       .compose_files = files_of_compose_,
                       .log = folder_.path() + "/log",
                       .files = *files_,
                       .runner = programs_,
                       .clock = clock_},
                      hooks);
  }
  const testing::TemporaryDirectory folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  const SystemClock clock_;
  const ComposeProgram compose_{.command = {"docker", "compose"}, .version = "2.26.1", .major = 2, .minor = 26};
  const ComposeFiles files_of_compose_{.docker_host = "unix:///here"};
  Programs programs_;
};

TEST_F(Apply, ComposeIsToldWhichEngineAndThatNobodyWatches) {
  ASSERT_TRUE(apply());
  ASSERT_EQ(programs_.commands.size(), 1u);
  EXPECT_EQ(programs_.commands[0].environment,
            (std::map<std::string, std::string>{
                {"COMPOSE_ANSI", "never"}, {"COMPOSE_PROGRESS", "plain"}, {"DOCKER_HOST", "unix:///here"}}));
}

TEST_F(Apply, WhatComposeHasStartedEndsWithIt) {
  programs_.run_on = true;
  const auto applied = apply(true);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().error.code, ErrorCode::kCancelled);
  EXPECT_EQ(programs_.signals, std::vector<int>{SIGINT});
}

}  // namespace
}  // namespace pandora
