// A tool: what a model may call, and how far it may go.
//
// `run` is called with arguments that its schema has accepted, on a thread of its own, and ends soon after
// `task.stopped()` is true or `task.deadline` has passed; one that does not is left behind (tool_threads.h). An error
// of it is what the model is told: one sentence, and the remedy. Thread-safe: several calls at once.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "ports/tool_runner.h"
#include "wire/json_reader.h"

namespace pandora {

enum class Approval { kAllow, kAsk, kDeny };

struct ToolLimits {
  Duration time = std::chrono::seconds(10);
  std::size_t result_bytes = 32 * 1024;  // a longer text is cut, and says so
  std::size_t calls_a_minute = 60;       // of one user
};

struct ToolInfo {
  ToolDefinition definition;
  ToolLimits limits;
  Approval approval = Approval::kAllow;  // unless the settings say otherwise
};

struct ToolTask {
  const Json& arguments;
  const ToolCaller& caller;
  const Deadline& deadline;
  const std::atomic<bool>& stop;
  bool stopped() const { return stop.load(); }
};

class Tool {
 public:
  virtual ~Tool() = default;
  virtual const ToolInfo& info() const = 0;
  virtual Result<ToolOutcome> run(const ToolTask& task) = 0;
};

// A tool that is a function.
class FunctionTool final : public Tool {
 public:
  using Run = std::function<Result<ToolOutcome>(const ToolTask& task)>;
  FunctionTool(ToolInfo info, Run run) : info_(std::move(info)), run_(std::move(run)) {}
  const ToolInfo& info() const override { return info_; }
  Result<ToolOutcome> run(const ToolTask& task) override { return run_(task); }

 private:
  const ToolInfo info_;
  const Run run_;
};
using ToolList = std::vector<std::shared_ptr<Tool>>;

}  // namespace pandora
