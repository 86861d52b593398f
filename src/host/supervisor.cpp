#include "host/supervisor.h"

#include <algorithm>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "host/file_watch.h"
#include "host/host_control_wire.h"
#include "host/supervised_process.h"
#include "net/local_socket.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxName = 40;

Status check_process(const HostProcess& process) {
  const bool fits =
      !process.name.empty() && process.name.size() <= kMaxName && std::ranges::all_of(process.name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  if (!fits || process.name == "supervisor")
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no name of a process", one_line(process.name)),
                fmt::format("use up to {} of a-z, 0-9 and -, but not \"supervisor\"", kMaxName));
  if (process.arguments.empty() || process.arguments[0].empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} has no command", process.name));
  return {};
}

// "name inode size time", so that another build is another program; the content of what is small.
std::string stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return path + " is not there";
  return fmt::format("{} {} {} {}.{}", path, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

bool is_settled(HostState state) {
  return state == HostState::kReady || state == HostState::kCold || state == HostState::kFailed;
}

class ThreadedSupervisor final : public Supervisor {
 public:
  ThreadedSupervisor(SupervisorSettings settings, SupervisorParts parts, std::unique_ptr<FileLock> lock)
      : lock_(std::move(lock)), core_(std::move(settings), parts) {}

  Status listen() {
    // Whatever a process leaves behind becomes a child of this one, not of init.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) log_warn("supervisor.no_subreaper");
    PANDORA_TRY(server, LocalServer::listen(core_.settings.place.socket(), [this](LocalConnection& connection) {
                  serve_host_control(*this, connection, core_.parts.clock);
                }));
    server_ = std::move(server);
    housekeeper_ = std::thread([this] { keep_house(); });
    return {};
  }

  ~ThreadedSupervisor() override {
    {
      const std::lock_guard lock(mutex_);
      leaving_ = true;
    }
    core_.board.note("", "the supervisor ends");  // wakes whoever waits for something else
    server_.reset();                              // whoever waits hears the end first
    house_.ring();
    if (housekeeper_.joinable()) housekeeper_.join();
    watch_.reset();
    while (!processes_.empty()) processes_.pop_back();
  }

  Status apply(std::vector<HostProcess> wanted) override {
    PANDORA_TRY(ordered, in_starting_order(std::move(wanted)));
    const std::lock_guard one_at_a_time(change_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return being_stopped();
      settle_from_ = core_.board.next();
    }
    end_those_gone(ordered);
    std::vector<std::shared_ptr<SupervisedProcess>> now;
    for (auto& process : ordered) {
      auto known = known_as(process.name);
      if (!known) {
        known = std::make_shared<SupervisedProcess>(std::move(process), core_);
      } else if (fingerprint_of(process) != known->fingerprint()) {
        known->change(std::move(process));
      } else if (const auto state = core_.board.state_of(process.name);
                 state == HostState::kFailed || state == HostState::kStopped) {
        known->retune(std::move(process));
        known->again("wanted again");
      } else {
        known->retune(std::move(process));
      }
      now.push_back(std::move(known));
    }
    const std::lock_guard lock(mutex_);
    processes_ = std::move(now);
    watch_files();
    return {};
  }

  Status settle(const HostProgress& progress, const Deadline& deadline) override {
    std::uint64_t from = 0;
    {
      const std::lock_guard lock(mutex_);
      from = settle_from_;
    }
    return wait_until_settled(from, "", Cold::kIsEnough, progress, deadline);
  }

  Status restart(const std::string& name, const HostProgress& progress, const Deadline& deadline) override {
    const std::uint64_t from = core_.board.next();
    {
      const std::lock_guard lock(mutex_);
      SupervisedProcess* process = find(name);
      if (!process) return unknown(name);
      if (stopping_) return being_stopped();  // it may be waited for already
      process->again("asked for");
      // Those that were given up because of it get another chance.
      std::set<std::string> hopeful = {name};
      for (const auto& other : processes_) {
        const auto needs = other->process().needs;
        const bool may = std::ranges::any_of(needs, [&](const std::string& need) { return hopeful.contains(need); });
        if (!may || core_.board.state_of(other->name()) != HostState::kFailed) continue;
        other->again(name + " starts again");
        hopeful.insert(other->name());
      }
    }
    return wait_until_settled(from, name, Cold::kIsEnough, progress, deadline);
  }

  Status stop(const HostProgress& progress) override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    std::uint64_t from = core_.board.next();
    const std::lock_guard one_at_a_time(change_mutex_);
    std::vector<std::shared_ptr<SupervisedProcess>> all;
    {
      const std::lock_guard lock(mutex_);
      all = processes_;
    }
    for (auto place = all.rbegin(); place != all.rend(); ++place) {
      if (core_.board.state_of((*place)->name()) == HostState::kStopped) continue;
      (*place)->stop();
      from = wait_stopped((*place)->name(), from, progress);
    }
    ended_.ring();
    return {};
  }

  Result<std::unique_ptr<HostUse>> use(const std::string& name, const HostProgress& progress,
                                       const Deadline& deadline) override {
    const std::uint64_t from = core_.board.next();
    std::unique_ptr<HostUse> use;
    {
      const std::lock_guard lock(mutex_);
      SupervisedProcess* process = find(name);
      if (!process) return fail(unknown(name).error());
      process->begin_use();
      use = std::make_unique<Use>(*this, name);
    }
    if (const Status ready = wait_until_settled(from, name, Cold::kMustWake, progress, deadline); !ready)
      return fail(ready.error());
    return use;
  }

  Result<std::vector<HostStatus>> status(const Deadline& deadline) override {
    std::vector<HostStatus> rows;
    std::vector<HostProcess> processes;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& process : processes_) {
        rows.push_back(process->status());
        processes.push_back(process->process());
      }
    }
    const Deadline patience = deadline.at_most(core_.parts.clock, core_.settings.probe_patience);
    std::vector<std::thread> probes;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].pid > 0 && rows[i].port > 0)
        probes.emplace_back([&, i] {
          const auto answer = probe_host_process(processes[i].readiness, ProbeDepth::kQuick, core_.parts.client,
                                                 core_.parts.clock, patience);
          if (answer.ready) rows[i].latency = answer.latency;
          if (!answer.ready && rows[i].reason.empty()) rows[i].reason = answer.detail;
        });
    const auto all = read_processes();
    for (auto& row : rows)
      if (row.pid > 0)
        for (const auto& member : members_of(all, "", row.pid)) row.memory_bytes += resident_bytes(member.pid);
    for (auto& probe : probes) probe.join();
    return rows;
  }

  void hurry() override { core_.hurry = true; }
  int ended_descriptor() const override { return ended_.descriptor(); }
  bool has_processes() const override {
    const std::lock_guard lock(mutex_);
    return !processes_.empty();
  }

 private:
  class Use final : public HostUse {
   public:
    Use(ThreadedSupervisor& supervisor, std::string name) : supervisor_(supervisor), name_(std::move(name)) {}
    ~Use() override {
      const std::lock_guard lock(supervisor_.mutex_);
      if (SupervisedProcess* process = supervisor_.find(name_)) process->end_use();
    }

   private:
    ThreadedSupervisor& supervisor_;
    const std::string name_;
  };

  static Status being_stopped() {
    return fail(ErrorCode::kConflict, "the processes are being stopped", "try again when they are");
  }
  static Status unknown(const std::string& name) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no process \"{}\"", one_line(ellipsize(name, kMaxName))),
                "`pandora status` names them");
  }
  SupervisedProcess* find(const std::string& name) {
    const auto found = std::ranges::find(processes_, name, [](const auto& process) { return process->name(); });
    return found == processes_.end() ? nullptr : found->get();
  }
  std::shared_ptr<SupervisedProcess> known_as(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(processes_, name, [](const auto& process) { return process->name(); });
    return found == processes_.end() ? nullptr : *found;
  }

  // In reverse: those of this supervisor, and what another has left under names that nobody wants now.
  void end_those_gone(const std::vector<HostProcess>& wanted) {
    const auto is_wanted = [&](const std::string& name) {
      return std::ranges::any_of(wanted, [&](const HostProcess& process) { return process.name == name; });
    };
    std::vector<std::shared_ptr<SupervisedProcess>> gone;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& process : processes_)
        if (!is_wanted(process->name())) gone.push_back(process);
      std::erase_if(processes_, [&](const auto& process) { return !is_wanted(process->name()); });
    }
    while (!gone.empty()) {
      const std::string name = gone.back()->name();
      const std::uint64_t from = core_.board.next();
      gone.back()->stop();
      (void)wait_stopped(name, from, {});
      gone.pop_back();
      core_.board.forget(name);
    }
    auto left = left_host_processes(core_.settings.place, core_.parts.files);
    std::ranges::reverse(left);
    for (const auto& one : left) {
      if (is_wanted(one.name)) continue;
      const auto note = [this](const HostEvent& event) { core_.board.note(event.process, event.text); };
      const auto survivors =
          end_left_host_process(core_.settings.place, one, core_.parts.files, core_.parts.clock, note);
      if (!survivors.empty()) core_.board.note(one.name, "cannot be killed: " + names_of(survivors));
    }
  }

  std::uint64_t wait_stopped(const std::string& name, std::uint64_t from, const HostProgress& progress) {
    for (;;) {
      const bool ended = core_.board.state_of(name) == HostState::kStopped;
      const auto read =
          core_.board.read(from, ended ? Deadline::after(core_.parts.clock, Duration(0)) : Deadline::never());
      from = read.next;
      if (progress)
        for (const auto& event : read.events) progress(event);
      if (ended) return from;
    }
  }

  // All, or the one of that name.
  enum class Cold { kIsEnough, kMustWake };
  Status wait_until_settled(std::uint64_t from, const std::string& name, Cold cold, const HostProgress& progress,
                            const Deadline& deadline) {
    for (;;) {
      bool settled = true, stopping = false;
      std::optional<HostStatus> failed;
      {
        const std::lock_guard lock(mutex_);
        stopping = stopping_ || leaving_;
        for (const auto& process : processes_) {
          if (!name.empty() && process->name() != name) continue;
          HostStatus status = process->status();
          settled =
              settled && is_settled(status.state) && (cold == Cold::kIsEnough || status.state != HostState::kCold);
          if (status.state == HostState::kFailed && !failed) failed = std::move(status);
        }
      }
      const auto read =
          core_.board.read(from, settled || stopping ? Deadline::after(core_.parts.clock, Duration(0)) : deadline);
      from = read.next;
      if (progress)
        for (const auto& event : read.events) progress(event);
      if (stopping) return fail(ErrorCode::kCancelled, "the processes are being stopped");
      if (settled && failed) return fail(failure_of(*failed));
      if (settled) return {};
      PANDORA_CHECK(deadline.check("waiting for the processes"));
    }
  }

  static Error failure_of(const HostStatus& status) {
    return {ErrorCode::kUnavailable, fmt::format("{}: {}", status.name, status.reason),
            fmt::format("its log is {}", status.log)};
  }

  void watch_files() {
    std::set<std::string> files;
    for (const auto& process : processes_) {
      const HostProcess what = process->process();
      if (what.watch) files.insert(what.made_of.begin(), what.made_of.end());
    }
    const std::vector<std::string> list(files.begin(), files.end());
    if (list == watched_) return;
    watched_ = list;
    watch_.reset();
    if (list.empty()) return;
    auto watch = FileWatch::open(list, core_.settings.settle_time, [this](const auto&) {
      files_changed_ = true;
      house_.ring();
    });
    if (watch)
      watch_ = *std::move(watch);
    else
      core_.board.note("", "changes are not seen: " + watch.error().to_line());
  }

  void keep_house() {
    for (;;) {
      pollfd watched{house_.descriptor(), POLLIN, 0};
      (void)::poll(&watched, 1, -1);
      house_.clear();
      {
        const std::lock_guard lock(mutex_);
        if (leaving_ || stopping_) return;
      }
      if (files_changed_.exchange(false)) files_changed();
    }
  }

  void files_changed() {
    std::vector<HostProcess> wanted;
    if (core_.settings.reload) {
      auto reloaded = core_.settings.reload();
      if (reloaded) {
        wanted = *std::move(reloaded);
      } else {
        core_.board.note("", "what has changed cannot be used, all goes on as it was: " + reloaded.error().to_line());
        return;
      }
    } else {
      const std::lock_guard lock(mutex_);
      for (const auto& process : processes_) wanted.push_back(process->process());
    }
    if (const Status applied = apply(std::move(wanted)); !applied)
      core_.board.note("", "what has changed cannot be used: " + applied.error().to_line());
  }

  const std::unique_ptr<FileLock> lock_;
  SupervisorCore core_;
  Alarm ended_, house_;
  std::atomic<bool> files_changed_ = false;
  std::mutex change_mutex_;                                    // one apply or stop at a time; before mutex_
  mutable std::mutex mutex_;                                   // what follows
  std::vector<std::shared_ptr<SupervisedProcess>> processes_;  // in starting order
  std::vector<std::string> watched_;
  std::unique_ptr<FileWatch> watch_;
  std::uint64_t settle_from_ = 0;
  bool stopping_ = false, leaving_ = false;
  std::thread housekeeper_;
  std::unique_ptr<LocalServer> server_;
};

}  // namespace

