#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "crash/crash_driver.h"
#include "wire/json_reader.h"

namespace pandora::crash {
namespace {

constexpr int kLives = 25;  // kills of one data directory before a fresh one is begun
constexpr std::uint64_t kLongestMillis = 120;

struct Child {
  pid_t pid = -1;
  int in = -1, out = -1;
};

Child start(const std::string& program, const std::string& data, std::vector<std::string> arguments) {
  std::array<int, 2> in{}, out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::setenv("PANDORA_DATA", data.c_str(), 1);
    ::setenv("PANDORA_ENCODER", "hashing", 1);  // quick to start; saving is the same
    ::setenv("PANDORA_LOG_LEVEL", "error", 1);
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  return {pid, in[1], out[0]};
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 65'536> buffer{};
  for (;;) {
    const auto got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  return text;
}

// The result of a command as JSON; none when it failed.
Json run(const std::string& program, const std::string& data, std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const Child child = start(program, data, std::move(arguments));
  ::close(child.in);
  const std::string out = read_all(child.out);
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  return status == 0 ? Json::parse(out, nullptr, false) : Json();
}

class DataDirectory {
 public:
  DataDirectory(std::string program, std::uint64_t seed, Tally& tally)
      : program_(std::move(program)), seed_(seed), random_(seed), tally_(tally) {
    std::string name = (std::filesystem::temp_directory_path() / "pandora-kill-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~DataDirectory() { std::filesystem::remove_all(path_); }

  void live_and_die() {
    const Child child = start(program_, path_, {"chat", "--json", "--session", fmt::format("s{}", next_ % 3)});
    std::string messages;
    for (int i = 0; i < 60; ++i) messages += fmt::format("Message number {} of this life\n", next_++);
    (void)!::write(child.in, messages.data(), messages.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(random_.below(kLongestMillis)));
    ::kill(child.pid, SIGKILL);
    ::close(child.in);
    note(read_all(child.out));
    ::waitpid(child.pid, nullptr, 0);
    ++tally_.kills;
  }

  void compare() {
    const Json repaired = run(program_, path_, {"reconcile", "--apply"});
    const Json report = run(program_, path_, {"reconcile"});
    if (!repaired.is_object() || !report.is_object()) {
      fmt::print("seed {}: a start was refused\n", seed_);
      ++tally_.refused_starts;
      return;
    }
    for (const auto& difference : report["differences"]) {
      fmt::print("seed {}: {}\n", seed_, difference.dump());
      ++tally_.differences;
    }
    std::map<std::string, int> seen;
    for (std::int64_t before = INT64_MAX;;) {
      const Json page = run(program_, path_, {"turns", "list", "--limit", "1000", "--before", std::to_string(before)});
      if (!page.is_object() || page["turns"].empty()) break;
      for (const auto& turn : page["turns"]) {
        ++seen[turn.value("uid", "")];
        before = turn.value("number", std::int64_t{0});
      }
    }
    for (const auto& uid : acknowledged_) {
      ++tally_.acknowledged;
      if (seen[uid] == 1) continue;
      fmt::print("seed {}: turn {} is there {} times\n", seed_, uid, seen[uid]);
      ++(seen[uid] == 0 ? tally_.lost : tally_.doubled);
    }
  }

 private:
  // A whole line that says so is an acknowledgement.
  void note(const std::string& out) {
    for (std::size_t begin = 0, end = 0; (end = out.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const Json answer = Json::parse(out.substr(begin, end - begin), nullptr, false);
      if (answer.is_object() && answer.value("acknowledged", false))
        acknowledged_.push_back(answer.value("turn_uid", ""));
    }
  }

  const std::string program_;
  const std::uint64_t seed_;
  SeededRandom random_;
  Tally& tally_;
  std::string path_;
  std::vector<std::string> acknowledged_;
  std::int64_t next_ = 0;
};

}  // namespace

Tally kill_processes(const std::string& program, std::int64_t kills, std::uint64_t seed) {
  Tally tally;
  for (std::uint64_t round = 0; tally.kills < kills; ++round) {
    DataDirectory directory(program, seed + round, tally);
    for (int life = 0; life < kLives && tally.kills < kills; ++life) directory.live_and_die();
    directory.compare();
    fmt::print(stderr, "\r{} of {} processes killed", tally.kills, kills);
    std::fflush(stderr);
  }
  fmt::print(stderr, "\n");
  return tally;
}

}  // namespace pandora::crash
