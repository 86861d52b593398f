// The tools of this process, wired: what they reach, who approves them, where their calls are noted.
#pragma once
#include <memory>

#include "base/config.h"
#include "base/random.h"
#include "net/http_client.h"
#include "service/service.h"
#include "tools/tool_registry.h"

namespace pandora {

struct DataPaths;

// What an Orchestrator asks of its callers: random, in a file that its user alone can read; made when it is missing.
Result<std::string> orchestrator_secret(const DataPaths& paths, Random& random);
Result<std::string> read_orchestrator_secret(const DataPaths& paths);  // kUnavailable: there is none

enum class ToolPlace { kHere, kOrchestrator };

class Toolbox {
 public:
  // kInvalidArgument: a setting that is wrong. The clock outlives it, and so does the client, which only the
  // Orchestrator's need.
  static Result<std::unique_ptr<Toolbox>> open(const Config& config, ToolPlace place, HttpClient* client,
                                               const Clock& clock);
  virtual ~Toolbox() = default;  // whoever still runs is told to stop
  virtual ToolRunner& runner() = 0;
  virtual ToolRegistry* registry() = 0;  // null: they run elsewhere
  // Tools reach nothing before the first, and nothing after the second, which waits for those that are in it.
  virtual void connect(Service& service) = 0;
  virtual void disconnect() = 0;
};

}  // namespace pandora
