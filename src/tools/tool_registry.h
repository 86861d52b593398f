// The tools of this process as a ToolRunner: looks, in this order, for the tool, at its arguments, its rate, the
// deadline and the approval, then runs it within its limits.
//
// Thread-safe. Every call of a tool that exists is noted once, also one that was refused. A tool's own time begins when
// it is approved; the caller's deadline holds for all of it.
#pragma once
#include <deque>
#include <map>
#include <mutex>

#include "domain/observation.h"
#include "tools/approval_policy.h"
#include "tools/argument_schema.h"
#include "tools/tool_threads.h"

namespace pandora {

inline constexpr std::size_t kMaxTools = 64;
inline constexpr std::size_t kMaxCallArgumentBytes = 64 * 1024;
inline constexpr std::size_t kMaxRatedUsers = 4096;  // whose calls of the last minute are counted; more are refused

// Somebody who can say yes or no.
class ApprovalGate {
 public:
  virtual ~ApprovalGate() = default;
  // Waits until there is an answer: how it was approved ("once", "session"); kPermissionDenied says why not,
  // kDeadlineExceeded, kCancelled, kUnavailable.
  virtual Result<std::string> ask(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) = 0;
};

// One call, for the log. No text of the arguments or of the result.
struct ToolNote {
  std::string tool;
  UserId user;
  std::string key;
  Uuid turn;
  Timestamp at;
  std::int64_t micros = 0;
  ToolStatus status = ToolStatus::kOk;
  std::string approval;  // "allow", "once", "session", "deny", "not asked"
  std::string call;      // describe_call
  std::string why;       // it failed: the code of the error
};
// As a row; `detail` of it holds what has no column. One that is part of a turn has its row from the turn's record.
Observation to_observation(const ToolNote& note);

struct RegistryParts {
  ToolList tools;
  ApprovalPolicy policy;
  ApprovalGate* gate = nullptr;  // null: nobody can be asked, and what would be asked for is denied
  std::function<void(const ToolNote&)> note = [](const ToolNote&) {};
  const Clock& clock;  // all of it outlives the registry
};

class ToolRegistry final : public ToolRunner {
 public:
  // kInvalidArgument: two of a name, a name that no model can call, a schema that is none, too many.
  static Result<std::unique_ptr<ToolRegistry>> create(RegistryParts parts);

  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }
  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override;

  // Of the tool, as the policy has it for that key; null: there is none.
  const ToolInfo* find(std::string_view name) const;
  Approval approval_of(std::string_view name, std::string_view key) const;
  std::size_t running() const { return threads_.taken(); }

 private:
  struct Entry {
    std::shared_ptr<Tool> tool;
    ArgumentSchema schema;
  };
  explicit ToolRegistry(RegistryParts parts) : parts_(std::move(parts)) {}
  Result<ToolOutcome> run_noted(const Entry& entry, const ToolCall& call, const ToolCaller& caller,
                                const Deadline& deadline, ToolNote& note);
  Result<ToolOutcome> answer_of(const Entry& entry, const ToolCall& call, const ToolCaller& caller,
                                const Deadline& deadline, ToolNote& note);
  Result<std::string> approve(const ToolInfo& info, const ToolCall& call, const ToolCaller& caller,
                              const Deadline& deadline);
  Status count(const ToolInfo& info, const UserId& user);

  const RegistryParts parts_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<ToolDefinition> catalogue_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::deque<SteadyTime>> rates_;  // tool, user → calls of a minute
  ToolThreads threads_;                                                          // last: ends first
};

}  // namespace pandora
