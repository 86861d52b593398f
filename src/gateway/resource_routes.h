// What of the service is reached over HTTP: a table of paths, each an operation of docs/operations.md. Pure.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/api_key.h"
#include "net/http_types.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::size_t kMaxResourceBodyBytes = 1 << 20;
inline constexpr std::size_t kMaxQueryParameters = 32;

enum class ParameterKind { kText, kInteger, kBoolean };
struct Parameter {
  std::string_view name;
  ParameterKind kind = ParameterKind::kText;
};
struct ResourceRoute {
  std::string_view method, path;  // "/v1/turns/{number}": a name in braces stands for one segment
  std::string_view operation;
  std::vector<Parameter> parameters;  // of the path and of the query
  bool has_body = false;              // a JSON object, whose fields are arguments too
  KeyScope scope = KeyScope::kRead;   // that a key must have
};
std::span<const ResourceRoute> resource_routes();

struct ResourceMatch {
  const ResourceRoute* route = nullptr;    // null: none of this method
  std::string_view form;                   // of the path, as the table has it; empty: it is not known
  std::string allowed;                     // the methods that are, when the path is known; otherwise empty
  std::vector<std::string_view> segments;  // for the names in braces, in order, still percent-encoded
};
// HEAD is answered as GET. `path` outlives the result.
ResourceMatch match_resource(std::string_view method, std::string_view path);

// The operation's arguments. kInvalidArgument: an unknown or doubled parameter, one that is no number, a body that is
// no object.
Result<Json> resource_arguments(const ResourceMatch& match, const HttpRequest& request);

}  // namespace pandora
