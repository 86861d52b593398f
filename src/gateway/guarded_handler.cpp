#include "gateway/guarded_handler.h"

#include <atomic>

#include "base/log.h"
#include "gateway/resource_routes.h"

namespace pandora {
namespace {

constexpr Duration kUsesPatience = std::chrono::seconds(5);

// Adds headers, and counts the answer when it is complete or given up. That may be after the gateway has ended: of what
// belongs to it nothing is used.
class GuardedWriter final : public ResponseWriter {
 public:
  GuardedWriter(std::shared_ptr<ResponseWriter> inner, const GatewayParts& parts, std::string_view route,
                std::string method)
      : inner_(std::move(inner)),
        metrics_(parts.metrics),
        clock_(parts.clock),
        route_(route),
        method_(std::move(method)),
        begun_(clock_.steady()) {}
  ~GuardedWriter() override {
    if (metrics_)
      metrics_->http_request(route_, method_, status_, std::chrono::duration_cast<Duration>(clock_.steady() - begun_));
  }
  void tell(HttpHeaders headers) { headers_ = std::move(headers); }
  void respond(HttpResponse response) override {
    status_ = response.status;
    for (const auto& header : headers_) response.headers.add(header.name, header.value);
    inner_->respond(std::move(response));
  }
  void start(int status, HttpHeaders headers) override {
    status_ = status;
    for (const auto& header : headers_) headers.add(header.name, header.value);
    inner_->start(status, std::move(headers));
  }
  WriteState write(std::string_view bytes) override { return inner_->write(bytes); }
  void finish() override { inner_->finish(); }
  bool gone() const override { return inner_->gone(); }
  void when_gone(std::function<void()> call) override { inner_->when_gone(std::move(call)); }
  void when_writable(std::function<void()> call) override { inner_->when_writable(std::move(call)); }
  Status wait_writable(const Deadline& deadline) override { return inner_->wait_writable(deadline); }

 private:
  const std::shared_ptr<ResponseWriter> inner_;
  Metrics* const metrics_;
  const Clock& clock_;
  const std::string route_;
  const std::string method_;
  const SteadyTime begun_;
  std::atomic<int> status_ = 500;  // of who drops it without an answer
  HttpHeaders headers_;
};

}  // namespace

std::shared_ptr<const HttpResponse> GuardedHandler::refusal(const HttpRequest& head) const {
  auto caller = core_.guard.identify(head, needs_);
  return caller ? nullptr : std::make_shared<const HttpResponse>(std::move(caller).error());
}

std::string_view GuardedHandler::route_of(const HttpRequest& request) const {
  return route_.empty() ? match_resource(request.method, request.path).form : std::string_view(route_);
}

void GuardedHandler::handle(HttpRequest request, std::shared_ptr<ResponseWriter> inner) {
  const auto writer = std::make_shared<GuardedWriter>(std::move(inner), core_.parts, route_of(request), request.method);
  const auto caller = core_.guard.identify(request, needs_);  // once more: it may have been revoked while the body came
  if (!caller) return writer->respond(caller.error());
  if (counts()) {
    auto headers = core_.guard.count(*caller);
    if (!headers) return writer->respond(std::move(headers).error());
    writer->tell(*std::move(headers));
    write_uses(*caller);
  }
  inner_->handle(std::move(request), *caller, writer);
}

void GuardedHandler::write_uses(const Caller& caller) {
  if (!caller.key || !core_.parts.keys->uses_are_due()) return;
  const bool taken = core_.pool->submit([&core = core_] {
    const Status written = core.parts.keys->write_uses(Deadline::after(core.parts.clock, kUsesPatience));
    if (!written) log_warn("keys.uses_not_written", {{"why", written.error().to_line()}});
  });
  if (!taken) log_debug("keys.uses_not_written", {{"why", "the pool is full"}});
}

}  // namespace pandora
