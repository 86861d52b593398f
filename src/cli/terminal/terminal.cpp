#include "cli/terminal/terminal.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cli/terminal/output.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {
std::atomic<int> interrupts{0};
std::array<int, 2> interrupt_pipe{-1, -1};  // a byte an interrupt: what waits for the pipe cannot miss one

void on_interrupt(int) {
  constexpr int kInsists =
      3;  // what does not look at interrupts now is ended as a kill would end it, which loses nothing
  const int before = errno;
  if (++interrupts >= kInsists) ::_exit(error_info(ErrorCode::kCancelled).exit_code);
  (void)!::write(interrupt_pipe[1], "", 1);  // a full pipe wakes as well
  errno = before;
}
}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::string bold(std::string_view text, std::size_t width) {
  const char* none = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool plain =
      (none && *none) || (terminal && std::string_view(terminal) == "dumb") || !is_terminal(STDOUT_FILENO);
  const std::string filling(width > text.size() ? width - text.size() : 0, ' ');
  return plain ? fmt::format("{}{}", text, filling) : fmt::format("\033[1m{}\033[0m{}", text, filling);
}

Status confirm(std::string_view question, bool yes) {
  if (yes) return {};
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorCode::kInvalidArgument, "this destroys something, and there is no terminal to ask on",
                "add --yes if you mean it");
  print_error(fmt::format("{} [y/N] ", question));
  std::string answer;
  if (!std::getline(std::cin, answer)) print_error("\n");
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(ErrorCode::kCancelled, "nothing was done");
}

void catch_interrupts() {
  if (interrupt_pipe[0] < 0 && ::pipe2(interrupt_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) interrupt_pipe = {-1, -1};
  struct sigaction action{};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a read that waits for the user comes back
  ::sigaction(SIGINT, &action, nullptr);
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

ProgressObserver::ProgressObserver() : shown_at_(clock_.steady()) {}

ProgressObserver::~ProgressObserver() {
  if (open_line_) print_error("\n");
}

void ProgressObserver::event(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("progress")) return;
  const Json& progress = json["progress"];
  const std::int64_t done = progress.value("done", std::int64_t{0}), of = progress.value("of", std::int64_t{0});
  show(of > 0 ? fmt::format("{}: {} of {}", progress.value("what", ""), done, of)
              : fmt::format("{}: {}", progress.value("what", ""), done));
}

void ProgressObserver::keep(std::string_view line) {
  print_error(fmt::format("{}{}\n", open_line_ ? "\r\033[K" : "", line));
  open_line_ = false;
}

void ProgressObserver::show(std::string_view line) {
  const bool terminal = is_terminal(STDERR_FILENO);
  const Duration pause = terminal ? std::chrono::milliseconds(200) : std::chrono::seconds(5);
  const SteadyTime now = clock_.steady();
  if (now - shown_at_ < pause) return;
  shown_at_ = now;
  print_error(terminal ? fmt::format("\r\033[K{}", line) : fmt::format("{}\n", line));
  open_line_ = terminal;
}

}  // namespace pandora
