// The Model Context Protocol's server, whatever carries its messages: tools, and what is remembered as resources.
//
// It keeps nothing between two requests: what a request needs stands in it (wire/mcp_revision.h), so any process that
// has the same tools and the same data answers it. Thread-safe.
//
// A tool that fails, that its arguments do not suit, that is not approved or that takes too long is a result with
// `isError`, which the model can read and mend; a tool that does not exist is an error of the protocol.
#pragma once
#include <chrono>
#include <string>

#include "ports/tool_runner.h"
#include "service/service.h"
#include "wire/mcp_revision.h"

namespace pandora {

inline constexpr std::size_t kMaxListedResources = 100;  // a page of resources/list

// The caller's side of one request.
class McpObserver {
 public:
  virtual ~McpObserver() = default;
  virtual void notify(std::string message) = 0;  // a notification that belongs to the request
  virtual bool cancelled() = 0;                  // nobody waits for the answer any more
};

struct McpOptions {
  std::string version;                           // of this program
  Duration call_time = std::chrono::minutes(5);  // of one request, a tool's approval included
};

class McpServer {
 public:
  // All of it outlives the server. Without tools (null) none are listed.
  McpServer(McpOptions options, ToolRunner* tools, Service& service, const Clock& clock)
      : options_(std::move(options)), tools_(tools), service_(service), clock_(clock) {}

  struct Answer {
    Json result;
    std::optional<RpcFault> fault;  // instead of a result
  };
  // Of a request, which has been judged to be of that revision. A tool runs on the caller's behalf; whether its own
  // `cancelled` says so is not asked, but the observer's.
  Answer answer(const RpcMessage& request, McpRevision revision, const ToolCaller& caller, McpObserver& observer);

 private:
  struct Asked;
  Answer dispatch(const Asked& asked);
  Answer initialize(const Asked& asked);
  Answer discover(const Asked& asked);
  const std::vector<ToolDefinition>& catalogue() const;
  Answer list_tools(const Asked& asked);
  Answer call_tool(const Asked& asked);

  const McpOptions options_;
  ToolRunner* const tools_;
  Service& service_;
  const Clock& clock_;
};

}  // namespace pandora
