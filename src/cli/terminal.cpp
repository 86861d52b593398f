#include "cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <fmt/format.h>

#include "wire/json_reader.h"

namespace pandora {
namespace {
std::atomic<int> interrupts{0};
std::array<int, 2> interrupt_pipe{-1, -1};  // a byte an interrupt: what waits for the pipe cannot miss one

void on_interrupt(int) {
  const int before = errno;
  ++interrupts;
  (void)!::write(interrupt_pipe[1], "", 1);  // a full pipe wakes as well
  errno = before;
}
}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::string bold(std::string_view text) {
  const char* none = std::getenv("NO_COLOR");
  const bool plain = (none && *none) || !is_terminal(STDOUT_FILENO);
  return plain ? std::string(text) : fmt::format("\033[1m{}\033[0m", text);
}

Status confirm(std::string_view question, bool yes) {
  if (yes) return {};
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorCode::kInvalidArgument, "this destroys something, and there is no terminal to ask on", "add --yes if you mean it");
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(ErrorCode::kCancelled, "nothing was done");
}

void catch_interrupts() {
  if (interrupt_pipe[0] < 0 && ::pipe2(interrupt_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) interrupt_pipe = {-1, -1};
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a read that waits for the user comes back
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}
bool interrupted() { return interrupts > 0; }
void clear_interrupt() {
  interrupts = 0;
  for (char byte = 0; ::read(interrupt_pipe[0], &byte, 1) == 1;) continue;
}

bool wait_for_input(int descriptor) {
  std::array<pollfd, 2> ends{pollfd{descriptor, POLLIN, 0}, pollfd{interrupt_pipe[0], POLLIN, 0}};
  while (!interrupted())
    if (::poll(ends.data(), ends.size(), -1) >= 0 || errno != EINTR) return !interrupted();
  return false;
}

ProgressObserver::~ProgressObserver() {
  if (open_line_) fmt::print(stderr, "\n");
}

void ProgressObserver::event(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("progress")) return;
  const Json& progress = json["progress"];
  const std::int64_t done = progress.value("done", std::int64_t{0}), of = progress.value("of", std::int64_t{0});
  const std::string line = of > 0 ? fmt::format("{}: {} of {}", progress.value("what", ""), done, of) : fmt::format("{}: {}", progress.value("what", ""), done);
  if (is_terminal(STDERR_FILENO)) {
    fmt::print(stderr, "\r\033[K{}", line);
    open_line_ = true;
  } else if (done >= shown_ * 2 || done < shown_) {  // a pipe gets a line whenever it has doubled
    fmt::print(stderr, "{}\n", line);
    shown_ = std::max<std::int64_t>(1, done);
  }
  std::fflush(stderr);
}

}  // namespace pandora
