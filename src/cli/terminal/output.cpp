#include "cli/terminal/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal/terminal.h"

namespace pandora {
namespace {

int write_error = 0;  // errno of the first result that could not be written

void note_failure(bool failed) {
  if (failed && write_error == 0) write_error = errno == 0 ? EIO : errno;
}

}  // namespace

void prepare_process() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    // The lowest free number is this one. Opened the wrong way round, so that its use fails as it would have failed.
    (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);  // where whoever has started this one ignores it, no program's end could be known
  ::umask(S_IRWXG | S_IRWXO);
}

void print_out(std::string_view text) {
  if (write_error != 0) return;
  errno = 0;
  note_failure(std::fwrite(text.data(), 1, text.size(), stdout) != text.size());
}

void print_error(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

void flush_output() {
  errno = 0;
  note_failure(std::fflush(stdout) != 0);
}

bool output_failed() { return write_error != 0; }

Status finish_output() {
  flush_output();
  const auto failed = [](ErrorCode code, std::string_view remedy) {
    return fail(code, fmt::format("cannot write to standard output: {}", std::strerror(write_error)),
                std::string(remedy));
  };
  switch (write_error) {
    case 0:
      return {};
    case ENOSPC:
    case EDQUOT:
      return failed(ErrorCode::kStorageFull, "free some space where the output goes, then run it again");
    case EPIPE:
      return failed(ErrorCode::kCancelled, "");
    default:
      return failed(ErrorCode::kUnavailable, "redirect it to a file or a program that can take it");
  }
}

int report(const Error& error) {
  print_error(fmt::format("pandora: {}\n", error.to_line()));
  return error_info(error.code).exit_code;
}

std::string visible(std::string_view text) {
  if (!is_terminal(STDOUT_FILENO)) return std::string(text);
  constexpr std::string_view kReplacement = "\uFFFD";
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool c1 =
        c == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F: some terminals take them for commands
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F || c1)
      shown += kReplacement;
    else
      shown += text[i];
    if (c1) ++i;
  }
  return shown;
}

}  // namespace pandora
