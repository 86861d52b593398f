#include "wire/json_reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {

namespace {

// How deep brackets nest in it, strings left out; what is no JSON may give any number. Many times quicker than a parser
// that is asked at every value.
int depth_of(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[')) {
      deepest = std::max(deepest, ++depth);
    } else if (!in_string && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return deepest;
}

constexpr std::size_t kUsualFields = 24;  // of an object

// What the two kinds of a document call by other names.
const Json* find(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}
std::optional<JsonNode> find(JsonNode object, const char* name) {
  const JsonNode found = object.find(name);
  return found ? std::optional(found) : std::nullopt;
}
std::string text_of(const Json& text) { return text.get<std::string>(); }
std::string text_of(JsonNode text) { return text.text(); }
std::optional<std::int64_t> integer_of(const Json& json) {
  const bool fits =
      json.is_number_integer() && !(json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  return fits ? std::optional(json.get<std::int64_t>()) : std::nullopt;
}
std::optional<std::int64_t> integer_of(JsonNode json) { return json.is_number() ? json.integer() : std::nullopt; }
std::optional<double> number_of(const Json& json) {
  return json.is_number() ? std::optional(json.get<double>()) : std::nullopt;
}
std::optional<double> number_of(JsonNode json) {
  const bool fits = json.is_number() && std::isfinite(json.number());
  return fits ? std::optional(json.number()) : std::nullopt;
}
std::optional<bool> boolean_of(const Json& json) {
  return json.is_boolean() ? std::optional(json.get<bool>()) : std::nullopt;
}
std::optional<bool> boolean_of(JsonNode json) {
  return json.is_bool() ? std::optional(json.kind() == JsonKind::kTrue) : std::nullopt;
}
template <class Take>
void for_each_name(const Json& object, Take take) {
  for (const auto& [name, value] : object.items()) take(name);
}
template <class Take>
void for_each_name(JsonNode object, Take take) {
  for (JsonNode name = object.first(); name; name = name.next().next()) take(name.text());
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::size_t max_bytes, std::string_view what) {
  constexpr int kMaxDepth = 64;  // nothing of ours nests deeper; a stranger's JSON must not exhaust the stack
  if (text.size() > max_bytes)
    return fail(ErrorCode::kTooLarge, fmt::format("{} of {} bytes, at most {} are read", what, text.size(), max_bytes));
  if (depth_of(text) > kMaxDepth)
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} nests deeper than {}", what, kMaxDepth));
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} is no JSON from byte {}", what, error.byte));
  } catch (const Json::exception&) {
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} holds a number that is out of range", what));
  }
}

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <class Node>
BasicJsonReader<Node>::BasicJsonReader(const Node& json, std::string place, ErrorCode code)
    : json_(json), place_(std::move(place)), code_(code) {
  asked_.reserve(kUsualFields);
  if (!json_.is_object()) error_ = Error{code_, fmt::format("{} must be an object", place_), {}};
}

template <class Node>
void BasicJsonReader<Node>::fault(std::string_view name, std::string_view what, std::string_view remedy) {
  if (!error_) error_ = Error{code_, fmt::format("{}.{}: {}", place_, name, what), std::string(remedy)};
}

template <class Node>
void BasicJsonReader<Node>::absorb(Status status) {
  if (!error_ && !status) error_ = std::move(status).error();
}

template <class Node>
auto BasicJsonReader<Node>::field(const char* name, bool required) -> Field {
  asked_.push_back(name);
  if (error_) return {};
  const Field found = find(json_, name);
  if (found && !found->is_null()) return found;
  if (required) fault(name, "is missing");
  return {};
}

template <class Node>
std::string BasicJsonReader<Node>::text(const char* name) {
  const Field found = field(name, true);
  if (!found) return {};
  if (found->is_string()) return text_of(*found);
  fault(name, "must be a string");
  return {};
}

template <class Node>
std::optional<std::string> BasicJsonReader<Node>::optional_text(const char* name) {
  if (!field(name, false)) return std::nullopt;
  return text(name);
}

template <class Node>
std::string BasicJsonReader<Node>::text_or(const char* name, std::string fallback) {
  return optional_text(name).value_or(std::move(fallback));
}

template <class Node>
std::int64_t BasicJsonReader<Node>::integer(const char* name) {
  const Field found = field(name, true);
  if (!found) return 0;
  if (const auto value = integer_of(*found)) return *value;
  fault(name, "must be a whole number");
  return 0;
}

template <class Node>
std::int64_t BasicJsonReader<Node>::integer_or(const char* name, std::int64_t fallback) {
  return field(name, false) ? integer(name) : fallback;
}

template <class Node>
double BasicJsonReader<Node>::number(const char* name) {
  const Field found = field(name, true);
  if (!found) return 0;
  if (const auto value = number_of(*found)) return *value;
  fault(name, "must be a number");
  return 0;
}

template <class Node>
bool BasicJsonReader<Node>::boolean(const char* name) {
  const Field found = field(name, true);
  if (!found) return false;
  if (const auto value = boolean_of(*found)) return *value;
  fault(name, "must be true or false");
  return false;
}

template <class Node>
bool BasicJsonReader<Node>::boolean_or(const char* name, bool fallback) {
  return field(name, false) ? boolean(name) : fallback;
}

template <class Node>
std::vector<std::string> BasicJsonReader<Node>::texts(const char* name) {
  std::vector<std::string> values;
  const Field items = array(name);
  if (!items) return values;
  for_each_value(*items, [&](const Node& item) {
    if (item.is_string())
      values.push_back(text_of(item));
    else
      fault(name, "must hold strings only");
  });
  return ok() ? values : std::vector<std::string>();
}

template <class Node>
auto BasicJsonReader<Node>::array(const char* name) -> Field {
  const Field found = field(name, true);
  if (found && !found->is_array()) return fault(name, "must be an array"), Field();
  return found;
}

template <class Node>
auto BasicJsonReader<Node>::object(const char* name) -> Field {
  const Field found = field(name, true);
  if (found && !found->is_object()) return fault(name, "must be an object"), Field();
  return found;
}

template <class Node>
auto BasicJsonReader<Node>::any(const char* name) -> Field {
  return field(name, false);
}

template <class Node>
Status BasicJsonReader<Node>::finish() {
  if (!error_)
    for_each_name(json_, [&](const std::string& name) {
      if (std::ranges::find(asked_, name) == asked_.end()) fault(ellipsize(name, 64), "is no field of it");
    });
  if (error_) return fail(*error_);
  return {};
}

template class BasicJsonReader<Json>;
template class BasicJsonReader<JsonNode>;

}  // namespace pandora
