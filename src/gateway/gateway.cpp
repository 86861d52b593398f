#include "gateway/gateway.h"

#include <fmt/format.h>

#include "gateway/gateway_core.h"
#include "gateway/guarded_handler.h"
#include "gateway/progress_path.h"
#include "gateway/resource_routes.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

constexpr std::size_t kNoBody = 0;
constexpr std::string_view kOneModel = "/v1/models/";

struct Endpoint {
  std::string method, allowed;  // GET answers HEAD as well
  GuardedHandler handler;
  std::size_t max_body_bytes;
  RunOn run_on;
};

class Routes final : public HttpRouter {
 public:
  explicit Routes(GatewayCore& core) : core_(core) {
    const Needs chat = Needs::of(KeyScope::kChat);
    chat_ =
        &add("/v1/chat/completions", "POST", chat, make_chat_handler(core), core.options.chat_body_bytes, RunOn::kPool);
    models_ = &add("/v1/models", "GET", chat, make_models_handler(core), kNoBody, RunOn::kPool);
    add("/v1/embeddings", "POST", chat, make_embeddings_handler(core), kMaxEmbeddingBodyBytes, RunOn::kPool);
    add("/openapi.yaml", "GET", Needs::nothing(), make_description_handler(), kNoBody, RunOn::kLoop);
    add("/health/live", "GET", Needs::nothing(), make_live_handler(), kNoBody, RunOn::kLoop);
    add("/health/ready", "GET", Needs::nothing(), make_ready_handler(core), kNoBody, RunOn::kPool);
    for (const auto& mount : core.parts.mounts)
      mounts_.emplace(mount.path, Mounted{GuardedHandler(core, mount.path, Needs::of(mount.scope), mount.handler),
                                          mount.max_body_bytes, mount.run_on});
    if (core.parts.metrics)
      add("/metrics", "GET", Needs::of(KeyScope::kMetrics), make_metrics_handler(core), kNoBody, RunOn::kPool);
    if (core.parts.board)
      progress_ = &add(std::string(kProgressPath), "GET", Needs::of(KeyScope::kRead), make_progress_handler(core),
                       kNoBody, RunOn::kPool);
    if (!core.parts.service) return;
    const std::shared_ptr<GatewayHandler> resources = make_resource_handler(core);
    for (const auto& resource : resource_routes())
      resources_.try_emplace(resource.scope, core, "", Needs::of(resource.scope), resources);
  }

  Result<HttpRoute> route(const HttpRequest& head) override {
    if (const auto mount = mounts_.find(head.path); mount != mounts_.end())
      return guarded(head, mount->second.handler, mount->second.run_on, mount->second.max_body_bytes);
    const auto found = endpoints_.find(head.path);
    Endpoint* endpoint = found != endpoints_.end() ? &found->second : nullptr;
    if (!endpoint && head.path.starts_with(kOneModel) && head.path.size() > kOneModel.size()) endpoint = models_;
    if (!endpoint && !turn_of_progress_path(head.path).empty()) endpoint = progress_;
    if (!endpoint && !resources_.empty()) {
      const ResourceMatch match = match_resource(head.method, head.path);
      if (!match.allowed.empty())
        return guarded(head, resources_.at(match.route ? match.route->scope : KeyScope::kRead), RunOn::kPool,
                       kMaxResourceBodyBytes);
    }
    if (!endpoint) {
      // Who may not come in is not told what there is.
      auto known = core_.guard.identify(head, Needs::a_key());
      if (!known) return refused(head, kOtherLabel, std::make_shared<const HttpResponse>(std::move(known).error()));
      const Error nothing{ErrorCode::kNotFound, fmt::format("nothing is at {}", head.path),
                          "see docs/api.md for what there is"};
      return refused(head, kOtherLabel, std::make_shared<const HttpResponse>(error_response(nothing)));
    }
    const bool fits = head.method == endpoint->method || (head.method == "HEAD" && endpoint->method == "GET");
    const RunOn run_on = endpoint == chat_ && has_small_body(head, kSmallBodyBytes) ? RunOn::kLoop : endpoint->run_on;
    HttpRoute route = guarded(head, endpoint->handler, run_on, endpoint->max_body_bytes);
    if (!fits && !route.refusal)
      return refused(head, endpoint->handler.route_of(head),
                     std::make_shared<const HttpResponse>(method_not_allowed(head.method, endpoint->allowed)));
    return route;
  }

