// What the tests of the supervisor share: a place of its own, real programs, short times.
#pragma once
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/kernel_file.h"
#include "host/posix_process_runner.h"
#include "host/supervisor.h"
#include "net/io_threads.h"
#include "support/raw_tcp.h"
#include "support/temporary_directory.h"

namespace pandora::testing {

using namespace std::chrono_literals;

inline bool is_alive(int pid) {
  const std::string text = kernel_file("/proc/" + std::to_string(pid) + "/stat");
  const auto close = text.rfind(')');
  return close != std::string::npos && text.substr(close + 2, 1) != "Z";
}

inline std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Polls: what is waited for happens in other processes.
inline ::testing::AssertionResult comes_about(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return ::testing::AssertionSuccess();
    std::this_thread::sleep_for(20ms);
  }
  return ::testing::AssertionFailure() << "it did not come about";
}

class SupervisorCase : public ::testing::Test {
 protected:
  SupervisorCase() {
    settings.place = {folder.path() + "/host"};
    settings.log_writer = {PANDORA_LOG_WRITER};
    settings.restarts = {.ends_before_ready = 3, .ends = 4, .first_pause = 5ms, .longest_pause = 20ms, .steady = 1min};
    settings.settle_time = 20ms;
    settings.probe_every = 50ms;
    client = *HttpClient::create({}, threads);
  }
  ~SupervisorCase() override {
    if (!supervisor) supervisor = Supervisor::open(settings, parts()).value_or(nullptr);
    if (supervisor) {
      (void)supervisor->apply({});
      (void)supervisor->stop({});
    }
  }

  SupervisorParts parts() { return {*runner, *client, *files, random, clock}; }
  void open() {
    auto opened = Supervisor::open(settings, parts());
    ASSERT_TRUE(opened) << opened.error().to_line();
    supervisor = *std::move(opened);
  }
  // As if it had been killed: what it started runs on, as long as this test does.
  void lose_supervisor() { supervisor.reset(); }

  HostProcess program(const std::string& name, std::vector<std::string> arguments, std::uint16_t port = 0) {
    HostProcess process;
    process.name = name;
    process.arguments = {PANDORA_HOST_PROGRAM};
    process.arguments.insert(process.arguments.end(), arguments.begin(), arguments.end());
    process.readiness.port = port;
    if (port) process.readiness.health_path = "/health";
    process.ready_time = 20s;
    process.stop_grace = 10s;
    return process;
  }
  HostProcess server(const std::string& name) {
    const auto port = free_port();
    return program(name, {"serves", std::to_string(port)}, port);
  }
  Status settle() { return supervisor->settle(recorder(), Deadline::after(clock, 30s)); }
  HostProgress recorder() {
    return [this](const HostEvent& event) {
      const std::lock_guard lock(mutex);
      said.push_back(event.process + ": " + event.text);
    };
  }
  std::string all_said() {
    const std::lock_guard lock(mutex);
    std::string text;
    for (const auto& line : said) text += line + "\n";
    return text;
  }
  HostStatus row(const std::string& name) {
    const auto rows = supervisor->status(Deadline::after(clock, 10s));
    if (rows)
      for (const auto& one : *rows)
        if (one.name == name) return one;
    return {};
  }
  bool is_in(const std::string& name, HostState state) { return row(name).state == state; }
  std::string log_of(const std::string& name) { return text_of(settings.place.log(name)); }

  TemporaryDirectory folder;
  SystemClock clock;
  SystemRandom random;
  IoThreads threads{clock};
  std::unique_ptr<HttpClient> client;
  std::unique_ptr<ProcessRunner> runner = make_posix_process_runner();
  std::unique_ptr<FileSystem> files = make_posix_file_system();
  SupervisorSettings settings;
  std::unique_ptr<Supervisor> supervisor;
  std::mutex mutex;
  std::vector<std::string> said;
};

}  // namespace pandora::testing
