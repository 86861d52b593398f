// Runs tools. Synchronous, on the bounded pool; thread-safe. A tool that fails is a result with a status, not an error.
// Errors, looked for in this order: kNotFound (no such tool), kInvalidArgument (arguments that are no JSON object or
// that its schema refuses), kDeadlineExceeded, kPermissionDenied (not approved), kCancelled. The result's text is data
// of Trust::kTool or kWeb, of at most kMaxToolResultBytes: a longer one is cut at a code point and ends with "…".
#pragma once
#include <string>
#include <vector>

#include "domain/context_document.h"
#include "domain/principal.h"
#include "domain/turn_record.h"
#include "ports/chat_model.h"

namespace pandora {

struct ToolOutcome {
  ToolStatus status = ToolStatus::kOk;
  Trust trust = Trust::kTool;
  std::string result;
  std::vector<std::string> claims;
  std::vector<Research> research;     // worth keeping
  std::vector<FetchAttempt> fetches;  // for the sources' scores
};
inline constexpr std::size_t kMaxToolResultBytes = 1024 * 1024;

class ToolRunner {
 public:
  virtual ~ToolRunner() = default;
  // Names are unique; the same for the life of the runner.
  virtual const std::vector<ToolDefinition>& catalogue() const = 0;
  virtual Result<ToolOutcome> run(const ToolCall& call, const Principal& who, const Deadline& deadline) = 0;
};

}  // namespace pandora
