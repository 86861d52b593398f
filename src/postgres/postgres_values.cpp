#include "postgres/postgres_values.h"

#include <charconv>
#include <cmath>

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

}  // namespace

PostgresValue::PostgresValue(double value)
    : text_(std::isnan(value)   ? "NaN"
            : std::isinf(value) ? (value > 0 ? "Infinity" : "-Infinity")
                                : fmt::format("{}", value)) {}
PostgresValue::PostgresValue(std::string_view value) : text_(sanitize_utf8(value)) {}
PostgresValue::PostgresValue(Timestamp value) : text_(to_iso8601(value)) {}

PostgresValue::PostgresValue(const std::vector<PostgresValue>& values) : text_("{") {
  for (const PostgresValue& value : values) {
    if (text_->size() > 1) *text_ += ',';
    if (value.is_null()) {
      *text_ += "NULL";
      continue;
    }
    *text_ += '"';
    for (const char c : value.text()) {
      if (c == '"' || c == '\\') *text_ += '\\';
      *text_ += c;
    }
    *text_ += '"';
  }
  *text_ += '}';
}

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
