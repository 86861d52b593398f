#include "wire/qdrant_read.h"

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

constexpr std::size_t kMaxShown = 100;  // bytes of a value, in a message

std::string describe(JsonNode node) {
  const std::string_view raw = node.raw().substr(0, kMaxShown);
  switch (node.kind()) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kTrue:
    case JsonKind::kFalse:
      return fmt::format("boolean `{}`", raw);
    case JsonKind::kNumber:
      return fmt::format("{} `{}`", node.integer() || node.unsigned_integer() ? "integer" : "floating point", raw);
    case JsonKind::kString:
    case JsonKind::kEscaped:
      return fmt::format("string {}", raw);
    case JsonKind::kArray:
      return "sequence";
    default:
      return "map";
  }
}

}  // namespace

Fault invalid_type(JsonNode node, std::string_view expected) {
  return bad_format(fmt::format("invalid type: {}, expected {}", describe(node), expected));
}

Outcome<JsonNode> required(JsonNode object, const char* name) {
  if (!object.is_object()) return fail(invalid_type(object, "a map"));
  const JsonNode found = object.find(name);
  if (!found) return fail(bad_format(fmt::format("missing field `{}`", name)));
  return found;
}

JsonNode optional_member(JsonNode object, const char* name) {
  const JsonNode found = object.find(name);
  return found && !found.is_null() ? found : JsonNode();
}

Outcome<std::size_t> read_size(JsonNode node) {
  if (const auto size = node.unsigned_integer()) return static_cast<std::size_t>(*size);
  if (node.integer()) return fail(bad_format(fmt::format("invalid value: integer `{}`, expected usize", node.raw())));
  return fail(invalid_type(node, "usize"));
}

Outcome<bool> read_bool(JsonNode node) {
  if (!node.is_bool()) return fail(invalid_type(node, "a boolean"));
  return node.kind() == JsonKind::kTrue;
}

Outcome<float> read_float(JsonNode node) {
  if (!node.is_number()) return fail(invalid_type(node, "f32"));
  return static_cast<float>(node.number());
}

Outcome<std::string> read_string(JsonNode node) {
  if (!node.is_string()) return fail(invalid_type(node, "a string"));
  return node.text();
}

Outcome<Timestamp> read_time(JsonNode node) {
  const std::string text = node.is_string() ? node.text() : std::string(node.raw().substr(0, kMaxShown));
  auto time = node.is_string() ? parse_iso8601(text) : Result<Timestamp>(fail(ErrorCode::kInvalidArgument, ""));
  if (!time)
    return fail(bad_format(
        fmt::format("'{}' does not match accepted datetime format (RFC3339). Example: 2014-01-01T00:00:00Z", text)));
  return *time;
}

Outcome<std::string> required_string(JsonNode object, const char* name) {
  PANDORA_TRY(node, required(object, name));
  return read_string(node);
}

Outcome<void> refuse_shard_key(JsonNode object) {
  if (object.is_object() && optional_member(object, "shard_key")) return fail(not_served("shards by key"));
  return {};
}

}  // namespace pandora::qdrant
