// The wire between two processes of one user: one request frame {operation, user, arguments}; the owner answers
// {"accepted": true} once it has it, then any number of {"event": …} and one {"result": …} or {"error": {code, message,
// remedy}}. An owner that ends finishes what it accepted.
#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "service/service.h"

namespace pandora {
namespace {

using Json = nlohmann::json;

Json error_json(const Error& error) {
  return {{"code", error_info(error.code).name}, {"message", error.message}, {"remedy", error.remedy}};
}

Error error_from(const Json& json) {
  return {error_code_named(json.value("code", "")), json.value("message", ""), json.value("remedy", "")};
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

class RemoteService final : public Service {
 public:
  explicit RemoteService(std::string path) : path_(std::move(path)) {}

  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) override {
    const auto gone = [] { return fail(ErrorCode::kUnavailable, std::string(kOwnerGone), "try again"); };
    auto connected = connect_local(path_);
    if (!connected && connected.error().code == ErrorCode::kNotFound) return gone();
    if (!connected) return fail(std::move(connected).error());
    const auto connection = *std::move(connected);
    const Json request = {{"operation", call.operation}, {"user", call.user.str()}, {"arguments", call.arguments}};
    const Status sent = connection->send(dump(request));
    if (!sent && sent.error().code == ErrorCode::kCancelled) return gone();
    PANDORA_CHECK(sent);
    constexpr Duration kLook = std::chrono::milliseconds(100);
    for (bool accepted = false;;) {
      while (!connection->has_input(std::min(kLook, deadline.remaining())) && !deadline.expired())
        if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");  // closing tells the other side
      auto frame = connection->receive(deadline);
      const bool ended =
          !frame && (frame.error().code == ErrorCode::kCancelled || frame.error().code == ErrorCode::kUnavailable);
      if (ended && !accepted) return gone();
      if (ended)
        return fail(ErrorCode::kUnavailable, "the owner of the data directory died while it worked on this",
                    "look whether it was done, then try again");
      if (!frame) return fail(std::move(frame).error());
      Json answer = Json::parse(*frame, nullptr, false);
      if (!answer.is_object()) return fail(ErrorCode::kInternal, "the owner of the data directory sent no JSON");
      if (answer.contains("error")) return fail(error_from(answer["error"]));
      if (answer.contains("result")) return answer["result"].get<std::string>();
      accepted = true;
      if (answer.contains("event")) observer.event(answer["event"].get<std::string>());
      if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
    }
  }

 private:
  std::string path_;
};

class SocketObserver final : public CallObserver {
 public:
  explicit SocketObserver(LocalConnection& connection) : connection_(connection) {}
  void event(const std::string& json) override {
    if (!connection_.send(dump({{"event", json}}))) left_ = true;
  }
  bool cancelled() override { return left_ || connection_.peer_left(); }

 private:
  LocalConnection& connection_;
  bool left_ = false;
};

Result<std::string> answer(Service& service, const std::string& frame, LocalConnection& connection) {
  const Json request = Json::parse(frame, nullptr, false);
  if (!request.is_object() || !request.contains("operation") || !request["operation"].is_string() ||
      !request.contains("user") || !request["user"].is_string() || !request.contains("arguments") ||
      !request["arguments"].is_string())
    return fail(ErrorCode::kInvalidArgument, "a request has operation, user and arguments");
  PANDORA_TRY(user, UserId::parse(request["user"].get<std::string>()));
  SocketObserver observer(connection);
  return service.call({request["operation"], user, request["arguments"]}, observer, Deadline::never());
}

}  // namespace

Result<std::unique_ptr<Service>> make_remote_service(const std::string& socket_path) {
  PANDORA_TRY(probe, connect_local(socket_path));
  return std::make_unique<RemoteService>(socket_path);
}

Result<std::unique_ptr<LocalServer>> serve_locally(const std::string& socket_path, Service& service) {
  return LocalServer::listen(socket_path, [&service](LocalConnection& connection) {
    const auto frame = connection.receive(Deadline::never());
    if (!frame) return;  // a probe: it only asked whether somebody is here
    if (!connection.send(dump({{"accepted", true}}))) return;
    const auto result = answer(service, *frame, connection);
    const Json reply = result ? Json{{"result", *result}} : Json{{"error", error_json(result.error())}};
    if (const auto sent = connection.send(dump(reply)); !sent) log_debug("service.caller_left");
  });
}

}  // namespace pandora
