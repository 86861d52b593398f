#include "base/text.h"
#include "gateway/gateway_core.h"
#include "gateway/readiness.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

std::string_view name_of(HealthState state) {
  return state == HealthState::kReady ? "ready" : state == HealthState::kDegraded ? "degraded" : "down";
}

class LookingProbe final : public HealthProbe {
 public:
  LookingProbe(std::string name, HealthState when_failing, const Clock& clock,
               std::function<Status(const Deadline&)> look)
      : name_(std::move(name)), when_failing_(when_failing), clock_(clock), look_(std::move(look)) {}
  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override {
    const SteadyTime begin = clock_.steady();
    const auto took = [&] { return std::chrono::duration_cast<Duration>(clock_.steady() - begin); };
    if (deadline.expired()) return {HealthState::kDown, took(), "not asked: no time was left"};
    const Status found = look_(deadline);
    if (found) return {HealthState::kReady, took(), ""};
    return {when_failing_, took(), found.error().to_line()};
  }

 private:
  const std::string name_;
  const HealthState when_failing_;
  const Clock& clock_;
  const std::function<Status(const Deadline&)> look_;
};

class LiveHandler final : public GatewayHandler {
  void handle(HttpRequest, const Caller&, std::shared_ptr<ResponseWriter> writer) override {
    writer->respond(json_response({{"status", "live"}}));
  }
};

// A stranger who may ask whether it is ready is not told of what.
class ReadyHandler final : public GatewayHandler {
 public:
  explicit ReadyHandler(GatewayCore& core) : core_(core), readiness_(core.parts.probes, core.parts.clock) {}
  void handle(HttpRequest, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    const Readiness::Answer found = readiness_.look();
    Json dependencies = Json::array();
    for (const auto& [name, health] : found.dependencies) {
      if (core_.parts.metrics) core_.parts.metrics->probed(name, health.state == HealthState::kReady, health.latency);
      dependencies.push_back({{"name", name},
                              {"state", name_of(health.state)},
                              {"latency_ms", static_cast<double>(health.latency.count()) / 1e3},
                              {"detail", health.detail.empty() ? Json() : Json(health.detail)}});
    }
    Json answer = {{"status", name_of(found.worst)}};
    if (caller.is_known()) answer["dependencies"] = std::move(dependencies);
    writer->respond(json_response(answer, found.worst == HealthState::kDown ? 503 : 200));
  }

 private:
  GatewayCore& core_;
  Readiness readiness_;
};

class MetricsHandler final : public GatewayHandler {
 public:
  explicit MetricsHandler(GatewayCore& core) : core_(core) {}
  void handle(HttpRequest, const Caller&, std::shared_ptr<ResponseWriter> writer) override {
    writer->respond({200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, core_.parts.metrics->text()});
  }

 private:
  GatewayCore& core_;
};

}  // namespace

std::unique_ptr<GatewayHandler> make_metrics_handler(GatewayCore& core) {
  return std::make_unique<MetricsHandler>(core);
}
std::unique_ptr<GatewayHandler> make_live_handler() { return std::make_unique<LiveHandler>(); }
std::unique_ptr<GatewayHandler> make_ready_handler(GatewayCore& core) { return std::make_unique<ReadyHandler>(core); }

std::unique_ptr<HealthProbe> make_probe(std::string name, HealthState when_failing, const Clock& clock,
                                        std::function<Status(const Deadline&)> look) {
  return std::make_unique<LookingProbe>(std::move(name), when_failing, clock, std::move(look));
}

}  // namespace pandora
