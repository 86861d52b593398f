#include "wire/json_reader.h"

#include <algorithm>

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

JsonReader::JsonReader(const Json& json, std::string place, ErrorCode code)
    : json_(json), place_(std::move(place)), code_(code) {
  if (!json_.is_object()) error_ = Error{code_, fmt::format("{} must be an object", place_), {}};
}

void JsonReader::fault(std::string_view name, std::string_view what, std::string_view remedy) {
  if (!error_) error_ = Error{code_, fmt::format("{}.{}: {}", place_, name, what), std::string(remedy)};
}

void JsonReader::absorb(Status status) {
  if (!error_ && !status) error_ = std::move(status).error();
}

const Json* JsonReader::field(const char* name, bool required) {
  asked_.push_back(name);
  if (error_) return nullptr;
  const auto found = json_.find(name);
  if (found == json_.end() || found->is_null()) {
    if (required) fault(name, "is missing");
    return nullptr;
  }
  return &*found;
}

std::string JsonReader::text(const char* name) {
  const Json* found = field(name, true);
  if (!found) return {};
  if (found->is_string()) return found->get<std::string>();
  fault(name, "must be a string");
  return {};
}

std::optional<std::string> JsonReader::optional_text(const char* name) {
  if (!field(name, false)) return std::nullopt;
  return text(name);
}

std::string JsonReader::text_or(const char* name, std::string fallback) {
  return optional_text(name).value_or(std::move(fallback));
}

std::int64_t JsonReader::integer(const char* name) {
  const Json* found = field(name, true);
  if (!found) return 0;
  const bool fits = found->is_number_integer() &&
                    !(found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (fits) return found->get<std::int64_t>();
  fault(name, "must be a whole number");
  return 0;
}

std::int64_t JsonReader::integer_or(const char* name, std::int64_t fallback) {
  return field(name, false) ? integer(name) : fallback;
}

double JsonReader::number(const char* name) {
  const Json* found = field(name, true);
  if (!found) return 0;
  if (found->is_number()) return found->get<double>();
  fault(name, "must be a number");
  return 0;
}

bool JsonReader::boolean(const char* name) {
  const Json* found = field(name, true);
  if (!found) return false;
  if (found->is_boolean()) return found->get<bool>();
  fault(name, "must be true or false");
  return false;
}

bool JsonReader::boolean_or(const char* name, bool fallback) { return field(name, false) ? boolean(name) : fallback; }

std::vector<std::string> JsonReader::texts(const char* name) {
  std::vector<std::string> values;
  const Json* items = array(name);
  if (!items) return values;
  for (const auto& item : *items) {
    if (!item.is_string()) {
      fault(name, "must hold strings only");
      return {};
    }
    values.push_back(item.get<std::string>());
  }
  return values;
}

const Json* JsonReader::array(const char* name) {
  const Json* found = field(name, true);
  if (found && !found->is_array()) return fault(name, "must be an array"), nullptr;
  return found;
}

const Json* JsonReader::object(const char* name) {
  const Json* found = field(name, true);
  if (found && !found->is_object()) return fault(name, "must be an object"), nullptr;
  return found;
}

const Json* JsonReader::any(const char* name) { return field(name, false); }

Status JsonReader::finish() {
  if (!error_)
    for (const auto& [name, value] : json_.items())
      if (std::ranges::find(asked_, name) == asked_.end()) {
        fault(ellipsize(name, 64), "is no field of it");
        break;
      }
  if (error_) return fail(*error_);
  return {};
}

}  // namespace pandora
