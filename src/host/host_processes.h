// The host side of the stack: processes that are started in order, kept alive, and stopped in reverse.
//
// One supervisor keeps the processes of one folder (HostPlace). It is a process of its own (`pandora up --detach`) or
// lives in the one that asks; `HostControl` is the same for both, so a caller cannot tell. What is to run is told as a
// whole: `apply` starts what is new, drains and starts again what has changed, stops what is gone, and leaves the rest
// alone. A process whose supervisor was killed runs on; the next supervisor takes it over when it is what is wanted,
// and stops it when it is not. It never runs twice.
//
// Whose a process is stands in its environment (PANDORA_HOST_PROCESS, new at each start) and in its pid file; nothing
// else is ever signalled. Thread-safe.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxHostProcesses = 32;
inline constexpr std::size_t kMaxHostEvents = 1000;    // kept for whoever asks later
inline constexpr std::size_t kLastLogLines = 20;       // shown of a process that failed
inline constexpr std::size_t kMaxLastLogBytes = 8192;  // of those, the end

// Where a supervisor keeps its lock, socket, pid files and logs: 0700, one for each data directory.
struct HostPlace {
  std::string directory;
  std::string lock() const { return directory + "/supervisor.lock"; }
  std::string socket() const { return directory + "/supervisor.sock"; }
  std::string pid_file(const std::string& name) const { return directory + "/" + name + ".pid"; }
  std::string log(const std::string& name) const { return directory + "/logs/" + name + ".log"; }
};

// What must answer before a process counts as ready, each after the one before: the port takes connections, the path
// answers 200, `/models` lists the model, and the model says one token.
struct HostReadiness {
  std::uint16_t port = 0;    // on 127.0.0.1; 0: running is enough
  std::string health_path;   // "/health"; empty: not asked
  bool speaks_chat = false;  // a model server: it must list a model and say a token
  std::string model;         // that it must list; empty: any
  std::string api_key;       // of a model server; empty: none is sent
  bool operator==(const HostReadiness&) const = default;
};

struct HostProcess {
  std::string name;  // "gateway": [a-z0-9-], at most 40
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // added to the supervisor's
  std::string directory;                           // empty: the supervisor's
  HostReadiness readiness;
  std::vector<std::string> needs;  // names of those that must be ready, or cold, before
  double gpu_share = 0;            // of each of its cards that must be free before it starts; 0: it wants none
  std::vector<int> gpu_cards;      // by nvidia-smi's numbers; empty: all
  bool cold = false;               // starts when it is used, stops after `idle_time` without use
  Duration idle_time = std::chrono::minutes(10);
  Duration ready_time = std::chrono::minutes(1);   // at most until it is ready, the wait for the card included
  Duration stop_grace = std::chrono::seconds(15);  // from SIGTERM to SIGKILL
  std::vector<std::string> made_of;  // its program and what it reads: another content makes it another process
  bool watch = false;                // when one of those changes it is drained and started again
  bool operator==(const HostProcess&) const = default;
};

enum class HostState {
  kWaiting,   // for what it needs, or for the card
  kStarting,  // it runs, and is not ready yet
  kReady,
  kUnhealthy,  // it was ready, runs, and does not answer now
  kBackOff,    // it ended by itself, and will be started again
  kCold,       // starts when it is used
  kStopping,
  kStopped,  // as it was asked to
  kFailed,   // given up: `reason` says why
  kLeft,     // it runs, without a supervisor
};
// Nothing is to be done, or waited for, until it is used.
inline bool is_well(HostState state) { return state == HostState::kReady || state == HostState::kCold; }
std::string_view to_string(HostState state);  // "ready", "back-off"

// A row of `pandora status`.
struct HostStatus {
  std::string name;
  HostState state = HostState::kStopped;
  int pid = 0;                          // 0: it does not run
  Timestamp since;                      // of the state
  int restarts = 0;                     // by the supervisor, since it was asked for
  std::string reason;                   // why it is not ready; empty when it is
  std::string last_exit;                // "killed by SIGSEGV at …"; empty: it never ended by itself
  std::vector<std::string> last_lines;  // of its log, when it failed or ended by itself
  std::uint64_t memory_bytes = 0;       // resident, it and what it started
  std::uint16_t port = 0;
  std::optional<Duration> latency;  // of a probe now; none: it does not answer
  std::string log;                  // the path
};

// Something that a person who waits wants to read: "gateway: starting (pid 4711)".
struct HostEvent {
  Timestamp at;
  std::string process;  // empty: the supervisor itself
  HostState state = HostState::kWaiting;
  std::string text;
};
using HostProgress = std::function<void(const HostEvent&)>;

// While it lives its process is in use: a cold one does not stop.
class HostUse {
 public:
  virtual ~HostUse() = default;
};

class HostControl {
 public:
  virtual ~HostControl() = default;  // in process: stops nothing that `stop` was not asked to; they run on
  // Returns when it is decided what will be done. kInvalidArgument: a name twice or wrong, a need that is not there or
  // goes in a circle; kTooLarge past kMaxHostProcesses; kConflict: it is being stopped.
  virtual Status apply(std::vector<HostProcess> processes) = 0;
  // Until each is ready, cold or given up. The error is that of the first that was given up, in starting order (its
  // last lines are in `status`); kDeadlineExceeded; kCancelled when it is stopped meanwhile.
  virtual Status settle(const HostProgress& progress, const Deadline& deadline) = 0;
  // Drains it and starts it again; also one that was given up. Returns when it is ready. kNotFound: no such process;
  // kConflict: they are being stopped.
  virtual Status restart(const std::string& name, const HostProgress& progress, const Deadline& deadline) = 0;
  // All of them, in reverse, each bounded by its grace; then the supervisor ends. What had to be killed is said.
  virtual Status stop(const HostProgress& progress) = 0;
  // Starts it when it is cold; returns when it is ready. kNotFound: no such process; kUnavailable: it was given up.
  virtual Result<std::unique_ptr<HostUse>> use(const std::string& name, const HostProgress& progress,
                                               const Deadline& deadline) = 0;
  // In starting order. Probes run at the same time and are cut off at the deadline.
  virtual Result<std::vector<HostStatus>> status(const Deadline& deadline) = 0;
};

class RemoteHostControl : public HostControl {
 public:
  virtual void abandon() = 0;  // from any thread: calls under way and later ones end, with an error
};
// The supervisor of that place, in another process. kNotFound: none runs.
Result<std::unique_ptr<RemoteHostControl>> connect_host_supervisor(const HostPlace& place, const Clock& clock);
// For `pandora status`: what the supervisor says; without one, what still runs (kLeft). kDeadlineExceeded.
Result<std::vector<HostStatus>> host_status(const HostPlace& place, const Clock& clock, const Deadline& deadline);
// For `pandora down` where no supervisor runs any more: what one that was killed has left, in reverse. Touches nothing
// that does not carry this place's mark. kUnavailable: what even SIGKILL did not end.
Status stop_left_host_processes(const HostPlace& place, const Clock& clock, const HostProgress& progress);

}  // namespace pandora
