// OpenAI's API over the pipeline: any client of it gains memory by changing a base URL.
//
// /v1/chat/completions, /v1/models, /v1/embeddings; what is remembered (resource_routes.h); /health/live,
// /health/ready. Handlers hold no thread while a model speaks. What of a request makes it which turn: client_chat.h;
// how it is answered: client_reply.h. It keeps nothing that another Gateway could miss. Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access/key_ring.h"
#include "gateway/caller.h"
#include "metrics/metrics.h"
#include "models/model_directory.h"
#include "net/http_server.h"
#include "pipeline/turn_board.h"
#include "pipeline/turn_runtime.h"
#include "ports/cache.h"
#include "ports/health_probe.h"
#include "ports/point_space.h"
#include "service/service.h"

namespace pandora {

inline constexpr std::size_t kMaxTurnsUnderWay = 2048;  // also such as are still being saved: 429 past it
inline constexpr std::size_t kMaxEmbeddingInputs = 2048;
inline constexpr std::size_t kMaxEmbeddingBodyBytes = 8 << 20;

// A path that something else answers, whatever the method: MCP, for one.
struct GatewayMount {
  std::string path;  // all of it
  KeyScope scope = KeyScope::kTools;
  std::shared_ptr<GatewayHandler> handler;
  std::size_t max_body_bytes = 1 << 20;
  RunOn run_on = RunOn::kPool;
};

// All of it outlives the Gateway.
struct GatewayParts {
  TurnRuntime& runtime;
  ChatModel* model = nullptr;           // null: none is configured
  ModelDirectory* directory = nullptr;  // of its servers; null with it
  PointSpaces& spaces;                  // whose encoder answers /v1/embeddings
  std::vector<HealthProbe*> probes;     // of /health/ready; one that is down makes it 503
  IoThreads& threads;
  HttpClient& client;
  UuidV7Generator& ids;
  Random& random;
  const Clock& clock;
  Service* service = nullptr;  // behind /v1/turns, /v1/memories and the like; null: they are not there
  KeyRing* keys = nullptr;     // null: there are none, nor can there be
  Cache* cache = nullptr;      // of the keys' limits. Not null with keys
  std::vector<GatewayMount> mounts = {};
  Metrics* metrics = nullptr;  // null: nothing is counted, and there is no /metrics
  TurnBoard* board = nullptr;  // how far turns have come; null: that cannot be asked
};
struct GatewayOptions {
  HttpServerOptions server;
  UserId owner;                                   // whose memory it is to who needs no key
  std::size_t chat_body_bytes = 32 << 20;         // 413 past it
  Duration turn_time = std::chrono::minutes(30);  // a turn at most
  std::size_t turns = kMaxTurnsUnderWay;
  std::size_t blocking_threads = 8;
  std::size_t save_threads = 8;   // what stands there because the disk does keeps no other reply waiting
  std::size_t tool_threads = 32;  // more than may wait for an approval, so that others are not kept waiting
};

class Gateway {
 public:
  // Listens when it returns; beyond loopback only when a key can be used. Errors: those of HttpServer::listen.
  static Result<std::unique_ptr<Gateway>> open(GatewayOptions options, GatewayParts parts);
  virtual ~Gateway() = default;  // cancels what is under way and waits until it is saved
  virtual std::string url() const = 0;
  virtual std::uint16_t port() const = 0;
  // Accepts no more, lets what is under way finish until the deadline, then cancels it; what was said by then is saved.
  // kDeadlineExceeded says that it had to.
  virtual Status drain(const Deadline& deadline) = 0;
  virtual HttpServerStats stats() const = 0;
  virtual std::size_t turns_under_way() const = 0;
};

// A dependency by a function that looks whether it works.
std::unique_ptr<HealthProbe> make_probe(std::string name, HealthState when_failing, const Clock& clock,
                                        std::function<Status(const Deadline&)> look);

// api/openapi.yaml, which is served at /openapi.yaml.
std::string_view openapi_description();

}  // namespace pandora
