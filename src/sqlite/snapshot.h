// A SQLite file of another program, read as it stood at one moment, and never changed: neither the file nor what SQLite
// keeps beside it.
//
// A file in WAL mode that a program has open is read in place, in one read transaction: what is committed by then is
// seen, and the program goes on writing. Without a log a reader would keep it from committing: such a file is copied,
// page by page under a reader's lock that is let go then, and the copy is read. So is, with what stands beside it, one
// that nobody has open and that SQLite could only read by making files there (a log without its index, a journal of an
// interrupted write). Not thread-safe.
//
// Errors: kNotFound, kPermissionDenied, kDataCorrupt (no database; the page check fails), kUnavailable (another program
// holds it exclusively, or changes it while it is copied), kStorageFull (no room for the copy).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sqlite/connection.h"

namespace pandora {

// As it stands there, whatever the column's type says.
struct SqliteBlob {
  std::string bytes;
  bool operator==(const SqliteBlob&) const = default;
};
using SqliteValue = std::variant<std::monostate, std::int64_t, double, std::string, SqliteBlob>;  // text: any bytes
using SqliteRow = std::vector<SqliteValue>;

class SqliteSnapshot {
 public:
  // `scratch`: a folder that exists, for a copy; what is put there goes with the snapshot.
  static Result<std::unique_ptr<SqliteSnapshot>> open(const std::string& path, const std::string& scratch);
  ~SqliteSnapshot();
  SqliteSnapshot(const SqliteSnapshot&) = delete;
  SqliteSnapshot& operator=(const SqliteSnapshot&) = delete;

  // In their order; none: there is no such table.
  Result<std::vector<std::string>> columns(const std::string& table);
  // Every row, in the order of the columns named (then as SQLite gives them), with the values of all columns.
  Status rows(const std::string& table, const std::vector<std::string>& order,
              const std::function<Status(const SqliteRow&)>& take);
  bool is_copy() const { return !copy_.empty(); }

 private:
  SqliteSnapshot() = default;
  std::unique_ptr<Connection> connection_;
  std::string copy_;  // a folder; empty: read in place
};

}  // namespace pandora
