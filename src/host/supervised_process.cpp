#include "host/supervised_process.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "host/gpu.h"

namespace pandora {
namespace {

constexpr Duration kFirstLook = std::chrono::milliseconds(25);  // between two probes of one that starts; then longer
constexpr Duration kLongestLook = std::chrono::seconds(1);
constexpr Duration kCardLook = std::chrono::seconds(2);
constexpr Duration kCardPatience = std::chrono::seconds(10);      // for nvidia-smi
constexpr Duration kWriterLook = std::chrono::milliseconds(250);  // while the log has no writer
constexpr Duration kForever = std::chrono::hours(24);

int open_pidfd(int pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

double seconds_since(SteadyTime from, const Clock& clock) {
  return std::chrono::duration<double>(clock.steady() - from).count();
}

}  // namespace

// A probe on a thread of its own: who waits for a slow answer still hears that the process ended, or must.
class SupervisedProcess::ProbeRun {
 public:
  ProbeRun(SupervisorCore& core, Alarm& alarm, HostReadiness readiness, ProbeDepth depth)
      : thread_([this, &core, &alarm, readiness = std::move(readiness), depth] {
          const Duration patience =
              depth == ProbeDepth::kWhole ? core.settings.whole_patience : core.settings.probe_patience;
          answer_ = probe_host_process(readiness, depth, core.parts.client, core.parts.clock,
                                       Deadline::after(core.parts.clock, patience));
          done_ = true;
          alarm.ring();
        }) {}
  ~ProbeRun() { thread_.join(); }
  bool is_done() const { return done_; }
  const ProbeAnswer& answer() const { return answer_; }  // once it is done

