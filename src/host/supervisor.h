// The supervisor itself: one thread a process, each of which starts, watches, restarts and stops its own.
//
// What it starts is a session of its own, so Ctrl-C in the supervisor's terminal does not reach it; the supervisor
// adopts whatever a process leaves behind (PR_SET_CHILD_SUBREAPER), and knows it by the mark in its environment. A
// program that goes into the background is followed there. Its output goes through a named pipe to a log writer, a
// process of its own too, so that neither outlives the other's end. Everything about it stands in HostPlace: the next
// supervisor goes on from there.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/random.h"
#include "host/host_processes.h"
#include "host/rotating_log.h"
#include "net/http_client.h"
#include "ports/process_runner.h"

namespace pandora {

// A process that ends by itself is started again after a pause that doubles; it is given up when that happens too often
// without `steady` of readiness in between.
struct RestartPolicy {
  int ends_before_ready = 3;  // that many when it was never ready: a wrong setting does not mend itself
  int ends = 5;
  Duration first_pause = std::chrono::seconds(1);
  Duration longest_pause = std::chrono::minutes(1);
  Duration steady = std::chrono::minutes(1);
};
// Before the start after that many ends in a row, at least one. Pure.
Duration restart_pause(const RestartPolicy& policy, int ends);

struct SupervisorSettings {
  HostPlace place;
  // The program that takes a pipe and writes a log: `keep_log` with the pipe, the log's path, the bytes and the number
  // of files, added as arguments.
  std::vector<std::string> log_writer;
  LogLimits logs;
  RestartPolicy restarts;
  Duration probe_every = std::chrono::seconds(10);        // while it is ready
  Duration probe_patience = std::chrono::seconds(2);      // for a quick probe; also of `status`
  Duration whole_patience = std::chrono::seconds(60);     // for one with a token
  Duration settle_time = std::chrono::milliseconds(500);  // that a changed file must be left alone before it counts
  // Called when a watched file changes, for what is to run now; empty, or an error (which is said): the same as before.
  std::function<Result<std::vector<HostProcess>>()> reload;
};
// All outlive the supervisor.
struct SupervisorParts {
  ProcessRunner& runner;
  HttpClient& client;
  FileSystem& files;
  Random& random;
  const Clock& clock;
};

class Supervisor : public HostControl {
 public:
  // Takes the place over: makes its folder, locks it, and listens on its socket. kConflict: another supervisor has it
  // (connect to that one).
  static Result<std::unique_ptr<Supervisor>> open(SupervisorSettings settings, SupervisorParts parts);
  // From now on no grace: what is being stopped is killed.
  virtual void hurry() = 0;
  // Readable once `stop` has been called and everything has ended.
  virtual int ended_descriptor() const = 0;
  virtual bool has_processes() const = 0;
};

// In starting order. Errors: those of HostControl::apply. Pure.
Result<std::vector<HostProcess>> in_starting_order(std::vector<HostProcess> processes);
// What makes it the same process as before: its command, environment and folder, and what it is made of.
std::string fingerprint_of(const HostProcess& process);

}  // namespace pandora
