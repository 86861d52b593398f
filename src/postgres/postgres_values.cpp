#include "postgres/postgres_values.h"

#include <algorithm>
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

void append_quoted(std::string& to, std::string_view text) {
  to += '"';
  for (;;) {
    const auto special = std::ranges::find_if(text, [](char c) { return c == '"' || c == '\\'; });
    const auto plain = static_cast<std::size_t>(special - text.begin());
    to += text.substr(0, plain);
    if (plain == text.size()) break;
    to += '\\';
    to += text[plain];
    text.remove_prefix(plain + 1);
  }
  to += '"';
}

}  // namespace

PostgresValue::PostgresValue(double value)
    : text_(std::isnan(value)   ? "NaN"
            : std::isinf(value) ? (value > 0 ? "Infinity" : "-Infinity")
                                : fmt::format("{}", value)) {}
PostgresValue::PostgresValue(std::string_view value) : text_(sanitize_utf8(value)) {}
PostgresValue::PostgresValue(Timestamp value) : text_(to_iso8601(value)) {}

PostgresValue::PostgresValue(const std::vector<PostgresValue>& values) : text_("{") {
  std::size_t size = 2;
  for (const PostgresValue& value : values) size += value.is_null() ? 5 : value.text().size() + 3;
  text_->reserve(size);  // and some for what is escaped
  for (const PostgresValue& value : values) {
    if (text_->size() > 1) *text_ += ',';
    if (value.is_null())
      *text_ += "NULL";
    else
      append_quoted(*text_, value.text());
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
