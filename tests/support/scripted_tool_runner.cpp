#include "support/scripted_tool_runner.h"

#include <thread>

#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora::testing {
namespace {

constexpr auto kLook = std::chrono::milliseconds(1);  // between two looks at a clock, in real time
constexpr std::size_t kMaxArguments = 1024 * 1024;

Status check_arguments(const ToolDefinition& tool, const std::string& arguments) {
  const auto refused = [&](const std::string& why) {
    return fail(ErrorCode::kInvalidArgument, "arguments of " + tool.name + ": " + why);
  };
  const auto given = parse_json(arguments, kMaxArguments, "arguments");
  if (!given) return refused(given.error().message);
  if (!given->is_object()) return refused("no object");
  PANDORA_TRY(schema, parse_json(tool.schema, kMaxArguments, "the schema of " + tool.name));
  if (!schema.contains("required")) return {};
  for (const auto& name : schema["required"])
    if (!given->contains(name.get<std::string>())) return refused(name.get<std::string>() + " is missing");
  return {};
}

}  // namespace

void ScriptedToolRunner::add(ToolDefinition definition, Run run) {
  tools_[definition.name] = std::move(run);
  catalogue_.push_back(std::move(definition));
}

void ScriptedToolRunner::add(const std::string& name, std::string result, Trust trust) {
  add({name, "a tool of a test", R"({"type": "object"})"},
      [result = std::move(result), trust](const ToolCall&, const ToolCaller&, const Deadline&) -> Result<ToolOutcome> {
        return ToolOutcome{.trust = trust, .result = result};
      });
}

void ScriptedToolRunner::refuse(const std::string& name) {
  const std::lock_guard lock(mutex_);
  refused_.insert(name);
}

Status ScriptedToolRunner::hold(const Deadline& deadline) {
  while (!deadline.expired()) std::this_thread::sleep_for(kLook);
  return deadline.check("running a tool");
}

std::vector<ToolCall> ScriptedToolRunner::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

Result<ToolOutcome> ScriptedToolRunner::run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) {
  const auto tool = tools_.find(call.name);
  if (tool == tools_.end()) return fail(ErrorCode::kNotFound, "there is no tool " + call.name);
  for (const auto& definition : catalogue_)
    if (definition.name == call.name) PANDORA_CHECK(check_arguments(definition, call.arguments));
  PANDORA_CHECK(deadline.check("running " + call.name));
  {
    const std::lock_guard lock(mutex_);
    if (refused_.contains(call.name)) return fail(ErrorCode::kPermissionDenied, call.name + " is not approved");
    calls_.push_back(call);
  }
  PANDORA_TRY(outcome, tool->second(call, caller, deadline));
  if (outcome.result.size() > kMaxToolResultBytes) outcome.result = ellipsize(outcome.result, kMaxToolResultBytes);
  return outcome;
}

}  // namespace pandora::testing