 private:
  HttpRoute refused(const HttpRequest& head, std::string_view route, std::shared_ptr<const HttpResponse> refusal) {
    if (core_.parts.metrics) core_.parts.metrics->http_request(route, head.method, refusal->status, Duration(0));
    return {nullptr, RunOn::kLoop, 0, std::move(refusal)};
  }
  HttpRoute guarded(const HttpRequest& head, GuardedHandler& handler, RunOn run_on, std::size_t max_body_bytes) {
    if (auto refusal = handler.refusal(head)) return refused(head, handler.route_of(head), std::move(refusal));
    // Counting what a key may ask may wait for a server.
    const bool may_wait = handler.counts() && core_.parts.cache && core_.parts.cache->may_wait();
    return {&handler, may_wait ? RunOn::kPool : run_on, max_body_bytes, nullptr};
  }
  Endpoint& add(const std::string& path, const char* method, const Needs& needs,
                std::unique_ptr<GatewayHandler> handler, std::size_t max_body_bytes, RunOn run_on) {
    const std::string allowed = std::string_view(method) == "GET" ? "GET, HEAD" : method;
    return endpoints_
        .emplace(path, Endpoint{method, allowed, GuardedHandler(core_, path, needs, std::move(handler)), max_body_bytes,
                                run_on})
        .first->second;
  }

  struct Mounted {
    GuardedHandler handler;
    std::size_t max_body_bytes;
    RunOn run_on;
  };
  GatewayCore& core_;
  std::map<std::string, Mounted, std::less<>> mounts_;
  std::map<std::string, Endpoint, std::less<>> endpoints_;
  Endpoint *chat_ = nullptr, *models_ = nullptr, *progress_ = nullptr;
  std::map<KeyScope, GuardedHandler> resources_;  // by what they ask of a key
};

class HttpGateway final : public Gateway {
 public:
  HttpGateway(GatewayOptions options, GatewayParts parts)
      : core_(std::move(options), std::move(parts)), routes_(core_) {}

  Status listen() {
    PANDORA_TRY(server, HttpServer::listen(core_.options.server, core_.parts.threads, routes_, core_.parts.random));
    server_ = std::move(server);
    if (core_.parts.metrics)
      figures_ = core_.parts.metrics->add_source([this](std::vector<Sample>& samples) { add_samples(samples); });
    return {};
  }
  // Cutting the connections cancels their turns; they are saved before the rest goes.
  ~HttpGateway() override {
    {
      const std::lock_guard lock(core_.mutex);
      core_.ending = true;
    }
    figures_.reset();
    server_.reset();
    (void)core_.wait_for_turns(Deadline::never());
    core_.save_pool.reset();
    core_.tool_pool.reset();
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
  void add_samples(std::vector<Sample>& samples) const {
    const HttpServerStats found = server_->stats();
    const auto add = [&](const char* name, const char* help, SampleType type, auto value) {
      samples.push_back({name, help, type, {}, static_cast<double>(value)});
    };
    using enum SampleType;
    add("pandora_http_connections", "Open connections", kGauge, found.connections);
    add("pandora_http_requests_in_flight", "Requests taken up and not yet answered", kGauge, found.in_flight);
    add("pandora_http_requests_queued", "Requests that wait for a thread", kGauge, found.queued);
    add("pandora_http_buffered_body_bytes", "Bodies of requests in memory", kGauge, found.buffered_body_bytes);
    add("pandora_http_connections_total", "Connections that were accepted", kCounter, found.accepted);
    add("pandora_http_refused_total", "Connections and requests that no handler saw", kCounter, found.refused);
    add("pandora_http_cut_off_total", "Connections that were too slow, or broken off", kCounter, found.cut_off);
    add("pandora_turns_under_way", "Turns that are answered or saved", kGauge, turns_under_way());
    if (!core_.parts.keys) return;
    std::size_t usable = 0;
    std::optional<Timestamp> oldest;
    const Timestamp now = core_.parts.clock.now();
    for (const auto& key : core_.parts.keys->list())
      if (is_usable(key, now)) ++usable, oldest = std::min(oldest.value_or(now), key.created_at);
    add("pandora_keys", "Keys of the API that can be used", kGauge, usable);
    if (oldest)
      samples.push_back({"pandora_secret_age_seconds",
                         "Age of the oldest secret of its kind",
                         kGauge,
                         {{"secret", "api_key"}},
                         std::chrono::duration<double>(now - *oldest).count()});
  }

  mutable GatewayCore core_;
  Routes routes_;
  std::unique_ptr<Metrics::Added> figures_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(GatewayOptions options, GatewayParts parts) {
  if (parts.keys && (parts.keys->has_usable() || !parts.keys->is_complete()))
    options.server.beyond_loopback = BeyondLoopback::kKeysAreConfigured;
  auto gateway = std::make_unique<HttpGateway>(std::move(options), std::move(parts));
  PANDORA_CHECK(gateway->listen());
  return gateway;
}

}  // namespace pandora
