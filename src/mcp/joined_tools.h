// Two runners as one. Where both have a tool of the same name, the first's is it.
#pragma once
#include <string>
#include <vector>

#include "ports/tool_runner.h"

namespace pandora {

class JoinedTools final : public ToolRunner {
 public:
  // Both outlive it.
  JoinedTools(ToolRunner& first, ToolRunner& second);
  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }
  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override;

 private:
  ToolRunner &first_, &second_;
  std::vector<ToolDefinition> catalogue_;
};

}  // namespace pandora
