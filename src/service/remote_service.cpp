// The wire between two processes of one owner: one request frame {operation, user, arguments}, then any number of
// {"event": …} and one {"result": …} or {"error": {code, message, remedy}}.
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
  Error error{ErrorCode::kInternal, json.value("message", ""), json.value("remedy", "")};
  const std::string name = json.value("code", "");
  for (int i = 0; i < kErrorCodeCount; ++i)
    if (error_info(static_cast<ErrorCode>(i)).name == name) error.code = static_cast<ErrorCode>(i);
  return error;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

class RemoteService final : public Service {
 public:
  explicit RemoteService(std::string path) : path_(std::move(path)) {}

  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) override {
    PANDORA_TRY(connection, connect_local(path_));
    const Json request = {{"operation", call.operation}, {"user", call.user.str()}, {"arguments", call.arguments}};
    PANDORA_CHECK(connection->send(dump(request)));
    for (;;) {
      PANDORA_TRY(frame, connection->receive(deadline));
      Json answer = Json::parse(frame, nullptr, false);
      if (!answer.is_object()) return fail(ErrorCode::kInternal, "the owner of the data directory sent no JSON");
      if (answer.contains("error")) return fail(error_from(answer["error"]));
      if (answer.contains("result")) return answer["result"].get<std::string>();
      observer.event(answer.value("event", ""));
      if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");  // closing tells the other side
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
    const auto result = answer(service, *frame, connection);
    const Json reply = result ? Json{{"result", *result}} : Json{{"error", error_json(result.error())}};
    if (const auto sent = connection.send(dump(reply)); !sent) log_debug("service.caller_left");
  });
}

}  // namespace pandora
