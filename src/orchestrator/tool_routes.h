// `GET /tools` and `POST /tools/{name}`: the routes of a server of their own, which says `GET /health/live` as well,
// and the handlers within another's.
//
// A call holds a thread of a pool of its own, for it may wait for somebody's approval; a client that leaves stops it.
// Errors have OpenAI's shape. Thread-safe.
#pragma once
#include <memory>

#include "net/http_server.h"
#include "tools/tool_registry.h"

namespace pandora {

inline constexpr std::size_t kToolCallThreads = 32;
inline constexpr std::size_t kMaxQueuedToolCalls = 64;  // 429 past it
inline constexpr std::string_view kToolsPath = "/tools";

struct ToolRouteOptions {
  UserId user;                                   // on whose behalf, unless the header names another
  std::string secret;                            // as a bearer, of who calls it over HTTP; empty: nobody may
  Duration call_time = std::chrono::minutes(5);  // of a call, its approval included
  std::size_t threads = kToolCallThreads, queue = kMaxQueuedToolCalls;
};

class ToolRoutes : public HttpRouter {
 public:
  // `tools` and `clock` outlive it, and it the server.
  static std::unique_ptr<ToolRoutes> create(ToolRouteOptions options, ToolRegistry& tools, const Clock& clock);
  // The answers alone: of /tools, and of a tool that the path names; on the loop.
  virtual void list(const HttpRequest& request, ResponseWriter& writer) = 0;
  virtual void call(HttpRequest request, ToolCaller caller, std::shared_ptr<ResponseWriter> writer) = 0;
  virtual void end() = 0;  // what waits or runs is told to stop; before the server's end
};

}  // namespace pandora