 private:
  ProbeAnswer answer_;
  std::atomic<bool> done_ = false;
  std::thread thread_;  // last: it begins when the rest is there
};

SupervisedProcess::SupervisedProcess(HostProcess process, SupervisorCore& core)
    : core_(core), name_(process.name), log_(core, process.name), process_(std::move(process)) {
  fingerprint_ = fingerprint_of(process_);
  status_.name = name_;
  status_.log = core_.settings.place.log(name_);
  core_.board.enroll(alarm_);
  post(HostState::kWaiting, "wanted");
  thread_ = std::thread([this] { live(); });
}

SupervisedProcess::~SupervisedProcess() {
  {
    const std::lock_guard lock(mutex_);
    wish_ = Wish::kLeave;
  }
  alarm_.ring();
  thread_.join();
  core_.board.dismiss(alarm_);
}

void SupervisedProcess::ask(Wish wish, HostState state, std::string text) {
  {
    const std::lock_guard lock(mutex_);
    wish_ = wish;
    set_state(state, std::move(text), "");  // at once: whoever waits for readiness does not take the old one for it
  }
  alarm_.ring();
}

void SupervisedProcess::again(const std::string& why) {
  ask(Wish::kAgain, HostState::kWaiting, "starts again: " + why);
}

void SupervisedProcess::change(HostProcess process) {
  {
    const std::lock_guard lock(mutex_);
    fingerprint_ = fingerprint_of(process);
    process_ = std::move(process);
  }
  again("it is to run otherwise");
}

void SupervisedProcess::retune(HostProcess process) {
  const std::lock_guard lock(mutex_);
  process_ = std::move(process);
}

void SupervisedProcess::stop() { ask(Wish::kStop, HostState::kStopping, "asked to end"); }

void SupervisedProcess::begin_use() {
  {
    const std::lock_guard lock(mutex_);
    ++uses_;
    // What was given up gets another chance by being asked for.
    if (process_.cold && status_.state == HostState::kFailed && wish_ == Wish::kNone) {
      wish_ = Wish::kAgain;
      set_state(HostState::kWaiting, "wanted again", "");
    } else if (process_.cold && status_.state == HostState::kCold) {
      set_state(HostState::kWaiting, "wanted", "");
    }
  }
  alarm_.ring();
}

void SupervisedProcess::end_use() {
  const std::lock_guard lock(mutex_);
  --uses_;
  alarm_.ring();
}

HostProcess SupervisedProcess::process() const {
  const std::lock_guard lock(mutex_);
  return process_;
}

std::string SupervisedProcess::fingerprint() const {
  const std::lock_guard lock(mutex_);
  return fingerprint_;
}

HostStatus SupervisedProcess::status() const {
  const std::lock_guard lock(mutex_);
  HostStatus status = status_;
  status.port = process_.readiness.port;
  return status;
}

SupervisedProcess::Wish SupervisedProcess::wish() const {
  const std::lock_guard lock(mutex_);
  return wish_;
}

SupervisedProcess::Wish SupervisedProcess::take_wish() {
  const std::lock_guard lock(mutex_);
  return wish_ == Wish::kLeave ? wish_ : std::exchange(wish_, Wish::kNone);
}

bool SupervisedProcess::is_wanted_now() const {
  const std::lock_guard lock(mutex_);
  return !process_.cold || uses_ > 0;
}

void SupervisedProcess::post(HostState state, std::string text, std::string reason) {
  const std::lock_guard lock(mutex_);
  // What it has come to meanwhile is no answer to what was asked since.
  if (wish_ != Wish::kNone) return core_.board.note(name_, std::move(text));
  set_state(state, std::move(text), std::move(reason));
}

void SupervisedProcess::set_state(HostState state, std::string text, std::string reason) {
  if (status_.state != state || status_.since.micros == 0) status_.since = core_.parts.clock.now();
  status_.state = state;
  status_.reason = std::move(reason);
  if (state == HostState::kCold || state == HostState::kStopped || state == HostState::kFailed) status_.pid = 0;
  core_.board.post(name_, state, std::move(text));
}

// What comes first: the alarm, the process's end, or the time. The log's writer is looked after meanwhile.
SupervisedProcess::Woken SupervisedProcess::wait(Duration time) {
  if (log_.wants_writer()) time = std::min<Duration>(time, kWriterLook);
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(std::clamp<Duration>(time, Duration(0), kForever));
  std::array<pollfd, 3> watched{
      {{alarm_.descriptor(), POLLIN, 0}, {running_ ? running_->watch : -1, POLLIN, 0}, {log_.watch(), POLLIN, 0}}};
  (void)::poll(watched.data(), watched.size(), static_cast<int>(millis.count()));
  if (watched[2].revents != 0 || log_.wants_writer()) log_.look_after();
  if (watched[1].revents != 0) return Woken::kEnded;
  if (watched[0].revents == 0) return Woken::kTime;
  alarm_.clear();
  return Woken::kAlarm;
}

void SupervisedProcess::live() {
  take_over();
  wanted_since_ = core_.parts.clock.steady();
  for (;;) {
    if (const Wish wish = take_wish(); wish == Wish::kLeave) {
      forget_running();
      return;
    } else if (wish != Wish::kNone) {
      fulfil(wish);
      continue;
    }
    const HostState state = core_.board.state_of(name_).value_or(HostState::kStopped);
    if (state == HostState::kStopped || state == HostState::kFailed) {
      (void)wait(kForever);
    } else if (!running_ && !is_wanted_now()) {
      if (state != HostState::kCold) post(HostState::kCold, "starts when it is used");
      wanted_since_ = core_.parts.clock.steady();
      (void)wait(kForever);
      if (is_wanted_now()) wanted_since_ = core_.parts.clock.steady();
    } else if (!running_) {
      if (wait_for_needs() && wait_for_card()) start();
    } else if (!running_->ready) {
      become_ready();
    } else {
      watch();
    }
  }
}

void SupervisedProcess::fulfil(Wish wish) {
  end_running();
  ends_ = 0;
  was_ready_ = false;
  wanted_since_ = core_.parts.clock.steady();
  if (wish == Wish::kStop)
    post(HostState::kStopped, "ended");
  else
    post(HostState::kWaiting, "wanted again");
}

// What the supervisor before this one has left: the same process goes on, another is ended.
void SupervisedProcess::take_over() {
  const std::string path = core_.settings.place.pid_file(name_);
  const auto text = core_.parts.files.read_file(path, kMaxPidFileBytes);
  if (!text) return;
  const auto file = decode_pid_file(*text);
  if (!file) {
    core_.board.note(name_, fmt::format("{} is set aside: {}", path, file.error().message));
    (void)core_.parts.files.rename(path, path + ".damaged");
    return;
  }
  const bool leads = still_runs(file->process);
  std::string wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = fingerprint_;
  }
  const int watch = leads ? open_pidfd(file->process.pid) : -1;
  if (leads && file->fingerprint == wanted && is_wanted_now() && watch >= 0 && still_runs(file->process)) {
    running_ = Running{.mark = file->mark, .identity = file->process, .watch = watch, .child = nullptr};
    {
      const std::lock_guard lock(mutex_);
      status_.pid = file->process.pid;
      status_.restarts = file->restarts;
    }
    if (const Status kept = log_.open(); !kept)
      core_.board.note(name_, "its log is not kept: " + kept.error().to_line());
    return post(HostState::kStarting, fmt::format("taken over, pid {}", file->process.pid));
  }
  if (watch >= 0) ::close(watch);
  const auto left = members_now(file->mark, leads ? file->process.pid : 0);
  if (!left.empty()) {
    core_.board.note(name_, fmt::format("ends what is left from before: {}", names_of(left)));
    const EndReport report =
        end_processes(file->mark, leads ? std::optional(file->process) : std::nullopt, process().stop_grace,
                      core_.parts.clock, [this] { return core_.hurry.load(); });
    if (!report.killed.empty()) core_.board.note(name_, fmt::format("killed: {}", names_of(report.killed)));
  }
  (void)core_.parts.files.remove_file(path);
}

bool SupervisedProcess::wait_for_needs() {
  std::string said;
  for (;;) {
    std::string open, lost;
    for (const auto& need : process().needs) {
      const auto state = core_.board.state_of(need);
      if (state == HostState::kFailed) lost = need;
      if (state != HostState::kReady && state != HostState::kCold && state != HostState::kUnhealthy && open.empty())
        open = need;
    }
    if (!lost.empty()) {
      give_up(fmt::format("it needs {}, which was given up", lost), false);
      return false;
    }
    if (open.empty()) return true;
    if (std::exchange(said, open) != open) post(HostState::kWaiting, "waits for " + open, "waits for " + open);
    (void)wait(kForever);
    if (wish() != Wish::kNone || !is_wanted_now()) return false;
    wanted_since_ = core_.parts.clock.steady();  // its own time begins when the others' is over
  }
}

// Until as much of the card is free as it will take. What holds it is said, also when that changes.
bool SupervisedProcess::wait_for_card() {
  const HostProcess process = this->process();
  if (process.gpu_share <= 0) return true;
  std::string said;
  for (;;) {
    const auto report = ask_gpus(core_.parts.runner, Deadline::after(core_.parts.clock, kCardPatience));
    std::string why;
    if (!report)
      why = report.error().message;
    else if (const auto full = full_card(*report, process.gpu_cards, process.gpu_share))
      why = fmt::format("it wants {:.0f} % of the card: {}", process.gpu_share * 100, describe(*report, *full));
    if (why.empty()) return true;
    if (!report && report.error().code == ErrorCode::kNotFound) {
      give_up("it wants a graphics card, and there is no nvidia-smi", false);
      return false;
    }
    if (core_.parts.clock.steady() - wanted_since_ > process.ready_time) {
      give_up(fmt::format("the card did not become free within {} s: {}",
                          std::chrono::duration_cast<std::chrono::seconds>(process.ready_time).count(), why),
              false);
      return false;
    }
    if (std::exchange(said, why) != why) post(HostState::kWaiting, "waits for the card: " + why, why);
    const SteadyTime until = core_.parts.clock.steady() + kCardLook;
    while (core_.parts.clock.steady() < until) {
      (void)wait(std::chrono::duration_cast<Duration>(until - core_.parts.clock.steady()));
      if (wish() != Wish::kNone || !is_wanted_now()) return false;
    }
  }
}

Status SupervisedProcess::write_pid_file(const std::string& mark, const ProcessIdentity& identity) {
  PidFile file;
  {
    const std::lock_guard lock(mutex_);
    file = {mark, identity, fingerprint_, status_.restarts};
  }
  return core_.parts.files.write_atomic(core_.settings.place.pid_file(name_), encode_pid_file(file),
                                        Durability::kDeferred);
}

void SupervisedProcess::start() {
  HostProcess process;
  {
    const std::lock_guard lock(mutex_);
    process = process_;
    fingerprint_ = fingerprint_of(process_);  // of its files as they are now, not as they were when it was told
  }
  if (const std::string stranger = stranger_on_port(process.readiness.port, {}); !stranger.empty())
    return attempt_failed(fmt::format("port {} is taken by {}", process.readiness.port, stranger));
  const Uuid mark = UuidV7Generator(core_.parts.clock, core_.parts.random).next();
  // The mark stands in the file before the process is there: whoever finds the file finds the process, however early
  // this one here is killed.
  if (const Status written = write_pid_file(mark.to_string(), {}); !written)
    return attempt_failed("it cannot be noted: " + written.error().to_line());
  if (const Status kept = log_.open(); !kept)
    return attempt_failed("its log cannot be kept: " + kept.error().to_line());
  Command command{process.arguments, process.environment, process.directory, ""};
  command.environment[std::string(kHostProcessMark)] = mark.to_string();
  auto child = core_.start_child(command, log_.pipe());
  if (!child) return attempt_failed("it cannot be started: " + child.error().to_line());
  const int pid = (*child)->pid();
  running_ = Running{};
  running_->mark = mark.to_string();
  running_->child = *std::move(child);
  running_->watch = open_pidfd(pid);
  if (const auto identity = identity_of(pid)) running_->identity = *identity;
  {
    const std::lock_guard lock(mutex_);
    status_.pid = pid;
  }
  if (const Status written = write_pid_file(running_->mark, running_->identity); !written)
    core_.board.note(name_, "its pid cannot be noted: " + written.error().to_line());
  post(HostState::kStarting, fmt::format("starting, pid {}", pid));
}

void SupervisedProcess::become_ready() {
  Duration look = kFirstLook;
  std::string detail = "it was not asked yet";
  auto probe = std::make_unique<ProbeRun>(core_, alarm_, process().readiness, ProbeDepth::kWhole);
  SteadyTime next = SteadyTime::max();
  for (;;) {
    const HostProcess process = this->process();  // what counts as ready may be told otherwise meanwhile
    const SteadyTime now = core_.parts.clock.steady(), late = wanted_since_ + process.ready_time;
    if (now >= late) {
      const std::string why =
          fmt::format("it was not ready within {} s: {}",
                      std::chrono::duration_cast<std::chrono::seconds>(process.ready_time).count(), detail);
      end_running();
      return give_up(why, true);
    }
    const Woken woken = wait(std::chrono::duration_cast<Duration>(std::min(late, next) - now));
    if (woken == Woken::kEnded) return ended();
    if (wish() != Wish::kNone) {
      end_running();  // first: a probe that hangs ends with what it asks
      return;
    }
    if (probe && probe->is_done()) {
      const ProbeAnswer answer = probe->answer();
      probe.reset();
      if (answer.ready) {
        running_->ready = true;
        running_->ready_at = core_.parts.clock.steady();
        idle_since_ = running_->ready_at;
        was_ready_ = true;
        return post(HostState::kReady,
                    fmt::format("ready after {:.1f} s{}", seconds_since(wanted_since_, core_.parts.clock),
                                process.readiness.port ? fmt::format(", port {}", process.readiness.port) : ""));
      }
      if (std::exchange(detail, answer.detail) != answer.detail)
        post(HostState::kStarting, "not ready yet: " + answer.detail, answer.detail);
      next = core_.parts.clock.steady() + look;
      look = std::min(look * 3 / 2, kLongestLook);
    } else if (!probe && core_.parts.clock.steady() >= next) {
      next = SteadyTime::max();
      probe = std::make_unique<ProbeRun>(core_, alarm_, process.readiness, ProbeDepth::kWhole);
    }
  }
}

// While it is ready: until it ends, is wanted otherwise, or was not used for too long.
void SupervisedProcess::watch() {
  std::unique_ptr<ProbeRun> probe;
  SteadyTime next = core_.parts.clock.steady() + core_.settings.probe_every;
  bool in_use = true;
  for (;;) {
    const HostProcess process = this->process();
    const SteadyTime now = core_.parts.clock.steady();
    SteadyTime until = next;
    if (process.cold) {
      const bool used = is_wanted_now();
      if (used || in_use) idle_since_ = now;
      in_use = used;
      if (!used && now - idle_since_ >= process.idle_time) {
        post(HostState::kStopping, "not used any more");
        end_running();
        return post(HostState::kCold, "starts when it is used");
      }
      if (!used)
        until = std::min(until, idle_since_ + std::chrono::duration_cast<SteadyTime::duration>(process.idle_time));
    }
    const Woken woken = wait(std::chrono::duration_cast<Duration>(until - now));
    if (woken == Woken::kEnded) return ended();
    if (wish() != Wish::kNone) return;
    core_.reap_now_and_then();
    if (probe && probe->is_done()) {
      const ProbeAnswer answer = probe->answer();
      probe.reset();
      next = core_.parts.clock.steady() + core_.settings.probe_every;
      const bool was_well = core_.board.state_of(name_) == HostState::kReady;
      if (answer.ready && !was_well) post(HostState::kReady, "answers again");
      if (!answer.ready && was_well) post(HostState::kUnhealthy, "does not answer: " + answer.detail, answer.detail);
    } else if (!probe && core_.parts.clock.steady() >= next) {
      next = SteadyTime::max();
      probe = std::make_unique<ProbeRun>(core_, alarm_, process.readiness, ProbeDepth::kQuick);
    }
  }
}

// Its main process has ended, and nobody has asked it to.
void SupervisedProcess::ended() {
  // As long as nobody has waited for it its number, and so its session, is its own.
  const auto left = members_now(running_->mark, running_->child ? running_->identity.pid : 0);
  std::string how = "ended; how is not known, for another supervisor had started it";
  int code = 0;
  if (running_->child) {
    const auto status = running_->child->wait(Deadline::after(core_.parts.clock, kKillPatience));
    core_.remove_child(running_->identity.pid);
    if (status && *status) {
      code = (*status)->code;
      how = describe_exit(code);
    }
  } else if (int raw = 0; ::waitpid(running_->identity.pid, &raw, WNOHANG) == running_->identity.pid) {
    constexpr int kSignalled = 128;
    code = WIFSIGNALED(raw) ? kSignalled + WTERMSIG(raw) : WEXITSTATUS(raw);
    how = describe_exit(code);
  }
  if (code == 0 && !left.empty() && follow_into_background()) return;
  const std::string line = fmt::format("{} (pid {}) {}", name_, running_->identity.pid, how);
  const bool was_steady =
      running_->ready && core_.parts.clock.steady() - running_->ready_at >= core_.settings.restarts.steady;
  // By now nothing ties those to it that have thrown the mark away: their session's leader is gone.
  const EndReport report = end_processes(
      running_->mark, std::nullopt, kLeftoverGrace, core_.parts.clock, [this] { return core_.hurry.load(); }, left);
  if (!left.empty()) core_.board.note(name_, fmt::format("left behind, and ended: {}", names_of(left)));
  if (!report.survivors.empty()) core_.board.note(name_, "cannot be killed: " + names_of(report.survivors));
  log_.say("[pandora: " + line + "]\n");
  forget_running();
  if (was_steady) ends_ = 0;
  attempt_failed(fmt::format("pid {} {}", status().pid, how));
}

// It has started its real self and gone. That one is followed.
bool SupervisedProcess::follow_into_background() {
  // Whoever forks twice is gone again before it can be followed.
  for (auto left = members_now(running_->mark, 0); !left.empty(); left = members_now(running_->mark, 0)) {
    const int watch = open_pidfd(left.front().pid);
    const auto identity = identity_of(left.front().pid);
    if (watch < 0 || !identity || identity->start_ticks != left.front().start_ticks || !still_runs(*identity)) {
      if (watch >= 0) ::close(watch);
      continue;
    }
    ::close(running_->watch);
    running_->child.reset();
    running_->identity = *identity;
    running_->watch = watch;
    {
      const std::lock_guard lock(mutex_);
      status_.pid = identity->pid;
    }
    (void)write_pid_file(running_->mark, *identity);
    core_.board.note(name_, fmt::format("went into the background: {}", names_of({left.front()})));
    return true;
  }
  return false;
}

void SupervisedProcess::attempt_failed(const std::string& text) {
  const RestartPolicy& policy = core_.settings.restarts;
  const int limit = was_ready_ ? policy.ends : policy.ends_before_ready;
  ++ends_;
  {
    const std::lock_guard lock(mutex_);
    status_.last_exit = fmt::format("{} at {}", text, to_iso8601(core_.parts.clock.now()));
    status_.last_lines = last_lines(core_.parts.files, status_.log, kLastLogLines, kMaxLastLogBytes);
    status_.pid = 0;
  }
  if (ends_ >= limit)
    return give_up(fmt::format("{}; given up after {} {}", text, ends_, ends_ == 1 ? "time" : "times"), true);
  const Duration pause = restart_pause(policy, ends_);
  post(HostState::kBackOff, fmt::format("{}; starts again in {:.1f} s", text, static_cast<double>(pause.count()) / 1e6),
       text);
  const SteadyTime until = core_.parts.clock.steady() + pause;
  while (core_.parts.clock.steady() < until) {
    (void)wait(std::chrono::duration_cast<Duration>(until - core_.parts.clock.steady()));
    if (wish() != Wish::kNone) return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++status_.restarts;
  }
  wanted_since_ = core_.parts.clock.steady();
  post(HostState::kWaiting, "starts again");
}

void SupervisedProcess::give_up(const std::string& why, bool with_log) {
  {
    const std::lock_guard lock(mutex_);
    status_.last_lines.clear();
    if (with_log) status_.last_lines = last_lines(core_.parts.files, status_.log, kLastLogLines, kMaxLastLogBytes);
  }
  post(HostState::kFailed, why, why);
}

void SupervisedProcess::end_running() {
  if (!running_) return;
  const Duration grace = process().stop_grace;
  const EndReport report = end_processes(running_->mark, running_->identity, grace, core_.parts.clock,
                                         [this] { return core_.hurry.load(); });
  if (running_->child) {
    (void)running_->child->wait(Deadline::after(core_.parts.clock, kKillPatience));
    core_.remove_child(running_->identity.pid);
  }
  const bool main_killed = std::ranges::any_of(
      report.killed, [&](const ProcessEntry& entry) { return entry.pid == running_->identity.pid; });
  if (main_killed)
    core_.board.note(name_, core_.hurry
                                ? fmt::format("killed without grace: {}", names_of(report.killed))
                                : fmt::format("did not end within {:.1f} s of SIGTERM, killed: {}",
                                              static_cast<double>(grace.count()) / 1e6, names_of(report.killed)));
  else if (!report.left_behind.empty())
    core_.board.note(name_, fmt::format("left behind, and ended{}: {}", report.killed.empty() ? "" : " by SIGKILL",
                                        names_of(report.left_behind)));
  if (!report.survivors.empty()) core_.board.note(name_, "cannot be killed: " + names_of(report.survivors));
  if (report.survivors.empty()) (void)core_.parts.files.remove_file(core_.settings.place.pid_file(name_));
  forget_running();
  core_.reap();
}

void SupervisedProcess::forget_running() {
  if (!running_) return;
  if (running_->watch >= 0) ::close(running_->watch);
  running_.reset();
}

}  // namespace pandora
