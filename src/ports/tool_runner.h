// Runs tools. Synchronous, on the bounded pool; thread-safe. A tool that fails is a result with a status, not an error.
// Errors, looked for in this order: kNotFound (no such tool), kInvalidArgument (arguments that are no JSON object or
// that its schema refuses), kDeadlineExceeded, kPermissionDenied (not approved; the wait for an approval counts towards
// the deadline), kResourceExhausted (called too often, or too many run), kCancelled, kUnavailable (whoever runs it does
// not answer). The result's text is data of Trust::kTool or kWeb, of at most kMaxToolResultBytes: a longer one is cut
// at a code point and ends with "…".
#pragma once
#include <functional>
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
  std::string approval;  // how it came to run: "allow" by the settings, "once" or "session" by somebody's word
  std::vector<std::string> claims;
  std::vector<Research> research;     // worth keeping
  std::vector<FetchAttempt> fetches;  // for the sources' scores
  std::vector<Attachment> pages;      // as they were fetched; only of a call that is part of a turn
};
inline constexpr std::size_t kMaxToolResultBytes = 1024 * 1024;

// What a row says of a call besides its columns: "ok; approval once; arguments 120 bytes 9f86d081884c7d65; result 345
// bytes". A hash stands for what was asked; no text of it does.
std::string describe_call(ToolStatus status, std::string_view approval, std::string_view arguments,
                          std::size_t result_bytes);

// On whose behalf a tool runs, and where the call comes from.
struct ToolCaller {
  Principal who;
  SessionId session{};                   // an approval may hold for it; empty: none
  Uuid turn{};                           // that the call is part of; nil: none
  std::string key{};                     // the name of the key that the request came with; empty: none
  std::function<bool()> cancelled = {};  // asked now and then while it runs, on the calling thread; empty: never
};

class ToolRunner {
 public:
  virtual ~ToolRunner() = default;
  // Names are unique; the same for the life of the runner.
  virtual const std::vector<ToolDefinition>& catalogue() const = 0;
  virtual Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) = 0;
};

}  // namespace pandora
