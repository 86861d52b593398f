// Strict reading of JSON objects: every fault names its place ("turn.created_at: …").
//
// The first fault sticks; later reads give default values. `finish` reports it, and fields that nobody asked for.
// Of a document in memory, or, where many are read and their time counts, of one as it lies in its text
// (`json_tape.h`). Not thread-safe; lives while one object is read.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "wire/json_tape.h"

namespace pandora {

using Json = nlohmann::json;

// One JSON value of at most `max_bytes`; kDataCorrupt with the byte where it stops making sense.
Result<Json> parse_json(std::string_view text, std::size_t max_bytes, std::string_view what);
// Compact; broken UTF-8 becomes U+FFFD, so that this never fails.
std::string dump_json(const Json& json);

template <class Node>
struct JsonField {
  using Type = std::optional<Node>;
};
template <>
struct JsonField<Json> {
  using Type = const Json*;
};

// `Node`: Json, or JsonNode.
template <class Node>
class BasicJsonReader {
 public:
  using Field = typename JsonField<Node>::Type;  // false: there is none

  // `json` must outlive the reader. `code`: what a fault is (kDataCorrupt for files, kInvalidArgument for requests).
  BasicJsonReader(const Node& json, std::string place, ErrorCode code = ErrorCode::kDataCorrupt);

  std::string text(const char* name);  // required
  std::string text_or(const char* name, std::string fallback);
  std::optional<std::string> optional_text(const char* name);  // absent or null: none
  std::int64_t integer(const char* name);
  std::int64_t integer_or(const char* name, std::int64_t fallback);
  double number(const char* name);
  bool boolean(const char* name);
  bool boolean_or(const char* name, bool fallback);
  std::vector<std::string> texts(const char* name);  // array of strings, required
  Field array(const char* name);                     // none after a fault
  Field object(const char* name);
  Field any(const char* name);  // none when absent

  // A parsed value of a required text: value("trust", parse_trust).
  template <class Parse>
  auto value(const char* name, Parse parse) {
    auto result = parse(text(name));
    using T = typename decltype(result)::value_type;
    if (ok() && !result) fault(name, result.error().message, result.error().remedy);
    return result ? *std::move(result) : T{};
  }
  template <class Parse>
  auto optional_value(const char* name, Parse parse) {
    using T = typename decltype(parse(std::string()))::value_type;
    std::optional<T> found;
    if (const auto given = optional_text(name)) {
      auto result = parse(*given);
      if (!result)
        fault(name, result.error().message, result.error().remedy);
      else
        found = *std::move(result);
    }
    return found;
  }

  bool ok() const { return !error_; }
  void fault(std::string_view name, std::string_view what, std::string_view remedy = {});
  void absorb(Status status);  // a fault of a nested reader
  const std::string& place() const { return place_; }
  Status finish();  // unknown fields are a fault too

 private:
  Field field(const char* name, bool required);
  const Node& json_;
  std::string place_;
  ErrorCode code_;
  std::vector<std::string_view> asked_;
  std::optional<Error> error_;
};

extern template class BasicJsonReader<Json>;
extern template class BasicJsonReader<JsonNode>;
using JsonReader = BasicJsonReader<Json>;

// The values of an array, in order.
template <class Take>
void for_each_value(const Json& array, Take take) {
  for (const Json& value : array) take(value);
}
template <class Take>
void for_each_value(JsonNode array, Take take) {
  for (JsonNode value = array.first(); value; value = value.next()) take(value);
}

}  // namespace pandora
