// The tools of this process, wired: what they reach, who approves them, where their calls are noted.
#pragma once
#include <memory>

#include "base/config.h"
#include "service/service.h"
#include "tools/tool_registry.h"

namespace pandora {

class Toolbox {
 public:
  // kInvalidArgument: a setting that is wrong. `clock` outlives it.
  static Result<std::unique_ptr<Toolbox>> open(const Config& config, const Clock& clock);
  virtual ~Toolbox() = default;  // whoever still runs is told to stop
  virtual ToolRegistry& runner() = 0;
  // Tools reach nothing before the first, and nothing after the second, which waits for those that are in it.
  virtual void connect(Service& service) = 0;
  virtual void disconnect() = 0;
};

}  // namespace pandora
