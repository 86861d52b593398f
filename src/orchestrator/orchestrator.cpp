#include "orchestrator/orchestrator.h"

namespace pandora {
namespace {

class LiveHandler final : public HttpHandler {
  void handle(HttpRequest, std::shared_ptr<ResponseWriter> writer) override {
    writer->respond({200, {{"Content-Type", "application/json"}}, R"({"status":"live"})"});
  }
};

class HttpOrchestrator final : public Orchestrator, private HttpRouter {
 public:
  HttpOrchestrator(ToolRouteOptions options, ToolRegistry& tools, const Clock& clock)
      : routes_(ToolRoutes::create(std::move(options), tools, clock)) {}
  ~HttpOrchestrator() override {
    routes_->end();
    server_.reset();
  }
  Status listen(HttpServerOptions options, IoThreads& threads, Random& random) {
    PANDORA_TRY(server, HttpServer::listen(std::move(options), threads, *this, random));
    server_ = std::move(server);
    return {};
  }
  std::string url() const override { return server_->url(); }
  std::uint16_t port() const override { return server_->port(); }
  Status drain(const Deadline& deadline) override { return server_->drain(deadline); }

 private:
  Result<HttpRoute> route(const HttpRequest& head) override {
    constexpr std::size_t kNoBody = 0;
    if (head.path == "/health/live" && (head.method == "GET" || head.method == "HEAD"))
      return HttpRoute{&live_, RunOn::kLoop, kNoBody};
    return routes_->route(head);
  }

  LiveHandler live_;
  std::unique_ptr<ToolRoutes> routes_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<Orchestrator>> Orchestrator::open(HttpServerOptions server, ToolRouteOptions options,
                                                         ToolRegistry& tools, IoThreads& threads, Random& random,
                                                         const Clock& clock) {
  auto orchestrator = std::make_unique<HttpOrchestrator>(std::move(options), tools, clock);
  PANDORA_CHECK(orchestrator->listen(std::move(server), threads, random));
  return orchestrator;
}

}  // namespace pandora
