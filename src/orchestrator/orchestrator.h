// The server of tools, as a process of its own: `GET /tools`, `POST /tools/{name}`, `GET /health/live`. Thread-safe.
#pragma once
#include <memory>
#include <string>

#include "orchestrator/tool_routes.h"

namespace pandora {

class Orchestrator {
 public:
  // Listens when it returns. Errors: those of HttpServer::listen. All that is given outlives it.
  static Result<std::unique_ptr<Orchestrator>> open(HttpServerOptions server, ToolRouteOptions options,
                                                    ToolRegistry& tools, IoThreads& threads, Random& random,
                                                    const Clock& clock);
  virtual ~Orchestrator() = default;
  virtual std::string url() const = 0;
  virtual std::uint16_t port() const = 0;
  // As HttpServer::drain.
  virtual Status drain(const Deadline& deadline) = 0;
};

}  // namespace pandora
