// Starts host programs and commands. Thread-safe. No shell is involved: arguments reach the program as they are. A
// program that ends with another code than 0 is a result, not an error.
//
// Errors: kNotFound (no such program, no such directory), kPermissionDenied (not executable), kInvalidArgument (no
// program named, a NUL byte anywhere but in the input, a variable without a name or with '=' in it), kTooLarge (past a
// maximum below), kDeadlineExceeded (also a deadline that had passed before: nothing is started), kResourceExhausted,
// kUnavailable (it has ended, and how is not known).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

struct Command {
  std::vector<std::string> arguments;              // [0] is the program, looked up in PATH
  std::map<std::string, std::string> environment;  // added to the inherited one, or in place of what it has
  std::string directory;                           // empty: the present one
  std::string input;                               // given on stdin, then end of file; need not be read
};
inline constexpr std::size_t kMaxCommandInput = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxCommandOutput = 16 * 1024 * 1024;
struct ExitStatus {
  int code = 0;  // 128 + signal when killed by one
  bool operator==(const ExitStatus&) const = default;
};
struct CommandOutput {
  ExitStatus status;
  std::string out, err;  // at most kMaxCommandOutput each; more is kTooLarge, and the program is killed
};

// A running one; destroying it leaves it running. Goes before its runner does. Thread-safe.
class Process {
 public:
  virtual ~Process() = default;
  virtual int pid() const = 0;
  virtual Status signal(int number) = 0;      // kNotFound when it has ended
  virtual Status signal_all(int number) = 0;  // likewise, with what it has started and what has not gone elsewhere
  // None: still running at the deadline. Afterwards always the same.
  virtual Result<std::optional<ExitStatus>> wait(const Deadline& deadline) = 0;
};
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Runs to its end. Killed at the deadline, with what it started, and gone when this returns.
  virtual Result<CommandOutput> run(const Command& command, const Deadline& deadline) = 0;
  // Both its outputs are added to the file `log_path`, which is made when it is missing.
  virtual Result<std::unique_ptr<Process>> start(const Command& command, const std::string& log_path) = 0;
};

}  // namespace pandora
