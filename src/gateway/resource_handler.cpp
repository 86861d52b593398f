#include "gateway/gateway_core.h"
#include "gateway/resource_routes.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

constexpr Duration kOperationTime = std::chrono::seconds(60);

// Work whose client has left ends early.
class LeavingClient final : public CallObserver {
 public:
  explicit LeavingClient(const ResponseWriter& writer) : writer_(writer) {}
  void event(const std::string&) override {}
  bool cancelled() override { return writer_.gone(); }

 private:
  const ResponseWriter& writer_;
};

class ResourceHandler final : public GatewayHandler {
 public:
  explicit ResourceHandler(GatewayCore& core) : core_(core) {}
  void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    const ResourceMatch match = match_resource(request.method, request.path);
    if (!match.route) return writer->respond(method_not_allowed(request.method, match.allowed));
    const auto arguments = resource_arguments(match, request);
    if (!arguments) return writer->respond(error_response(arguments.error()));
    LeavingClient observer(*writer);
    const auto result =
        core_.parts.service->call({std::string(match.route->operation), caller.user, dump_json(*arguments)}, observer,
                                  Deadline::after(core_.parts.clock, kOperationTime));
    if (!result) return writer->respond(error_response(result.error()));
    writer->respond({200, {{"Content-Type", "application/json"}}, *result});
  }

 private:
  GatewayCore& core_;
};

class DescriptionHandler final : public GatewayHandler {
  void handle(HttpRequest, const Caller&, std::shared_ptr<ResponseWriter> writer) override {
    writer->respond({200, {{"Content-Type", "application/yaml"}}, std::string(openapi_description())});
  }
};

}  // namespace

std::unique_ptr<GatewayHandler> make_resource_handler(GatewayCore& core) {
  return std::make_unique<ResourceHandler>(core);
}
std::unique_ptr<GatewayHandler> make_description_handler() { return std::make_unique<DescriptionHandler>(); }

}  // namespace pandora
