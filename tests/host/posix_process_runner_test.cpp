// The contract of ports/process_runner.h on real programs, and what only those can show.
#include "host/posix_process_runner.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "contract/process_runner_contract.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

Command shell(const std::string& script, std::vector<std::string> arguments = {}) {
  Command command{.arguments = {"/bin/sh", "-c", script, "sh"}, .environment = {}, .directory = {}, .input = {}};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  return command;
}

class RealProcesses final : public ProcessRunnerSetup {
 public:
  ProcessRunner& runner() override { return *runner_; }
  Command copies_input() override { return {.arguments = {"cat"}, .environment = {}, .directory = {}, .input = {}}; }
  Command prints_arguments(std::vector<std::string> arguments) override {
    return shell("for a in \"$@\"; do printf '%s\\n' \"$a\"; done", std::move(arguments));
  }
  Command prints_variable(const std::string& name) override { return shell("printf %s \"$" + name + "\""); }
  Command prints_directory() override { return shell("printf %s \"$(pwd -P)\""); }
  Command prints(std::size_t out_bytes, std::size_t err_bytes, int exit_code) override {
    const auto print = [](std::size_t bytes, const std::string& letter) {
      return "head -c " + std::to_string(bytes) + " /dev/zero | tr '\\0' " + letter;
    };
    return shell(print(out_bytes, "o") + "; { " + print(err_bytes, "e") + "; } >&2; exit " + std::to_string(exit_code));
  }
  Command runs_for_ever() override { return shell("echo begun; exec tail -f /dev/null"); }
  std::string directory() override { return std::filesystem::canonical(folder_.path()).string(); }
  std::string new_path(const std::string& name) override {
    return folder_.path() + "/" + name + std::to_string(next_++);
  }
  std::string read_log(const std::string& path) override {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  testing::TemporaryDirectory folder_;
  std::unique_ptr<ProcessRunner> runner_ = make_posix_process_runner();
  int next_ = 0;
};

class RealProcess : public ::testing::Test {
 protected:
  Deadline in(Duration budget) const { return Deadline::after(clock_, budget); }
  const SystemClock clock_;
  RealProcesses setup_;
  ProcessRunner& runner_ = setup_.runner();
};

TEST_F(RealProcess, WhatAProgramLeavesBehindGoesWithIt) {
  const auto output = must(runner_.run(shell("tail -f /dev/null & echo $!"), in(std::chrono::seconds(20))));
  const int left = std::stoi(output.out);
  const Deadline patience = in(std::chrono::seconds(20));
  const auto is_gone = [&] {  // or waits to be waited for
    std::ifstream stat("/proc/" + std::to_string(left) + "/stat");
    std::string line;
    std::getline(stat, line);
    return line.empty() || line.find(") Z ") != std::string::npos || line.find(") X ") != std::string::npos;
  };
  while (!is_gone() && !patience.expired()) std::this_thread::yield();
  EXPECT_TRUE(is_gone());
}

TEST_F(RealProcess, IgnoredSignalsAreNotInherited) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const auto output = must(runner_.run(shell("kill -PIPE $$; echo still here"), in(std::chrono::seconds(20))));
  std::signal(SIGPIPE, before);
  EXPECT_EQ(output.status, ExitStatus{128 + SIGPIPE});
}

TEST_F(RealProcess, NothingElseThatIsOpenReachesTheProgram) {
  const int open = ::open("/dev/null", O_RDONLY);  // as a library may have opened it: it would be inherited
  ASSERT_GT(open, 2);
  const auto output = must(runner_.run(shell("ls /proc/self/fd | wc -l"), in(std::chrono::seconds(20))));
  ::close(open);
  EXPECT_EQ(std::stoi(output.out), 4);  // the three, and the folder that ls reads
}

TEST_F(RealProcess, AStartedOneIsASessionOfItsOwn) {
  const auto process = must(runner_.start(setup_.runs_for_ever(), setup_.new_path("log")));
  EXPECT_EQ(::getsid(process->pid()), process->pid());
  must(process->signal(SIGKILL));
  EXPECT_EQ(must(process->wait(in(std::chrono::seconds(20)))), ExitStatus{128 + SIGKILL});
}

TEST_F(RealProcess, ASignalForAllReachesWhatItHasStarted) {
  const std::string log = setup_.new_path("log");
  const auto process = must(runner_.start(
      shell("sh -c 'trap \"echo heard; exit\" TERM; echo begun; while :; do sleep 0.01; done' & wait"), log));
  const Deadline patience = in(std::chrono::seconds(20));
  while (setup_.read_log(log).find("begun") == std::string::npos && !patience.expired()) std::this_thread::yield();
  must(process->signal_all(SIGTERM));
  while (setup_.read_log(log).find("heard") == std::string::npos && !patience.expired()) std::this_thread::yield();
  EXPECT_NE(setup_.read_log(log).find("heard"), std::string::npos);
  must(process->wait(patience));
  EXPECT_FAILS(kNotFound, process->signal_all(SIGTERM));
}

TEST_F(RealProcess, AnEndThatNobodyKnowsIsNoSuccess) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);  // the kernel forgets how they end
  const auto output = runner_.run(shell("exit 0"), in(std::chrono::seconds(20)));
  const auto process = must(runner_.start(setup_.runs_for_ever(), setup_.new_path("log")));
  EXPECT_TRUE(process->signal(SIGKILL));
  const auto status = process->wait(in(std::chrono::seconds(20)));
  EXPECT_FAILS(kNotFound, process->signal(SIGTERM));
  std::signal(SIGCHLD, before);
  EXPECT_FAILS(kUnavailable, output);
  EXPECT_FAILS(kUnavailable, status);
}

TEST_F(RealProcess, AFileThatIsNoProgramIsRefused) {
  const std::string path = setup_.new_path("text");
  std::ofstream(path) << "hello";
  EXPECT_FAILS(kPermissionDenied,
               runner_.run({.arguments = {path}, .environment = {}, .directory = {}, .input = {}}, kNever));
  EXPECT_FAILS(kNotFound, runner_.start(setup_.runs_for_ever(), "/nowhere/log"));
}

}  // namespace

std::vector<Implementation<ProcessRunnerSetup>> process_runner_implementations() {
  return {{"Posix", [] { return std::make_unique<RealProcesses>(); }}};
}

}  // namespace pandora
