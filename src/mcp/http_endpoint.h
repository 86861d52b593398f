// MCP's Streamable HTTP: a POST is a message, its answer JSON, or a stream of events when progress is asked for.
//
// There is nothing that a server would say by itself, so GET is 405. A session's id, given with `initialize`, only
// names whose request a `notifications/cancelled` means; nothing is kept under it, any server knows it, and DELETE
// cancels what is under way: at whichever server that shares the cache. From 2026-07-28 on there are no sessions: a
// client cancels by leaving. Up to 2025-11-25 leaving cancels nothing. Answers: docs/mcp.md.
#pragma once
#include <memory>

#include "base/random.h"
#include "mcp/mcp_server.h"
#include "net/http_server.h"
#include "ports/cache.h"

namespace pandora {

inline constexpr std::size_t kMcpHttpThreads = 8;
inline constexpr std::size_t kMcpHttpQuickThreads = 2;  // for what calls no tool
inline constexpr std::size_t kMcpHttpQueue = 64;        // requests that wait; one more is 429
inline constexpr std::size_t kMaxMcpSessionId = 128;

// For the path /mcp, on the loop (it has threads of its own), with bodies of kMaxRpcMessageBytes. `server`, `random`
// and `cache` outlive it; it outlives the HTTP server. Thread-safe.
class McpEndpoint {
 public:
  virtual ~McpEndpoint() = default;
  // As HttpHandler, for a caller who is known.
  virtual void handle(HttpRequest request, const ToolCaller& caller, std::shared_ptr<ResponseWriter> writer) = 0;
  virtual void end() = 0;  // what runs is told to stop, and nothing more begins; before the HTTP server's end
};
std::unique_ptr<McpEndpoint> make_mcp_endpoint(McpServer& server, Random& random, Cache& cache, const Clock& clock);

}  // namespace pandora
