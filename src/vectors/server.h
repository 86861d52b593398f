// Qdrant's REST API over HTTP, for its official clients.
//
// Requests that cost little are answered on the thread that read them; what may take its time, on a pool. A write is
// answered once it is on disk (`wait=true`), or once it is queued; see Collection for who does it.
#pragma once
#include <memory>

#include "net/http_server.h"
#include "vectors/engine.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxBodyBytes = 32 << 20;
inline constexpr Duration kDefaultTimeout = std::chrono::seconds(60);
inline constexpr std::string_view kApiVersion = "1.19.0";  // of Qdrant's API, whose clients check it

struct VectorsOptions {
  HttpServerOptions server;
  std::string api_key;            // empty: nobody is asked for one
  std::string read_only_api_key;  // empty: there is none
  std::size_t pool_threads = 4;
};

class VectorsServer {
 public:
  // Everything given outlives it.
  static Result<std::unique_ptr<VectorsServer>> open(VectorsOptions options, Engine& engine, IoThreads& threads,
                                                     Random& random);
  virtual ~VectorsServer() = default;
  virtual HttpServer& http() = 0;  // where it listens, and its orderly end
};

}  // namespace pandora::qdrant
