// JSON-RPC 2.0 (jsonrpc.org/specification), the part that MCP uses: ids are strings or whole numbers, parameters are
// objects. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_reader.h"

namespace pandora {

inline constexpr int kRpcParseError = -32700, kRpcInvalidRequest = -32600, kRpcMethodNotFound = -32601,
                     kRpcInvalidParams = -32602, kRpcInternalError = -32603;
inline constexpr std::size_t kMaxRpcMessageBytes = 4 << 20;
inline constexpr std::size_t kMaxRpcBatch = 32;
inline constexpr std::size_t kMaxRpcId = 256;  // bytes of one that is a string

struct RpcFault {
  int code = kRpcInternalError;
  std::string message;
  Json data = {};  // null: none
};

enum class RpcKind {
  kRequest,       // wants a response
  kNotification,  // has no id: nothing is answered
  kResponse,      // to a request of ours
};
struct RpcMessage {
  RpcKind kind = RpcKind::kNotification;
  Json id;                       // a string, a whole number; null of a notification
  std::string method;            // empty of a response
  Json params = Json::object();  // empty when there are none
};

// One message of what came: it makes sense, or there is a fault to be answered, with the id as far as it is known.
struct RpcReading {
  RpcMessage message;
  std::optional<RpcFault> fault;
};
struct RpcInput {
  bool batch = false;                // an array
  std::vector<RpcReading> messages;  // one, unless it is a batch
};
// Never fails: text that is no JSON, or too long, is one reading with a fault, and so is an empty or too long batch.
RpcInput read_rpc(std::string_view text);

// As text without a line break.
std::string rpc_result(const Json& id, const Json& result);
std::string rpc_error(const Json& id, const RpcFault& fault);
std::string rpc_notification(std::string_view method, const Json& params);

}  // namespace pandora
