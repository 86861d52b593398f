#include "tools/argument_schema.h"

#include <algorithm>

#include <fmt/format.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxSchemaBytes = 64 * 1024;
constexpr std::size_t kMaxFaultBytes = 200;

// "<root>" "[filters]" "[0]" → "filters[0]"
std::string place_of(const std::vector<std::string>& context) {
  std::string place;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view part = context[i];
    if (part.starts_with('[') && part.ends_with(']')) part = part.substr(1, part.size() - 2);
    const bool is_index = !part.empty() && std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c); });
    place += is_index ? fmt::format("[{}]", part) : (place.empty() ? "" : ".") + std::string(part);
  }
  return place;
}

std::size_t depth_of(const Json& value, std::size_t most) {
  if (!value.is_structured() || most == 0) return 0;
  std::size_t deepest = 0;
  for (const auto& inner : value) deepest = std::max(deepest, depth_of(inner, most - 1));
  return deepest + 1;
}

// "query (string), limit? (integer)"
std::string fields_of(const Json& schema) {
  std::string fields;
  const Json properties = schema.value("properties", Json::object()),
             required = schema.value("required", Json::array());
  for (const auto& [name, field] : properties.items()) {
    const bool must = std::ranges::find(required, Json(name)) != required.end();
    const Json type = field.value("type", Json("anything"));
    std::string shown = type.is_string() ? type.get<std::string>() : dump_json(type);
    if (field.contains("enum")) shown = "one of " + dump_json(field["enum"]);
    fields += fmt::format("{}{}{} ({})", fields.empty() ? "" : ", ", name, must ? "" : "?", shown);
  }
  return fields.empty() ? "it takes none: {}" : "it takes " + fields;
}

}  // namespace

struct ArgumentSchema::Compiled {
  std::string tool, fields;
  valijson::Schema schema;
};

Result<ArgumentSchema> ArgumentSchema::parse(std::string_view tool, std::string_view text) {
  auto json = parse_json(text, kMaxSchemaBytes, fmt::format("the schema of {}", tool));
  if (!json) return fail(ErrorCode::kInvalidArgument, json.error().message);
  if (!json->is_object() || json->value("type", "") != "object")
    return fail(ErrorCode::kInvalidArgument, fmt::format("the schema of {} is none of an object", tool));
  auto compiled = std::make_shared<Compiled>();
  compiled->tool = tool;
  compiled->fields = fields_of(*json);
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    const valijson::adapters::NlohmannJsonAdapter adapter(*json);
    parser.populateSchema(adapter, compiled->schema);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("the schema of {}: {}", tool, error.what()));
  }
  return ArgumentSchema(std::move(compiled));
}

Result<Json> ArgumentSchema::read(std::string_view arguments, std::size_t max_bytes) const {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("arguments of {}: {}", compiled_->tool, why),
                compiled_->fields);
  };
  if (arguments.size() > max_bytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("arguments of {} bytes, at most {} are taken", arguments.size(), max_bytes));
  auto given = parse_json(arguments, max_bytes, "the text");
  if (!given) return refused(given.error().message);
  if (!given->is_object()) return refused("they must be a JSON object");
  if (depth_of(*given, kMaxArgumentDepth + 1) > kMaxArgumentDepth)
    return refused(fmt::format("more than {} levels", kMaxArgumentDepth));
  valijson::ValidationResults results;
  try {
    valijson::Validator validator;
    const valijson::adapters::NlohmannJsonAdapter adapter(*given);
    if (validator.validate(compiled_->schema, adapter, &results)) return given;
  } catch (const std::exception& error) {
    return refused(error.what());
  }
  // The innermost first: the outer ones only say that something inside is wrong.
  std::vector<std::string> faults;
  for (const auto& result : results) {
    if (faults.size() == kMaxShownFaults) break;
    const std::string place = place_of(result.context);
    const std::string what = ellipsize(one_line(sanitize_utf8(result.description)), kMaxFaultBytes);
    if (what.starts_with("Failed to validate against")) continue;
    faults.push_back(place.empty() ? what : place + ": " + what);
  }
  if (faults.empty()) faults.emplace_back("they do not fit");
  return refused(fmt::format("{}", fmt::join(faults, " ")));
}

}  // namespace pandora
