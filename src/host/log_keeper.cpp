#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/supervised_process.h"

namespace pandora {
namespace {

constexpr Duration kWriterPause = std::chrono::seconds(1);  // between two starts of one that ends at once
constexpr Duration kReapEvery = std::chrono::seconds(10);
constexpr Duration kSayPatience = std::chrono::seconds(1);
constexpr int kSayLookMs = 5;

}  // namespace

Result<std::unique_ptr<Process>> SupervisorCore::start_child(const Command& command, const std::string& log) {
  // One that ends at once is not to be taken for a stranger.
  const std::lock_guard lock(children_mutex);
  PANDORA_TRY(child, parts.runner.start(command, log));
  children.push_back(child->pid());
  return child;
}

void SupervisorCore::remove_child(int pid) {
  const std::lock_guard lock(children_mutex);
  std::erase(children, pid);
}

void SupervisorCore::reap() {
  const std::lock_guard lock(children_mutex);
  reaped_at = parts.clock.steady();
  reap_strangers(children);
}

void SupervisorCore::reap_now_and_then() {
  {
    const std::lock_guard lock(children_mutex);
    if (parts.clock.steady() - reaped_at < kReapEvery) return;
  }
  reap();
}

LogKeeper::~LogKeeper() {
  if (fd_ >= 0) ::close(fd_);
  if (watch_ >= 0) ::close(watch_);
}

Status LogKeeper::open() {
  if (fd_ >= 0) {
    look_after();
    return {};
  }
  const std::string pipe = core_.settings.place.directory + "/" + name_ + ".pipe";
  const auto broken = [&] { return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", pipe, std::strerror(errno))); };
  if (::mkfifo(pipe.c_str(), S_IRUSR | S_IWUSR) != 0 && errno != EEXIST) return broken();
  struct stat info{};
  if (::lstat(pipe.c_str(), &info) != 0) return broken();
  if (!S_ISFIFO(info.st_mode)) return fail(ErrorCode::kConflict, pipe + " is no named pipe", "move it away");
  // For both ends: nobody waits for another to open it, and it has no end while this is here.
  fd_ = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) return broken();
  pipe_ = pipe;
  return start_writer();
}

Status LogKeeper::start_writer() {
  Command command{core_.settings.log_writer, {{std::string(kHostProcessMark), ""}}, "", ""};
  for (const std::string& argument : {pipe_, core_.settings.place.log(name_), std::to_string(core_.settings.logs.bytes),
                                      std::to_string(core_.settings.logs.files)})
    command.arguments.push_back(argument);
  started_ = core_.parts.clock.steady();
  PANDORA_TRY(writer, core_.start_child(command, core_.settings.place.log("supervisor")));
  writer_ = std::move(writer);
  watch_ = static_cast<int>(::syscall(SYS_pidfd_open, writer_->pid(), 0));
  return {};
}

void LogKeeper::look_after() {
  if (fd_ < 0) return;
  if (writer_) {
    const auto status = writer_->wait(Deadline::after(core_.parts.clock, Duration(0)));
    if (status && !*status) return;
    core_.remove_child(writer_->pid());
    writer_.reset();
    if (watch_ >= 0) ::close(std::exchange(watch_, -1));
  }
  // Until then the pipe holds what is written.
  if (core_.parts.clock.steady() - started_ < kWriterPause) return;
  if (const Status started = start_writer(); !started)
    core_.board.note(name_, "its log is not kept now: " + started.error().to_line());
}

void LogKeeper::say(const std::string& line) {
  look_after();
  if (fd_ < 0 || ::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return;
  const Deadline deadline = Deadline::after(core_.parts.clock, kSayPatience);
  const std::string wanted = line.substr(0, line.find('\n'));
  while (!deadline.expired()) {
    const auto lines = last_lines(core_.parts.files, core_.settings.place.log(name_), kLastLogLines, kMaxLastLogBytes);
    if (std::ranges::find(lines, wanted) != lines.end()) return;
    (void)::poll(nullptr, 0, kSayLookMs);
  }
}

}  // namespace pandora
