#include "tools/calculator_tool.h"

#include <fmt/format.h>

#include "tools/calculator.h"

namespace pandora {
namespace {

constexpr const char* kSchema = R"({"type": "object", "properties": {
  "expression": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "such as (3 + 4) * 1.19"}},
  "required": ["expression"], "additionalProperties": false})";

}  // namespace

std::shared_ptr<Tool> make_calculator_tool() {
  ToolInfo info;
  info.definition = {
      "calculate",
      fmt::format("Arithmetic. + - * / % ^ !, parentheses, pi, e, and {}.", fmt::join(calculator_functions(), ", ")),
      kSchema};
  info.limits = {std::chrono::seconds(2), 1024, 120};
  return std::make_shared<FunctionTool>(info, [](const ToolTask& task) -> Result<ToolOutcome> {
    PANDORA_TRY(value, calculate(task.arguments["expression"].get_ref<const std::string&>()));
    return ToolOutcome{.result = value};
  });
}

}  // namespace pandora
