#include "mcp/joined_tools.h"

#include <algorithm>

namespace pandora {
namespace {

bool has(const ToolRunner& tools, const std::string& name) {
  return std::ranges::find(tools.catalogue(), name, &ToolDefinition::name) != tools.catalogue().end();
}

}  // namespace

JoinedTools::JoinedTools(ToolRunner& first, ToolRunner& second)
    : first_(first), second_(second), catalogue_(first.catalogue()) {
  for (const auto& tool : second.catalogue())
    if (!has(first, tool.name)) catalogue_.push_back(tool);
}

Result<ToolOutcome> JoinedTools::run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) {
  return (has(first_, call.name) ? first_ : second_).run(call, caller, deadline);
}

}  // namespace pandora
