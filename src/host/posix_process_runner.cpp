#include "host/posix_process_runner.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace pandora {
namespace {

constexpr int kLongestPollMs = 60'000;  // a deadline may be further away than poll can count

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error system_error(std::string_view what, int code) {
  const ErrorCode kind = code == ENOENT || code == ENOTDIR                    ? ErrorCode::kNotFound
                         : code == EACCES || code == EPERM || code == ENOEXEC ? ErrorCode::kPermissionDenied
                         : code == E2BIG || code == ENAMETOOLONG              ? ErrorCode::kTooLarge
                         : code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE
                             ? ErrorCode::kResourceExhausted
                             : ErrorCode::kUnavailable;
  return {kind, fmt::format("{}: {}", what, std::strerror(code)), ""};
}

Status check_command(const Command& command) {
  const auto broken = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (command.arguments.empty() || command.arguments[0].empty())
    return fail(ErrorCode::kInvalidArgument, "no program is named");
  bool wrong = broken(command.directory) || std::ranges::any_of(command.arguments, broken);
  for (const auto& [name, value] : command.environment)
    wrong = wrong || name.empty() || name.find('=') != std::string::npos || broken(name) || broken(value);
  if (wrong) return fail(ErrorCode::kInvalidArgument, fmt::format("{} cannot be started so", command.arguments[0]));
  if (command.input.size() > kMaxCommandInput)
    return fail(ErrorCode::kTooLarge,
                fmt::format("the input of {} is longer than {} bytes", command.arguments[0], kMaxCommandInput));
  struct stat info{};
  if (command.directory.empty()) return {};
  if (::stat(command.directory.c_str(), &info) != 0) return fail(system_error(command.directory, errno));
  return S_ISDIR(info.st_mode) ? Status() : fail(system_error(command.directory, ENOTDIR));
}

// As many "NAME=value" as there are, ours in the place of inherited ones.
std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> lines;
  for (char** line = environ; line && *line; ++line) {
    const std::string_view inherited(*line);
    if (!command.environment.contains(std::string(inherited.substr(0, inherited.find('=')))))
      lines.emplace_back(inherited);
  }
  for (const auto& [name, value] : command.environment) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The input as a file in memory: a program that does not read it holds nobody up.
Result<Descriptor> input_of(const Command& command) {
  if (command.input.empty()) return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) return fail(system_error("input", errno));
  for (std::size_t done = 0; done < command.input.size();) {
    const auto written = ::write(file.get(), command.input.data() + done, command.input.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(system_error("input", errno));
    done += static_cast<std::size_t>(written);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail(system_error("input", errno));
  return file;
}

// Another part of this process has waited for it, or SIGCHLD is ignored. Whatever its code was, it is not 0.
Error end_unknown(int pid) {
  return {ErrorCode::kUnavailable, fmt::format("process {} has ended, and how is not known", pid), ""};
}

struct Spawned {
  int pid = 0;
  Descriptor watch;  // readable once it has ended
};

enum class Apart { kGroup, kSession };

Result<Spawned> spawn(const Command& command, int in, int out, int err, Apart apart) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  if (!command.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&usual, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  const int how = apart == Apart::kGroup ? POSIX_SPAWN_SETPGROUP : POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | how));
  auto arguments = command.arguments, environment = environment_of(command);
  Spawned spawned;
  const int code = ::posix_spawnp(&spawned.pid, arguments[0].c_str(), &actions, &attributes,
                                  pointers_to(arguments).data(), pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return fail(system_error(command.arguments[0], code));
  spawned.watch = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, spawned.pid, 0)));
  if (spawned.watch.get() >= 0) return spawned;
  const int reason = errno;
  ::kill(-spawned.pid, SIGKILL);
  ::waitpid(spawned.pid, nullptr, 0);
  return fail(system_error(command.arguments[0], reason));
}

ExitStatus status_of(int wait_status) {
  constexpr int kSignalled = 128;
  return {WIFSIGNALED(wait_status) ? kSignalled + WTERMSIG(wait_status) : WEXITSTATUS(wait_status)};
}

int poll_ms(const Deadline& deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(deadline.remaining(), std::chrono::minutes(1)));
  return static_cast<int>(std::min<std::int64_t>(left.count(), kLongestPollMs));
}