Duration restart_pause(const RestartPolicy& policy, int ends) {
  Duration pause = policy.first_pause;
  for (int i = 1; i < ends && pause < policy.longest_pause; ++i) pause *= 2;
  return std::min(pause, policy.longest_pause);
}

Result<std::vector<HostProcess>> in_starting_order(std::vector<HostProcess> processes) {
  if (processes.size() > kMaxHostProcesses)
    return fail(ErrorCode::kTooLarge, fmt::format("{} processes, at most {}", processes.size(), kMaxHostProcesses));
  std::set<std::string> names;
  for (const auto& process : processes) {
    PANDORA_CHECK(check_process(process));
    if (!names.insert(process.name).second)
      return fail(ErrorCode::kInvalidArgument, fmt::format("two processes are called {}", process.name));
  }
  for (const auto& process : processes)
    for (const auto& need : process.needs)
      if (!names.contains(need))
        return fail(ErrorCode::kInvalidArgument, fmt::format("{} needs {}, which is not there", process.name, need));
  std::vector<HostProcess> ordered;
  std::set<std::string> placed;
  while (!processes.empty()) {
    const auto next = std::ranges::find_if(processes, [&](const HostProcess& process) {
      return std::ranges::all_of(process.needs, [&](const std::string& need) { return placed.contains(need); });
    });
    if (next == processes.end())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} needs itself in the end", processes.front().name));
    placed.insert(next->name);
    ordered.push_back(std::move(*next));
    processes.erase(next);
  }
  return ordered;
}

std::string fingerprint_of(const HostProcess& process) {
  const Json what = {
      {"arguments", process.arguments}, {"environment", process.environment}, {"directory", process.directory}};
  std::string text = dump_json(what);
  for (const auto& path : process.made_of) text += "\n" + stamp_of(path);
  return sha256_hex(text);
}

Result<std::unique_ptr<Supervisor>> Supervisor::open(SupervisorSettings settings, SupervisorParts parts) {
  PANDORA_CHECK(parts.files.create_directories(settings.place.directory + "/logs"));
  PANDORA_TRY(lock, parts.files.lock(settings.place.lock(), fmt::format("process {}", ::getpid())));
  auto supervisor = std::make_unique<ThreadedSupervisor>(std::move(settings), parts, std::move(lock));
  PANDORA_CHECK(supervisor->listen());
  return supervisor;
}

}  // namespace pandora
