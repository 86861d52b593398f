// Values of a row of another program's SQLite file, as what their columns mean. SQLite lets any value stand in any
// column; what is not exactly what it should be is a fault with its column, never a guess. Pure, not thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sqlite/snapshot.h"
#include "wire/json_reader.h"

namespace pandora {

struct ColumnFault {
  std::string column, reason;
};

class LegacyValues {
 public:
  // `zone`: local time minus UTC of times that name no zone. All outlive the reader.
  LegacyValues(const std::vector<std::string>& columns, const SqliteRow& row, Duration zone)
      : columns_(columns), row_(row), zone_(zone) {}

  // None: NULL, or no such column. The first fault sticks, and what follows gives none.
  std::optional<std::string> text(const std::string& column);      // UTF-8 without NUL
  std::optional<std::int64_t> integer(const std::string& column);  // also one written as text, or as 3.0
  std::optional<double> number(const std::string& column);         // finite; also one written as text
  std::optional<double> part(const std::string& column);           // a number of 0 to 1
  // ISO 8601 with or without a zone, or seconds, milliseconds or microseconds since 1970 (after 1973, by their size).
  std::optional<Timestamp> time(const std::string& column);
  std::optional<std::vector<std::string>> texts(const std::string& column);  // a JSON array of texts
  std::optional<Json> json(const std::string& column);
  std::string raw(const std::string& column) const;  // of whatever kind, for an id

  void fault(const std::string& column, std::string reason);
  void note(const std::string& column, std::string reason) { notes_.push_back({column, std::move(reason)}); }
  bool ok() const { return !fault_; }
  const std::optional<ColumnFault>& first_fault() const { return fault_; }
  const std::vector<ColumnFault>& notes() const { return notes_; }  // the row is taken, but for these values
  bool has_naive_time() const { return naive_; }

 private:
  const SqliteValue* value(const std::string& column) const;
  std::optional<Timestamp> time_of_number(const std::string& column, double value);

  const std::vector<std::string>& columns_;
  const SqliteRow& row_;
  const Duration zone_;
  std::optional<ColumnFault> fault_;
  std::vector<ColumnFault> notes_;
  bool naive_ = false;
};

// For a quarantine: as it stands there. What is no text of JSON is {"base64": …}.
Json to_json(const SqliteValue& value);

}  // namespace pandora
