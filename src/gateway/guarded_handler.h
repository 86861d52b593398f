// A handler behind the guard: identifies, counts, measures, and adds what the client is told of its limits to the
// answer. Inside gateway.
#pragma once
#include <memory>

#include "gateway/gateway_core.h"

namespace pandora {

class GuardedHandler final : public HttpHandler {
 public:
  // `route`: what its requests are counted under; empty: their form in the table of resources.
  GuardedHandler(GatewayCore& core, std::string route, const Needs& needs, std::shared_ptr<GatewayHandler> inner)
      : core_(core), route_(std::move(route)), needs_(needs), inner_(std::move(inner)) {}
  // With the head alone, before there is a body: the refusal, or none.
  std::shared_ptr<const HttpResponse> refusal(const HttpRequest& head) const;
  bool counts() const { return needs_.entry != Entry::kOpen && !core_.guard.is_open(); }
  std::string_view route_of(const HttpRequest& request) const;
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override;

 private:
  void write_uses(const Caller& caller);
  GatewayCore& core_;
  const std::string route_;
  const Needs needs_;
  const std::shared_ptr<GatewayHandler> inner_;
};

}  // namespace pandora
