// A connection to SQLite with typed statements. The one place, with its .cpp, where SQLite's codes become errors.
// Not thread-safe: one thread at a time.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pandora {

// Of every damage to a database: what it holds can be made again.
inline constexpr std::string_view kDamagedRemedy =
    "run `pandora reconcile --apply`: it sets the file aside and makes it again from journal and documents";

// A prepared statement under way. Values are bound in order; a fault (a column of another type, a full disk) sticks and
// is reported by `next`. Returned to the connection's cache when destroyed.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_one(values), ...);
    return *this;
  }
  // true: a row stands; false: no more.
  Result<bool> next();
  Status run();  // to its end, rows left aside

  std::int64_t integer(int column) const;
  double number(int column) const;
  std::string_view text(int column) const;  // until the next call of next()
  std::string_view blob(int column) const;
  bool is_null(int column) const;
  Result<Uuid> uuid(int column) const;
  sqlite3_stmt* handle() const { return statement_; }  // for values whose type the row decides

 private:
  friend class Connection;
  Statement(class Connection& connection, sqlite3_stmt* statement) : connection_(&connection), statement_(statement) {}
  void bind_one(std::int64_t value);
  void bind_one(int value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(std::size_t value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(bool value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(double value);
  void bind_one(std::string_view value);
  void bind_one(const std::string& value) { bind_one(std::string_view(value)); }
  void bind_one(const char* value) { bind_one(std::string_view(value)); }
  void bind_one(const Uuid& value);
  void bind_one(Timestamp value) { bind_one(value.micros); }
  struct Blob {
    std::string_view bytes;
  };
  void bind_one(const Blob& value);
  template <class T>
  void bind_one(const std::optional<T>& value) {
    if (value)
      bind_one(*value);
    else
      bind_null();
  }
  void bind_null();

  Connection* connection_;
  sqlite3_stmt* statement_;
  int bound_ = 0;

 public:
  static Blob as_blob(std::string_view bytes) { return {bytes}; }
};

class Connection {
 public:
  // `vfs`: SQLite's name of one, empty for the default. WAL with synchronous=FULL, foreign keys, overwriting deletes.
  // `page_bytes`: of a file that is made; 0: SQLite's own choice.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, const std::string& vfs, int page_bytes = 0);
  // Of another program's database: nothing is set, and nothing of it is written. `name`: a path, or a URI; `path`: what
  // errors call it. A copy may be written to (`read_only` false): SQLite takes an interrupted write back first.
  static Result<std::unique_ptr<Connection>> open_to_read(const std::string& name, const std::string& path,
                                                          bool read_only);
  static bool file_exists(const std::string& path, const std::string& vfs);
  static void remove_file(const std::string& path, const std::string& vfs);  // with what SQLite keeps beside it
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The statement of a literal; prepared once a connection.
  Result<Statement> prepare(std::string_view sql);
  template <class... Values>
  Result<Statement> query(std::string_view sql, const Values&... values) {
    PANDORA_TRY(statement, prepare(sql));
    statement.bind(values...);
    return statement;
  }
  template <class... Values>
  Status run(std::string_view sql, const Values&... values) {
    PANDORA_TRY(statement, query(sql, values...));
    return statement.run();
  }
  Status script(const std::string& sql);  // several statements, nothing bound

  bool in_transaction() const;
  std::int64_t changes() const;
  // Long reads end with kDeadlineExceeded.
  void set_deadline(const Deadline& deadline);
  // From any thread: what runs ends with kDeadlineExceeded.
  void interrupt();
  Error error(std::string_view doing) const;  // of the last call
  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  Connection(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  Status use_write_ahead_log();
  void give_back(sqlite3_stmt* statement);
  sqlite3* handle_;
  std::string path_;
  Deadline deadline_ = Deadline::never();
  std::multimap<std::string, sqlite3_stmt*, std::less<>> idle_;
};

}  // namespace pandora
