#include "legacy/legacy_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxJsonBytes = 16u << 20;

template <class Number>
std::optional<Number> exactly(std::string_view text) {
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// Behind the time of day stands Z or an offset.
bool names_zone(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  return text.find_first_of("Zz+-", colon) != std::string_view::npos;
}

}  // namespace

const SqliteValue* LegacyValues::value(const std::string& column) const {
  if (fault_) return nullptr;
  const auto found = std::ranges::find(columns_, column);
  if (found == columns_.end()) return nullptr;
  const SqliteValue& there = row_[static_cast<std::size_t>(found - columns_.begin())];
  return std::holds_alternative<std::monostate>(there) ? nullptr : &there;
}

void LegacyValues::fault(const std::string& column, std::string reason) {
  if (!fault_) fault_ = {column, std::move(reason)};
}

std::optional<std::string> LegacyValues::text(const std::string& column) {
  const SqliteValue* there = value(column);
  if (!there) return std::nullopt;
  if (std::holds_alternative<SqliteBlob>(*there)) return fault(column, "bytes where text should be"), std::nullopt;
  if (const auto* integer = std::get_if<std::int64_t>(there)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(there)) return fmt::format("{}", *real);
  const std::string& text = std::get<std::string>(*there);
  if (!is_valid_utf8(text)) return fault(column, "is no UTF-8"), std::nullopt;
  if (text.find('\0') != std::string::npos) return fault(column, "holds a NUL"), std::nullopt;
  return text;
}

std::optional<std::int64_t> LegacyValues::integer(const std::string& column) {
  const SqliteValue* there = value(column);
  if (!there) return std::nullopt;
  if (const auto* integer = std::get_if<std::int64_t>(there)) return *integer;
  if (const auto* text = std::get_if<std::string>(there))
    if (const auto read = exactly<std::int64_t>(*text)) return read;
  constexpr double kExact = 9'007'199'254'740'992.0;  // beyond it not every integer is a double
  if (const auto* real = std::get_if<double>(there); real && std::trunc(*real) == *real && std::abs(*real) <= kExact)
    return static_cast<std::int64_t>(*real);
  return fault(column, "is no integer"), std::nullopt;
}

std::optional<double> LegacyValues::number(const std::string& column) {
  const SqliteValue* there = value(column);
  if (!there) return std::nullopt;
  std::optional<double> read;
  if (const auto* integer = std::get_if<std::int64_t>(there)) read = static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(there)) read = *real;
  if (const auto* text = std::get_if<std::string>(there)) read = exactly<double>(*text);
  if (!read || !std::isfinite(*read)) return fault(column, "is no number"), std::nullopt;
  return read;
}

std::optional<double> LegacyValues::part(const std::string& column) {
  const auto read = number(column);
  if (read && (*read < 0 || *read > 1)) return fault(column, "is not between 0 and 1"), std::nullopt;
  return read;
}

// Seconds of 1973 to 5138 are smaller than milliseconds of 1973, and so on: the size says which it is.
std::optional<Timestamp> LegacyValues::time_of_number(const std::string& column, double value) {
  constexpr double kLeast = 1e8, kStep = 1'000;
  for (double scale = 1e6; scale >= 1; scale /= kStep)
    if (value >= kLeast * (1e6 / scale) && value < kLeast * kStep * (1e6 / scale))
      return Timestamp{static_cast<std::int64_t>(std::llround(value * scale))};
  return fault(column, "is no time: neither a date nor seconds since 1970"), std::nullopt;
}

std::optional<Timestamp> LegacyValues::time(const std::string& column) {
  const SqliteValue* there = value(column);
  if (!there) return std::nullopt;
  if (std::holds_alternative<SqliteBlob>(*there)) return fault(column, "bytes where a time should be"), std::nullopt;
  if (const auto* integer = std::get_if<std::int64_t>(there))
    return time_of_number(column, static_cast<double>(*integer));
  if (const auto* real = std::get_if<double>(there)) return time_of_number(column, *real);
  const std::string& text = std::get<std::string>(*there);
  if (const auto epoch = exactly<double>(text)) return time_of_number(column, *epoch);
  const auto read = parse_iso8601(text);
  if (!read) return fault(column, "is no time"), std::nullopt;
  if (names_zone(text)) return *read;
  naive_ = true;
  return *read - zone_;
}

std::optional<Json> LegacyValues::json(const std::string& column) {
  const auto there = text(column);
  if (!there || trim(*there).empty()) return std::nullopt;
  auto read = parse_json(*there, kMaxJsonBytes, "it");
  if (!read) return fault(column, "is no JSON: " + read.error().message), std::nullopt;
  if (read->is_null()) return std::nullopt;
  return *std::move(read);
}

std::optional<std::vector<std::string>> LegacyValues::texts(const std::string& column) {
  const auto there = json(column);
  if (!there) return std::nullopt;
  if (!there->is_array()) return fault(column, "is no list"), std::nullopt;
  std::vector<std::string> all;
  for (const auto& one : *there) {
    if (!one.is_string()) return fault(column, "a list of something else than texts"), std::nullopt;
    all.push_back(one.get<std::string>());
    if (all.back().find('\0') != std::string::npos) return fault(column, "holds a NUL"), std::nullopt;
  }
  return all;
}

std::string LegacyValues::raw(const std::string& column) const {
  const SqliteValue* there = value(column);
  return there ? dump_json(to_json(*there)) : "null";
}

Json to_json(const SqliteValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value))
    return std::isfinite(*real) ? Json(*real) : Json(fmt::format("{}", *real));
  if (const auto* blob = std::get_if<SqliteBlob>(&value)) return {{"base64", base64_encode(blob->bytes)}};
  if (const auto* text = std::get_if<std::string>(&value))
    return is_valid_utf8(*text) ? Json(*text) : Json{{"base64", base64_encode(*text)}};
  return nullptr;
}

}  // namespace pandora
