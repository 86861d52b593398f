#include "wire/json_rpc.h"

#include <fmt/format.h>

namespace pandora {
namespace {

bool is_id(const Json& json) {
  return json.is_number_integer() || (json.is_string() && json.get_ref<const std::string&>().size() <= kMaxRpcId);
}

RpcReading refused(Json id, int code, std::string message) {
  RpcReading reading;
  reading.message.id = std::move(id);
  reading.fault = RpcFault{code, std::move(message)};
  return reading;
}

RpcReading read_one(Json json) {
  if (!json.is_object()) return refused({}, kRpcInvalidRequest, "a message must be an object");
  const auto given = json.find("id");
  const bool has_id = given != json.end();
  Json id = has_id && is_id(*given) ? *given : Json();
  const auto wrong = [&](std::string message) { return refused(id, kRpcInvalidRequest, std::move(message)); };
  const auto version = json.find("jsonrpc");
  if (version == json.end() || *version != "2.0") return wrong("\"jsonrpc\" must be \"2.0\"");
  RpcReading reading;
  RpcMessage& message = reading.message;
  const auto method = json.find("method");
  if (method == json.end()) {
    // An error may answer something whose id nobody could read.
    const bool failed = json.contains("error");
    if (failed == json.contains("result")) return wrong("\"method\" is missing");
    if (!has_id || (id.is_null() && !(failed && given->is_null())))
      return wrong("\"id\" must be a string or a whole number");
    message.kind = RpcKind::kResponse;
    message.id = std::move(id);
    return reading;
  }
  if (!method->is_string()) return wrong("\"method\" must be a string");
  if (has_id && id.is_null())
    return wrong(fmt::format("\"id\" must be a string of at most {} bytes or a whole number", kMaxRpcId));
  message.kind = has_id ? RpcKind::kRequest : RpcKind::kNotification;
  message.id = std::move(id);
  message.method = method->get<std::string>();
  const auto params = json.find("params");
  if (params == json.end()) return reading;
  if (!params->is_object()) {
    reading.fault = RpcFault{kRpcInvalidParams, "\"params\" must be an object"};
    return reading;
  }
  message.params = std::move(*params);
  return reading;
}

}  // namespace

RpcInput read_rpc(std::string_view text) {
  RpcInput input;
  auto json = parse_json(text, kMaxRpcMessageBytes, "message");
  if (!json) {
    const bool too_large = json.error().code == ErrorCode::kTooLarge;
    input.messages.push_back(refused({}, too_large ? kRpcInvalidRequest : kRpcParseError, json.error().message));
    return input;
  }
  if (!json->is_array()) {
    input.messages.push_back(read_one(*std::move(json)));
    return input;
  }
  if (json->empty() || json->size() > kMaxRpcBatch) {
    input.messages.push_back(refused(
        {}, kRpcInvalidRequest, fmt::format("a batch holds 1 to {} messages, not {}", kMaxRpcBatch, json->size())));
    return input;
  }
  input.batch = true;
  for (auto& one : *json) input.messages.push_back(read_one(std::move(one)));
  return input;
}

std::string rpc_result(const Json& id, const Json& result) {
  return dump_json({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}

std::string rpc_error(const Json& id, const RpcFault& fault) {
  Json error = {{"code", fault.code}, {"message", fault.message}};
  if (!fault.data.is_null()) error["data"] = fault.data;
  return dump_json({{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}});
}

std::string rpc_notification(std::string_view method, const Json& params) {
  return dump_json({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}});
}

}  // namespace pandora
