// Inside stack: one process of a supervisor, and the thread that looks after it.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "host/host_board.h"
#include "host/host_readiness.h"
#include "host/process_ending.h"
#include "host/supervisor.h"

namespace pandora {

// What its processes share.
struct SupervisorCore {
  SupervisorSettings settings;
  SupervisorParts parts;
  HostBoard board;
  std::atomic<bool> hurry = false;
  std::mutex children_mutex;
  std::vector<int> children;  // that somebody here waits for
  SteadyTime reaped_at{};

  SupervisorCore(SupervisorSettings s, SupervisorParts p) : settings(std::move(s)), parts(p), board(p.clock) {}
  Result<std::unique_ptr<Process>> start_child(const Command& command, const std::string& log);
  void remove_child(int pid);
  void reap();
  void reap_now_and_then();  // it reads all of /proc
};

// The pipe of a process's output and the writer at its end. For one thread.
class LogKeeper {
 public:
  LogKeeper(SupervisorCore& core, std::string name) : core_(core), name_(std::move(name)) {}
  ~LogKeeper();
  const std::string& pipe() const { return pipe_; }
  Status open();      // makes the pipe, and starts a writer
  void look_after();  // another one when it has ended
  // A line of ours; returns when it is in the log, or after a moment when it does not come to that.
  void say(const std::string& line);
  int watch() const { return watch_; }  // readable once the writer has ended; -1: there is none
  bool wants_writer() const { return fd_ >= 0 && !writer_; }

 private:
  Status start_writer();
  SupervisorCore& core_;
  const std::string name_;
  std::string pipe_;
  int fd_ = -1, watch_ = -1;
  std::unique_ptr<Process> writer_;
  SteadyTime started_{};
};

class SupervisedProcess {
 public:
  // Begins at once: takes over what a supervisor that is gone has left, or starts it.
  SupervisedProcess(HostProcess process, SupervisorCore& core);
  ~SupervisedProcess();  // a process that runs is left alone

  void again(const std::string& why);  // drain and start
  void change(HostProcess process);    // likewise, as another one
  void retune(HostProcess process);    // the same process, with other times and needs
  void stop();                         // returns at once
  void begin_use();
  void end_use();
  HostProcess process() const;
  std::string fingerprint() const;
  const std::string& name() const { return name_; }
  HostStatus status() const;  // without memory and latency

 private:
  enum class Wish { kNone, kAgain, kStop, kLeave };
  enum class Woken { kTime, kAlarm, kEnded };
  struct Running {
    std::string mark;
    ProcessIdentity identity;
    int watch = -1;                  // a pidfd
    std::unique_ptr<Process> child;  // none: taken over, or gone into the background
    SteadyTime ready_at{};
    bool ready = false;
  };
  class ProbeRun;

  void live();
  void take_over();
  void fulfil(Wish wish);
  Wish wish() const;
  Wish take_wish();
  void ask(Wish wish, HostState state, std::string text);
  Woken wait(Duration time);
  bool is_wanted_now() const;  // not cold, or in use
  bool wait_for_needs();
  bool wait_for_card();
  void start();
  void become_ready();
  void watch();
  void ended();
  bool follow_into_background();
  void attempt_failed(const std::string& text);
  void give_up(const std::string& why, bool with_log);
  void end_running();
  void forget_running();
  Status write_pid_file(const std::string& mark, const ProcessIdentity& identity);
  void post(HostState state, std::string text, std::string reason = "");
  void set_state(HostState state, std::string text, std::string reason);  // under the lock

  SupervisorCore& core_;
  const std::string name_;
  Alarm alarm_;
  LogKeeper log_;
  std::optional<Running> running_;  // of the thread
  int ends_ = 0;                    // in a row, of the thread
  bool was_ready_ = false;
  SteadyTime wanted_since_{}, idle_since_{};

  mutable std::mutex mutex_;
  HostProcess process_;
  std::string fingerprint_;
  HostStatus status_;
  Wish wish_ = Wish::kNone;
  int uses_ = 0;
  std::thread thread_;  // last: it begins when the rest is there
};

}  // namespace pandora
