#include "postgres/postgres_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/text.h"

namespace pandora {
namespace {

template <class T>
T parsed(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool holds_no_mistake(std::string_view text) { return is_valid_utf8(text) && text.find('\0') == text.npos; }

// Types of elements, as every server numbers them (pg_type.dat).
constexpr std::uint32_t kBool = 16, kBytea = 17, kInt8 = 20, kText = 25, kFloat8 = 701, kTimestamptz = 1184,
                        kUuid = 2950;

template <class T>
void append_big_endian(std::string& to, T value) {
  static_assert(std::is_unsigned_v<T>);
  std::array<char, sizeof value> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[bytes.size() - 1 - i] = static_cast<char>(value >> 8 * i);
  to.append(bytes.data(), bytes.size());
}

void append_sized(std::string& to, std::string_view bytes) {
  append_big_endian(to, static_cast<std::uint32_t>(bytes.size()));
  to += bytes;
}
void append_sized(std::string& to, std::uint64_t value) {
  append_big_endian(to, static_cast<std::uint32_t>(sizeof value));
  append_big_endian(to, value);
}

void append_element(std::string& to, bool value) { append_sized(to, std::string_view(value ? "\1" : "\0", 1)); }
void append_element(std::string& to, std::int64_t value) { append_sized(to, static_cast<std::uint64_t>(value)); }
void append_element(std::string& to, double value) { append_sized(to, std::bit_cast<std::uint64_t>(value)); }
void append_element(std::string& to, const Uuid& value) {
  append_sized(to, std::string_view(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()));
}
void append_element(std::string& to, std::string_view value) {
  if (holds_no_mistake(value))
    append_sized(to, value);
  else
    append_sized(to, sanitize_utf8(value));
}
void append_element(std::string& to, PostgresBytes value) { append_sized(to, value.bytes); }
// Microseconds since 2000; what is too early the server refuses. The least number would be minus infinity.
void append_element(std::string& to, Timestamp value) {
  constexpr std::int64_t kEpoch = 946'684'800'000'000;
  append_element(to, std::max(value.micros, std::numeric_limits<std::int64_t>::min() + kEpoch + 1) - kEpoch);
}
void append_element(std::string& to, std::optional<double> value) {
  if (value)
    append_element(to, *value);
  else
    append_big_endian(to, ~std::uint32_t{0});
}

// As array_recv reads it: dimensions, whether one is null, the elements' type, the dimension's size and first index.
template <class T>
std::string binary_array(std::uint32_t type, const std::vector<T>& values, bool has_null = false) {
  std::string array;
  array.reserve(20 + values.size() * 12);
  append_big_endian(array, std::uint32_t{values.empty() ? 0u : 1u});
  append_big_endian(array, std::uint32_t{has_null});
  append_big_endian(array, type);
  if (values.empty()) return array;
  append_big_endian(array, static_cast<std::uint32_t>(values.size()));
  append_big_endian(array, std::uint32_t{1});
  for (const T& value : values) append_element(array, value);
  return array;
}

}  // namespace

PostgresValue::PostgresValue(double value)
    : text_(std::isnan(value)   ? "NaN"
            : std::isinf(value) ? (value > 0 ? "Infinity" : "-Infinity")
                                : fmt::format("{}", value)) {}
PostgresValue::PostgresValue(std::string_view value) : text_(sanitize_utf8(value)) {}
PostgresValue::PostgresValue(std::string&& value)
    : text_(holds_no_mistake(value) ? std::move(value) : sanitize_utf8(value)) {}
PostgresValue::PostgresValue(Timestamp value) : text_(to_iso8601(value)) {}

using Value = PostgresValue;
Value::PostgresValue(const std::vector<std::int64_t>& values) : text_(binary_array(kInt8, values)), binary_(true) {}
Value::PostgresValue(const std::vector<double>& values) : text_(binary_array(kFloat8, values)), binary_(true) {}
Value::PostgresValue(const std::vector<std::optional<double>>& values)
    : text_(binary_array(kFloat8, values, std::ranges::count(values, std::optional<double>()) > 0)), binary_(true) {}
Value::PostgresValue(const std::vector<bool>& values) : text_(binary_array(kBool, values)), binary_(true) {}
Value::PostgresValue(const std::vector<Timestamp>& values) : text_(binary_array(kTimestamptz, values)), binary_(true) {}
Value::PostgresValue(const std::vector<Uuid>& values) : text_(binary_array(kUuid, values)), binary_(true) {}
Value::PostgresValue(const std::vector<std::string>& values) : text_(binary_array(kText, values)), binary_(true) {}
Value::PostgresValue(const std::vector<std::string_view>& values) : text_(binary_array(kText, values)), binary_(true) {}
Value::PostgresValue(const std::vector<PostgresBytes>& values) : text_(binary_array(kBytea, values)), binary_(true) {}

PostgresRows::PostgresRows(pg_result* result) : result_(result, &PQclear) {}
int PostgresRows::size() const { return result_ ? PQntuples(result_.get()) : 0; }
std::int64_t PostgresRows::changed() const { return parsed<std::int64_t>(PQcmdTuples(result_.get())); }
std::string_view PostgresRows::tag() const { return PQcmdStatus(result_.get()); }
bool PostgresRows::is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
std::string_view PostgresRows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}
std::int64_t PostgresRows::integer(int row, int column) const { return parsed<std::int64_t>(text(row, column)); }
double PostgresRows::number(int row, int column) const { return parsed<double>(text(row, column)); }
bool PostgresRows::boolean(int row, int column) const { return text(row, column) == "t"; }

Result<Uuid> PostgresRows::uuid(int row, int column) const {
  auto id = Uuid::parse(text(row, column));
  if (!id) return fail(ErrorCode::kDataCorrupt, id.error().message);
  return id;
}

std::string PostgresRows::bytes(int row, int column) const {
  std::size_t size = 0;
  const std::unique_ptr<unsigned char, decltype(&PQfreemem)> raw(
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(PQgetvalue(result_.get(), row, column)), &size),
      &PQfreemem);
  return raw ? std::string(reinterpret_cast<const char*>(raw.get()), size) : std::string();
}

std::optional<Timestamp> PostgresRows::time(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return Timestamp{integer(row, column)};
}

}  // namespace pandora
