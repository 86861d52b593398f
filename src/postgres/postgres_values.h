// Values of statements and of rows, as PostgreSQL writes them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

struct pg_result;

namespace pandora {

// bytea.
struct PostgresBytes {
  std::string_view bytes;
};

// One parameter. Text is made valid UTF-8 without NUL, which no text of PostgreSQL may hold (base/text.h). A value
// goes as text, which the server reads as whatever type its place has; a bytea and an array go in binary form.
class PostgresValue {
 public:
  PostgresValue(std::int64_t value) : text_(std::to_string(value)) {}
  PostgresValue(int value) : PostgresValue(static_cast<std::int64_t>(value)) {}
  PostgresValue(std::size_t value) : PostgresValue(static_cast<std::int64_t>(value)) {}
  PostgresValue(bool value) : text_(value ? "t" : "f") {}
  PostgresValue(double value);  // exact: the shortest text that gives it back
  PostgresValue(std::string_view value);
  PostgresValue(const std::string& value) : PostgresValue(std::string_view(value)) {}
  PostgresValue(std::string&& value);
  PostgresValue(const char* value) : PostgresValue(std::string_view(value)) {}
  PostgresValue(const Uuid& value) : text_(value.to_string()) {}
  PostgresValue(Timestamp value);  // timestamptz
  PostgresValue(PostgresBytes value) : text_(value.bytes), binary_(true) {}
  PostgresValue(std::nullopt_t) {}
  template <class T>
  PostgresValue(const std::optional<T>& value)
      : PostgresValue(value ? PostgresValue(*value) : PostgresValue(std::nullopt)) {}
  // Arrays, for unnest, ANY and columns of their type. Nothing in them is read as text, so their place must have
  // exactly this type: bigint[], float8[] (twice), bool[], timestamptz[], uuid[], text[] (twice), bytea[].
  PostgresValue(const std::vector<std::int64_t>& values);
  PostgresValue(const std::vector<double>& values);
  PostgresValue(const std::vector<std::optional<double>>& values);
  PostgresValue(const std::vector<bool>& values);
  PostgresValue(const std::vector<Timestamp>& values);
  PostgresValue(const std::vector<Uuid>& values);
  PostgresValue(const std::vector<std::string>& values);
  PostgresValue(const std::vector<std::string_view>& values);
  PostgresValue(const std::vector<PostgresBytes>& values);

  bool is_null() const { return !text_; }
  bool is_binary() const { return binary_; }
  const std::string& text() const { return *text_; }

 private:
  std::optional<std::string> text_;
  bool binary_ = false;
};

// What a statement gave. Cheap to copy; views live as long as any copy.
class PostgresRows {
 public:
  PostgresRows() = default;
  explicit PostgresRows(pg_result* result);
  int size() const;
  bool empty() const { return size() == 0; }
  std::int64_t changed() const;  // rows that were written
  std::string_view tag() const;  // "COMMIT", "INSERT 0 1"

  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;
  std::int64_t integer(int row, int column) const;
  double number(int row, int column) const;
  bool boolean(int row, int column) const;
  Result<Uuid> uuid(int row, int column) const;
  std::string bytes(int row, int column) const;  // of a bytea
  // Of "(extract(epoch FROM x) * 1000000)::bigint".
  std::optional<Timestamp> time(int row, int column) const;

 private:
  std::shared_ptr<pg_result> result_;
};

}  // namespace pandora
