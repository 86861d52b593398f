#include "gateway/guarded_handler.h"

#include "base/log.h"

namespace pandora {
namespace {

constexpr Duration kUsesPatience = std::chrono::seconds(5);

class TellingWriter final : public ResponseWriter {
 public:
  TellingWriter(std::shared_ptr<ResponseWriter> inner, HttpHeaders headers)
      : inner_(std::move(inner)), headers_(std::move(headers)) {}
  void respond(HttpResponse response) override {
    for (const auto& header : headers_) response.headers.add(header.name, header.value);
    inner_->respond(std::move(response));
  }
  void start(int status, HttpHeaders headers) override {
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
  const HttpHeaders headers_;
};

}  // namespace

std::shared_ptr<const HttpResponse> GuardedHandler::refusal(const HttpRequest& head) const {
  auto caller = core_.guard.identify(head, needs_);
  return caller ? nullptr : std::make_shared<const HttpResponse>(std::move(caller).error());
}

void GuardedHandler::handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) {
  const auto caller = core_.guard.identify(request, needs_);  // once more: it may have been revoked while the body came
  if (!caller) return writer->respond(caller.error());
  auto headers = core_.guard.count(*caller);
  if (!headers) return writer->respond(std::move(headers).error());
  if (headers->size() > 0) writer = std::make_shared<TellingWriter>(std::move(writer), *std::move(headers));
  write_uses(*caller);
  inner_->handle(std::move(request), *caller, std::move(writer));
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
