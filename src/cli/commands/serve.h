// The Gateway in this process: alone (`pandora serve`), or beside a conversation (`pandora chat --serve`).
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "cli/installation.h"

namespace pandora {

class Serving {
 public:
  // Listens when it returns. kConflict: another process owns the data directory, or the port.
  static Result<std::unique_ptr<Serving>> open(const Config& config, Installation& installation);
  virtual ~Serving() = default;
  virtual std::string url() const = 0;
  // Lets what is under way finish, for gateway.drain_ms at most; kDeadlineExceeded says that something was cut off.
  virtual Status drain() = 0;
};

// Until SIGTERM or Ctrl-C; a second one ends it at once. The exit code. With `json` the URL is printed on stdout.
int serve(const Config& config, ToolPlace tools, bool json);

// The Orchestrator: tools alone, over HTTP, until it is told to end. What is remembered it reaches through the process
// that owns the data directory; while there is none, only tools that need nothing work. The exit code.
int orchestrate(const Config& config, bool json);

// The exit code of `converse`, beside which it listens; when it cannot, it says why, and the conversation goes on
// without.
int serve_beside(const Config& config, Installation& installation, const std::function<int()>& converse);

}  // namespace pandora
