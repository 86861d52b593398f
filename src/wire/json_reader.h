// Strict reading of JSON objects: every fault names its place ("turn.created_at: …").
//
// The first fault sticks; later reads give default values. `finish` reports it, and fields that nobody asked for.
// Not thread-safe; lives while one object is read.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace pandora {

using Json = nlohmann::json;

// One JSON value of at most `max_bytes`; kDataCorrupt with the byte where it stops making sense.
Result<Json> parse_json(std::string_view text, std::size_t max_bytes, std::string_view what);
// Compact; broken UTF-8 becomes U+FFFD, so that this never fails.
std::string dump_json(const Json& json);

class JsonReader {
 public:
  // `json` must outlive the reader. `code`: what a fault is (kDataCorrupt for files, kInvalidArgument for requests).
  JsonReader(const Json& json, std::string place, ErrorCode code = ErrorCode::kDataCorrupt);

  std::string text(const char* name);  // required
  std::string text_or(const char* name, std::string fallback);
  std::optional<std::string> optional_text(const char* name);  // absent or null: none
  std::int64_t integer(const char* name);
  std::int64_t integer_or(const char* name, std::int64_t fallback);
  double number(const char* name);
  bool boolean(const char* name);
  bool boolean_or(const char* name, bool fallback);
  std::vector<std::string> texts(const char* name);  // array of strings, required
  const Json* array(const char* name);               // null after a fault
  const Json* object(const char* name);
  const Json* any(const char* name);  // null when absent

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
  const Json* field(const char* name, bool required);
  const Json& json_;
  std::string place_;
  ErrorCode code_;
  std::vector<std::string_view> asked_;
  std::optional<Error> error_;
};

}  // namespace pandora
