// What ports/tool_runner.h promises, for every implementation. An implementation joins by a line in
// double_implementations.cpp, with these tools in it:
//   echo    requires "text", and gives it
//   long    requires "bytes", and gives so many, of "é"
//   broken  fails, saying "it broke"
//   slow    waits until its deadline
//   denied  is not approved
// All but echo and long take any object.
#pragma once
#include "contract/expect.h"
#include "ports/tool_runner.h"

namespace pandora {

class ToolRunnerSetup {
 public:
  virtual ~ToolRunnerSetup() = default;
  virtual ToolRunner& runner() = 0;
};
std::vector<Implementation<ToolRunnerSetup>> tool_runner_implementations();
// The registry, in this process and behind an Orchestrator.
std::vector<Implementation<ToolRunnerSetup>> tool_registry_implementations();

}  // namespace pandora
