#include "contract/process_runner_contract.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace pandora {
namespace {

constexpr Duration kShort = std::chrono::milliseconds(100);

class ProcessRunnerContract : public ::testing::TestWithParam<Implementation<ProcessRunnerSetup>> {
 protected:
  ProcessRunner& runner() { return setup_->runner(); }
  Deadline in(Duration budget) const { return Deadline::after(clock_, budget); }
  Result<CommandOutput> run(const Command& command) { return runner().run(command, in(std::chrono::seconds(20))); }
  std::string output(const Command& command) { return must(run(command)).out; }

  const SystemClock clock_;
  std::unique_ptr<ProcessRunnerSetup> setup_ = GetParam().make();
};

TEST_P(ProcessRunnerContract, WhatAProgramSaysAndItsCodeComeBack) {
  const CommandOutput good = must(run(setup_->prints(3, 2, 0))), bad = must(run(setup_->prints(0, 1, 7)));
  EXPECT_EQ(good.out, "ooo");
  EXPECT_EQ(good.err, "ee");
  EXPECT_EQ(good.status, ExitStatus{0});
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(bad.err, "e");
  EXPECT_EQ(bad.status, ExitStatus{7});
}

TEST_P(ProcessRunnerContract, ArgumentsReachTheProgramAsTheyAre) {
  EXPECT_EQ(output(setup_->prints_arguments({"a b", "", "$HOME", "*", "\"'\\", "; rm -r x", "日本", "-n"})),
            "a b\n\n$HOME\n*\n\"'\\\n; rm -r x\n日本\n-n\n");
}

TEST_P(ProcessRunnerContract, InputIsGivenToItsEnd) {
  Command command = setup_->copies_input();
  command.input = std::string("a\0\xff\n", 4) + std::string(300'000, 'x');
  EXPECT_EQ(output(command), command.input);
  EXPECT_EQ(output(setup_->copies_input()), "");
  Command unread = setup_->prints(1, 0, 0);  // a program need not read it
  unread.input = std::string(300'000, 'x');
  EXPECT_EQ(output(unread), "o");
}

TEST_P(ProcessRunnerContract, VariablesAreAddedAndTheDirectoryIsTheOneAskedFor) {
  Command variable = setup_->prints_variable("PANDORA_TEST_VARIABLE");
  EXPECT_EQ(output(variable), "");
  variable.environment["PANDORA_TEST_VARIABLE"] = "a=b c";
  EXPECT_EQ(output(variable), "a=b c");
  Command directory = setup_->prints_directory();
  directory.directory = setup_->directory();
  EXPECT_EQ(output(directory), setup_->directory());
}

TEST_P(ProcessRunnerContract, WhatMakesNoSenseIsRefused) {
  const Command good = setup_->prints(1, 0, 0);
  std::vector<Command> bad(7, good);
  bad[0].arguments.clear();
  bad[1].arguments[0] = "";
  bad[2].arguments.push_back(std::string("a\0b", 3));
  bad[3].environment[""] = "x";
  bad[4].environment["A=B"] = "x";
  bad[5].environment["A"] = std::string("\0", 1);
  bad[6].directory = std::string("a\0b", 3);
  for (const auto& command : bad) {
    EXPECT_FAILS(kInvalidArgument, run(command));
    EXPECT_FAILS(kInvalidArgument, runner().start(command, setup_->new_path("log")));
  }
  Command missing = good;
  missing.arguments[0] = "pandora_has_no_such_program";
  Command nowhere = good;
  nowhere.directory = setup_->directory() + "/nowhere";
  for (const auto& command : {missing, nowhere}) {
    EXPECT_FAILS(kNotFound, run(command));
    EXPECT_FAILS(kNotFound, runner().start(command, setup_->new_path("log")));
  }
}

TEST_P(ProcessRunnerContract, OutputHasABoundAndSoHasInput) {
  const CommandOutput most = must(run(setup_->prints(kMaxCommandOutput, kMaxCommandOutput, 0)));
  EXPECT_EQ(most.out.size(), kMaxCommandOutput);
  EXPECT_EQ(most.err.size(), kMaxCommandOutput);
  EXPECT_FAILS(kTooLarge, run(setup_->prints(kMaxCommandOutput + 1, 0, 0)));
  EXPECT_FAILS(kTooLarge, run(setup_->prints(0, kMaxCommandOutput + 1, 0)));
  Command command = setup_->copies_input();
  command.input = std::string(kMaxCommandInput, 'x');
  EXPECT_EQ(output(command).size(), kMaxCommandInput);
  command.input += 'x';
  EXPECT_FAILS(kTooLarge, run(command));
}

TEST_P(ProcessRunnerContract, AtItsDeadlineAProgramIsKilled) {
  EXPECT_FAILS(kDeadlineExceeded, runner().run(setup_->runs_for_ever(), in(kShort)));
  EXPECT_FAILS(kDeadlineExceeded, runner().run(setup_->prints(1, 0, 0), past()));
}

TEST_P(ProcessRunnerContract, AStartedProgramRunsUntilItIsSignalled) {
  const std::string log = setup_->new_path("log");
  const auto process = must(runner().start(setup_->runs_for_ever(), log));
  EXPECT_GT(process->pid(), 0);
  EXPECT_EQ(must(process->wait(in(kShort))), std::nullopt);
  EXPECT_EQ(must(process->wait(past())), std::nullopt);
  must(process->signal(SIGTERM));
  for (int again = 0; again < 2; ++again)
    EXPECT_EQ(must(process->wait(in(std::chrono::seconds(20)))), ExitStatus{128 + SIGTERM});
  EXPECT_EQ(must(process->wait(past())), ExitStatus{128 + SIGTERM});
  EXPECT_FAILS(kNotFound, process->signal(SIGTERM));
}

TEST_P(ProcessRunnerContract, WhatStartedProgramsSayIsAddedToTheirLog) {
  const std::string log = setup_->new_path("log");
  for (const int code : {0, 3}) {
    const auto process = must(runner().start(setup_->prints(2, 1, code), log));
    EXPECT_EQ(must(process->wait(in(std::chrono::seconds(20)))), ExitStatus{code});
  }
  std::string said = setup_->read_log(log);
  EXPECT_EQ(std::ranges::count(said, 'o'), 4);
  EXPECT_EQ(std::ranges::count(said, 'e'), 2);
  EXPECT_EQ(said.size(), 6u);
}

TEST_P(ProcessRunnerContract, AProcessOutlivesItsHandle) {
  const std::string log = setup_->new_path("log");
  auto first = must(runner().start(setup_->runs_for_ever(), log));
  const auto second = must(runner().start(setup_->runs_for_ever(), log));
  EXPECT_NE(first->pid(), second->pid());
  first.reset();
  EXPECT_EQ(must(second->wait(in(kShort))), std::nullopt);
  must(second->signal(SIGKILL));
  EXPECT_EQ(must(second->wait(in(std::chrono::seconds(20)))), ExitStatus{128 + SIGKILL});
}

TEST_P(ProcessRunnerContract, ManyProgramsRunAtOnce) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 10; ++i) {
        Command command = setup_->copies_input();
        command.input = std::to_string(thread * 10 + i);
        const auto said = run(command);
        if (!said || said->out != command.input) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(ProcessRunners, ProcessRunnerContract, ::testing::ValuesIn(process_runner_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
