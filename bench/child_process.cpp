#include "child_process.h"

#include <array>
#include <csignal>
#include <ctime>
#include <fstream>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace pandora {

ChildProcess::ChildProcess(const std::vector<std::string>& words) {
  std::array<int, 2> out{};
  if (::pipe(out.data()) != 0) return;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addclose(&actions, out[0]);
  ::posix_spawn_file_actions_addclose(&actions, out[1]);
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  if (::posix_spawnp(&process_, words.front().c_str(), &actions, nullptr, arguments.data(), environ) != 0)
    process_ = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  out_ = out[0];
}

ChildProcess::~ChildProcess() {
  if (out_ >= 0) ::close(out_);
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
}

std::string ChildProcess::read_line() const {
  std::string line;
  for (char byte = 0; ::read(out_, &byte, 1) == 1 && byte != '\n';) line += byte;
  return line;
}

std::vector<pid_t> ChildProcess::family() const {
  std::vector<pid_t> all;
  if (process_ <= 0) return all;
  all.push_back(process_);
  const std::string number = std::to_string(process_);
  std::ifstream children("/proc/" + number + "/task/" + number + "/children");
  for (pid_t child = 0; children >> child;) all.push_back(child);
  return all;
}

std::chrono::nanoseconds ChildProcess::processor_time() const {
  std::chrono::nanoseconds sum{};
  for (const pid_t process : family()) {
    clockid_t clock = 0;
    timespec time{};
    if (::clock_getcpuclockid(process, &clock) == 0 && ::clock_gettime(clock, &time) == 0)
      sum += std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return sum;
}

std::size_t ChildProcess::resident_bytes() const {
  std::size_t pages = 0;
  for (const pid_t process : family()) {
    std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
    std::size_t all = 0, resident = 0;
    if (statm >> all >> resident) pages += resident;
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pandora
