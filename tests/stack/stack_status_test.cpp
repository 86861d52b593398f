// What is said of a service by what the Engine and its store answer; what the kernel and the Engine's frames say.
#include "stack/stack_status.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "stack/container_memory.h"
#include "stack/wait.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

using namespace std::chrono_literals;

const Health kReady{.state = HealthState::kReady, .latency = 1ms, .detail = {}};
const Health kDown{.state = HealthState::kDown, .latency = 1ms, .detail = "connection refused"};

std::string said(ContainerState state, const std::optional<Health>& probe) {
  const auto [condition, reason] = judge(state, probe);
  return fmt::format("{}: {}", to_string(condition), reason);
}

TEST(StackStatus, ARunningOneIsAsItAnswers) {
  EXPECT_EQ(said({.state = "running", .health = "healthy"}, kReady), "ready: ");
  EXPECT_EQ(said({.state = "running", .health = "starting"}, kReady), "ready: ");
  EXPECT_EQ(said({.state = "running", .health = "starting"}, kDown), "starting: connection refused");
  EXPECT_EQ(said({.state = "running", .health = "healthy"}, kDown), "not answering: connection refused");
  EXPECT_EQ(said({.state = "running", .health = "unhealthy", .checked = "no route"}, kReady),
            "unhealthy: its own health check fails: no route");
}

TEST(StackStatus, OneThatNobodyAsksIsAsItsOwnCheckSays) {
  EXPECT_EQ(said({.state = "running", .health = ""}, std::nullopt), "ready: ");
  EXPECT_EQ(said({.state = "running", .health = "healthy"}, std::nullopt), "ready: ");
  EXPECT_EQ(said({.state = "running", .health = "starting"}, std::nullopt),
            "starting: its own health check has not passed yet");
}

TEST(StackStatus, OneThatDoesNotRunSaysWhy) {
  EXPECT_EQ(said({.state = "exited", .exit_code = 0}, std::nullopt), "stopped: it was stopped");
  EXPECT_EQ(said({.state = "exited", .exit_code = 143}, std::nullopt), "stopped: it was stopped");
  EXPECT_EQ(said({.state = "exited", .exit_code = 1}, std::nullopt), "ended: it has ended with exit code 1");
  EXPECT_EQ(said({.state = "exited", .error = "no such file", .exit_code = 127}, std::nullopt), "ended: no such file");
  EXPECT_EQ(said({.state = "exited", .exit_code = 137, .out_of_memory = true}, std::nullopt),
            "ended: it needed more memory than its limit, and the kernel ended it");
  EXPECT_EQ(said({.state = "restarting", .exit_code = 3}, std::nullopt), "restarting: it ends with exit code 3");
  EXPECT_EQ(said({.state = "paused"}, std::nullopt), "paused: `docker unpause` lets it go on");
  EXPECT_EQ(said({.state = "created"}, std::nullopt), "stopped: it was never started");
}

TEST(Waiting, MuchDataGetsTheTimeThatASlowDiskNeedsForIt) {
  EXPECT_EQ(time_to_read(0), 0s);
  EXPECT_EQ(time_to_read(kSlowestDisk - 1), 0s);
  EXPECT_EQ(time_to_read(kSlowestDisk), 1s);
  EXPECT_EQ(time_to_read(60'000'000'000), 20min);
}

class ContainerMemory : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = folder_.path() + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  testing::TemporaryDirectory folder_;
};

TEST_F(ContainerMemory, IsThatOfItsControlGroupOfTheFirstVersion) {
  write("/proc/7/cgroup", "3:cpu,memory:/d/1\n2:pids:/other\n0::/none\n");
  write("/sys/fs/cgroup/memory/d/1/memory.usage_in_bytes", "1000\n");
  write("/sys/fs/cgroup/memory/d/1/memory.stat", "cache 9\ninactive_file 1\ntotal_inactive_file 300\n");
  EXPECT_EQ(container_memory(7, folder_.path()), 700u);
}

TEST_F(ContainerMemory, AndOfTheSecond) {
  write("/proc/7/cgroup", "0::/d/1\n");
  write("/sys/fs/cgroup/d/1/memory.current", "1000\n");
  write("/sys/fs/cgroup/d/1/memory.stat", "anon 600\ninactive_file 400\n");
  EXPECT_EQ(container_memory(7, folder_.path()), 600u);
  write("/sys/fs/cgroup/d/1/memory.stat", "inactive_file 4000\n");
  EXPECT_EQ(container_memory(7, folder_.path()), 0u);
}

TEST_F(ContainerMemory, WhatCannotBeSeenIsNotSaid) {
  EXPECT_EQ(container_memory(7, folder_.path()), std::nullopt);
  EXPECT_EQ(container_memory(0, folder_.path()), std::nullopt);
  write("/proc/7/cgroup", "nonsense\n0::/d/1\n");
  EXPECT_EQ(container_memory(7, folder_.path()), std::nullopt);
}

std::string frame(char stream, const std::string& bytes) {
  return std::string{stream, 0, 0, 0, 0, 0, static_cast<char>(bytes.size() >> 8), static_cast<char>(bytes.size())} +
         bytes;
}

TEST(LogLines, AreThoseOfBothStreamsAsTheyCame) {
  EXPECT_EQ(lines_of_log(frame(1, "one\ntw") + frame(1, "o\n") + frame(2, "three\n")),
            (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_TRUE(lines_of_log("").empty());
}

TEST(LogLines, OneThatIsCutEndsThem) {
  const std::string whole = frame(1, "one\ntwo\n");
  EXPECT_EQ(lines_of_log(whole.substr(0, whole.size() - 5)), (std::vector<std::string>{"one"}))
      << "the frame's end is missing";
  EXPECT_EQ(lines_of_log(whole + std::string("\1\0\0", 3)), (std::vector<std::string>{"one", "two"}));
}

TEST(LogLines, AreClearedOfControlsAndCutAtTheirMaximum) {
  EXPECT_EQ(lines_of_log(frame(1, "a\033[1mb\n")), (std::vector<std::string>{"a [1mb"}));
  EXPECT_EQ(lines_of_log(frame(1, std::string(kMaxLogLine, 'x') + "\n"))[0].size(), kMaxLogLine);
  EXPECT_EQ(lines_of_log(frame(1, std::string(kMaxLogLine + 1, 'x') + "\n"))[0],
            std::string(kMaxLogLine - 3, 'x') + "…");
}

}  // namespace
}  // namespace pandora