// Takes what is there; false once the other end is closed.
Result<bool> drain(int fd, std::string& into) {
  std::array<char, 65'536> buffer;
  for (;;) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
      if (into.size() > kMaxCommandOutput)
        return fail(ErrorCode::kTooLarge, fmt::format("a program wrote more than {} bytes", kMaxCommandOutput));
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

// Programs whose handle is gone: waited for now and then, so that none stays a zombie.
class Abandoned {
 public:
  void add(int pid) {
    const std::lock_guard lock(mutex_);
    pids_.push_back(pid);
  }
  void reap() {
    const std::lock_guard lock(mutex_);
    std::erase_if(pids_, [](int pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  }

 private:
  std::mutex mutex_;
  std::vector<int> pids_;
};

class PosixProcess final : public Process {
 public:
  PosixProcess(Spawned spawned, Abandoned& abandoned) : spawned_(std::move(spawned)), abandoned_(abandoned) {}
  ~PosixProcess() override {
    if (!ended()) abandoned_.add(spawned_.pid);
  }
  int pid() const override { return spawned_.pid; }
  Status signal(int number) override { return signal(spawned_.pid, number); }
  Status signal_all(int number) override { return signal(-spawned_.pid, number); }  // it leads a group
  Result<std::optional<ExitStatus>> wait(const Deadline& deadline) override {
    for (;;) {
      if (ended()) {
        const std::lock_guard lock(mutex_);
        return status_ ? Result<std::optional<ExitStatus>>(status_) : fail(end_unknown(spawned_.pid));
      }
      if (deadline.expired()) return std::optional<ExitStatus>();
      pollfd watched{spawned_.watch.get(), POLLIN, 0};
      (void)::poll(&watched, 1, poll_ms(deadline));
    }
  }

 private:
  Status signal(int target, int number) {
    const std::lock_guard lock(mutex_);
    if (!look() && ::kill(target, number) == 0) return {};
    if (!status_ && !lost_ && errno == EINVAL)
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} is no signal", number));
    return fail(ErrorCode::kNotFound, fmt::format("process {} has ended", spawned_.pid));
  }
  bool ended() {
    const std::lock_guard lock(mutex_);
    return look();
  }
  // Under the lock: once it is waited for, its number may be another's.
  bool look() {
    if (status_ || lost_) return true;
    int status = 0;
    const int found = ::waitpid(spawned_.pid, &status, WNOHANG);
    if (found == spawned_.pid) status_ = status_of(status);
    lost_ = found < 0 && errno == ECHILD;
    return status_ || lost_;
  }

  std::mutex mutex_;
  Spawned spawned_;
  std::optional<ExitStatus> status_;
  bool lost_ = false;  // it has ended, and how nobody can say
  Abandoned& abandoned_;
};

class PosixProcessRunner final : public ProcessRunner {
 public:
  ~PosixProcessRunner() override { abandoned_.reap(); }

  Result<CommandOutput> run(const Command& command, const Deadline& deadline) override {
    abandoned_.reap();
    PANDORA_CHECK(check_command(command));
    PANDORA_CHECK(deadline.check(command.arguments[0]));
    PANDORA_TRY(input, input_of(command));
    std::array<std::array<int, 2>, 2> pipes{{{-1, -1}, {-1, -1}}};
    std::array<Descriptor, 2> read_ends, write_ends;
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (::pipe2(pipes[i].data(), O_CLOEXEC) != 0) return fail(system_error(command.arguments[0], errno));
      read_ends[i] = Descriptor(pipes[i][0]);
      write_ends[i] = Descriptor(pipes[i][1]);
      (void)::fcntl(read_ends[i].get(), F_SETFL, O_NONBLOCK);
    }
    PANDORA_TRY(spawned, spawn(command, input.get(), write_ends[0].get(), write_ends[1].get(), Apart::kGroup));
    for (auto& end : write_ends) end.close();
    CommandOutput output;
    const Status watched = watch(spawned, read_ends, output, deadline);
    ::kill(-spawned.pid, SIGKILL);  // whatever it has left behind, and itself when it is to end
    int status = 0, found = 0;
    while ((found = ::waitpid(spawned.pid, &status, 0)) < 0 && errno == EINTR) continue;
    if (!watched) return fail(Error(watched.error()).with_context(command.arguments[0]));
    if (found < 0) return fail(end_unknown(spawned.pid).with_context(command.arguments[0]));
    output.status = status_of(status);
    return output;
  }

  Result<std::unique_ptr<Process>> start(const Command& command, const std::string& log_path) override {
    abandoned_.reap();
    PANDORA_CHECK(check_command(command));
    PANDORA_TRY(input, input_of(command));
    const Descriptor log(::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (log.get() < 0) return fail(system_error(log_path, errno));
    PANDORA_TRY(spawned, spawn(command, input.get(), log.get(), log.get(), Apart::kSession));
    return std::make_unique<PosixProcess>(std::move(spawned), abandoned_);
  }

 private:
  // Until it has ended and said all, or must end.
  static Status watch(const Spawned& spawned, const std::array<Descriptor, 2>& ends, CommandOutput& output,
                      const Deadline& deadline) {
    std::array<std::string*, 2> texts{&output.out, &output.err};
    std::array<pollfd, 3> watched{
        {{ends[0].get(), POLLIN, 0}, {ends[1].get(), POLLIN, 0}, {spawned.watch.get(), POLLIN, 0}}};
    for (;;) {
      PANDORA_CHECK(deadline.check("waiting for its end"));
      if (::poll(watched.data(), watched.size(), poll_ms(deadline)) < 0) continue;
      const bool ended = (watched[2].revents & POLLIN) != 0;  // before what it said is read: then that is all of it
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (watched[i].fd < 0) continue;
        PANDORA_TRY(open, drain(watched[i].fd, *texts[i]));
        if (!open) watched[i].fd = -1;
      }
      if (ended) return {};
    }
  }

  Abandoned abandoned_;
};

}  // namespace

std::unique_ptr<ProcessRunner> make_posix_process_runner() { return std::make_unique<PosixProcessRunner>(); }

}  // namespace pandora
