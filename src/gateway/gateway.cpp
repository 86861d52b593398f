#include "gateway/gateway.h"

#include <charconv>

#include <fmt/format.h>

#include "gateway/gateway_core.h"
#include "gateway/resource_routes.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

constexpr std::size_t kLoopBodyBytes = 64 * 1024;  // a longer chat is read on the pool
constexpr std::size_t kNoBody = 0;
constexpr std::string_view kOneModel = "/v1/models/";

class NotAllowed final : public HttpHandler {
 public:
  explicit NotAllowed(std::string allowed) : allowed_(std::move(allowed)) {}
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    writer->respond(method_not_allowed(request.method, allowed_));
  }

 private:
  const std::string allowed_;
};

struct Endpoint {
  std::string method;  // GET answers HEAD as well
  std::unique_ptr<HttpHandler> handler;
  std::size_t max_body_bytes;
  RunOn run_on;
  std::unique_ptr<HttpHandler> not_allowed;
};

class Routes final : public HttpRouter {
 public:
  explicit Routes(GatewayCore& core)
      : chat_(
            add("/v1/chat/completions", "POST", make_chat_handler(core), core.options.chat_body_bytes, RunOn::kPool)) {
    models_ = &add("/v1/models", "GET", make_models_handler(core), kNoBody, RunOn::kPool);
    add("/v1/embeddings", "POST", make_embeddings_handler(core), kMaxEmbeddingBodyBytes, RunOn::kPool);
    add("/openapi.yaml", "GET", make_description_handler(), kNoBody, RunOn::kLoop);
    for (const auto& mount : core.parts.mounts)
      mounts_.emplace(mount.path, HttpRoute{mount.handler, mount.run_on, mount.max_body_bytes});
    if (core.parts.service) resources_ = make_resource_handler(core);
    add("/health/live", "GET", make_live_handler(), kNoBody, RunOn::kLoop);
    add("/health/ready", "GET", make_ready_handler(core), kNoBody, RunOn::kPool);
  }

  Result<HttpRoute> route(const HttpRequest& head) override {
    if (const auto mount = mounts_.find(head.path); mount != mounts_.end()) return mount->second;
    const auto found = endpoints_.find(head.path);
    Endpoint* endpoint = found != endpoints_.end() ? &found->second : nullptr;
    if (!endpoint && head.path.starts_with(kOneModel) && head.path.size() > kOneModel.size()) endpoint = models_;
    if (!endpoint && resources_ && !match_resource(head.method, head.path).allowed.empty())
      return HttpRoute{resources_.get(), RunOn::kPool, kMaxResourceBodyBytes};
    if (!endpoint)
      return fail(ErrorCode::kNotFound, fmt::format("nothing is at {}", head.path),
                  "see docs/api.md for what there is");
    const bool fits = head.method == endpoint->method || (head.method == "HEAD" && endpoint->method == "GET");
    if (!fits) return HttpRoute{endpoint->not_allowed.get(), RunOn::kLoop, kLoopBodyBytes};
    const RunOn run_on = endpoint == &chat_ && is_small(head) ? RunOn::kLoop : endpoint->run_on;
    return HttpRoute{endpoint->handler.get(), run_on, endpoint->max_body_bytes};
  }

 private:
  Endpoint& add(const std::string& path, const char* method, std::unique_ptr<HttpHandler> handler,
                std::size_t max_body_bytes, RunOn run_on) {
    const std::string allowed = std::string_view(method) == "GET" ? "GET, HEAD" : method;
    return endpoints_
        .insert_or_assign(
            path, Endpoint{method, std::move(handler), max_body_bytes, run_on, std::make_unique<NotAllowed>(allowed)})
        .first->second;
  }
  static bool is_small(const HttpRequest& head) {
    const std::string_view length = head.headers.get("Content-Length");
    std::size_t bytes = 0;
    return std::from_chars(length.data(), length.data() + length.size(), bytes).ec == std::errc() &&
           bytes <= kLoopBodyBytes;
  }

  std::map<std::string, HttpRoute, std::less<>> mounts_;
  std::map<std::string, Endpoint, std::less<>> endpoints_;
  Endpoint& chat_;
  Endpoint* models_ = nullptr;
  std::unique_ptr<HttpHandler> resources_;
};

class HttpGateway final : public Gateway {
 public:
  HttpGateway(GatewayOptions options, GatewayParts parts)
      : core_(std::move(options), std::move(parts)), routes_(core_) {}

  Status listen() {
    PANDORA_TRY(server, HttpServer::listen(core_.options.server, core_.parts.threads, routes_, core_.parts.random));
    server_ = std::move(server);
    return {};
  }
  // Cutting the connections cancels their turns; they are saved before the rest goes.
  ~HttpGateway() override {
    {
      const std::lock_guard lock(core_.mutex);
      core_.ending = true;
    }
    server_.reset();
    (void)core_.wait_for_turns(Deadline::never());
    core_.pool.reset();
  }

  std::string url() const override { return server_->url(); }
  std::uint16_t port() const override { return server_->port(); }
  HttpServerStats stats() const override { return server_->stats(); }
  std::size_t turns_under_way() const override {
    const std::lock_guard lock(core_.mutex);
    return core_.under_way;
  }
  Status drain(const Deadline& deadline) override {
    const Status drained = server_->drain(deadline);
    (void)core_.wait_for_turns(deadline);
    return drained;
  }

 private:
  mutable GatewayCore core_;
  Routes routes_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(GatewayOptions options, GatewayParts parts) {
  auto gateway = std::make_unique<HttpGateway>(std::move(options), std::move(parts));
  PANDORA_CHECK(gateway->listen());
  return gateway;
}

}  // namespace pandora
