// A tool runner whose tools are functions of the test, as ports/tool_runner.h promises.
//
// Arguments must be a JSON object that has the fields which the tool's schema requires; more of a schema is not looked
// at. A tool may wait with `hold`. Thread-safe once the tools are added.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ports/tool_runner.h"

namespace pandora::testing {

class ScriptedToolRunner final : public ToolRunner {
 public:
  using Run =
      std::function<Result<ToolOutcome>(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline)>;

  void add(ToolDefinition definition, Run run);
  // A tool that always gives this text; it takes any object as arguments.
  void add(const std::string& name, std::string result, Trust trust = Trust::kTool);
  void refuse(const std::string& name);  // from now on it is not approved
  // For a tool that takes too long: waits for the deadline, and is its error.
  static Status hold(const Deadline& deadline);
  std::vector<ToolCall> calls() const;  // those that reached their tool

  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }
  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override;

 private:
  std::vector<ToolDefinition> catalogue_;
  std::map<std::string, Run> tools_;
  mutable std::mutex mutex_;
  std::set<std::string> refused_;
  std::vector<ToolCall> calls_;
};

}  // namespace pandora::testing
