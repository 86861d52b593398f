// Starts host programs and commands. Thread-safe. No shell is involved: arguments reach the program as they are.
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
  std::vector<std::string> arguments;               // [0] is the program, looked up in PATH
  std::map<std::string, std::string> environment;   // added to the inherited one
  std::string directory;                            // empty: the present one
  std::string input;                                // given on stdin, then end of file
};
struct ExitStatus {
  int code = 0;    // 128 + signal when killed by one
  bool operator==(const ExitStatus&) const = default;
};
struct CommandOutput {
  ExitStatus status;
  std::string out, err;  // at most kMaxCommandOutput each; more is an error
};
inline constexpr std::size_t kMaxCommandOutput = 16 * 1024 * 1024;

class Process {  // a running one; destroying it leaves it running
 public:
  virtual ~Process() = default;
  virtual int pid() const = 0;
  virtual Status signal(int number) = 0;
  virtual Result<std::optional<ExitStatus>> wait(const Deadline& deadline) = 0;  // none: still running at the deadline
};
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Runs to its end; killed at the deadline (kDeadlineExceeded). kNotFound when there is no such program.
  virtual Result<CommandOutput> run(const Command& command, const Deadline& deadline) = 0;
  virtual Result<std::unique_ptr<Process>> start(const Command& command, const std::string& log_path) = 0;
};

}  // namespace pandora
