#include "sqlite/connection.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sqlite3.h>

namespace pandora {
namespace {

ErrorCode code_of(int code) {
  // A value that no row may hold, against one that another row has.
  if (code == SQLITE_CONSTRAINT_CHECK || code == SQLITE_CONSTRAINT_NOTNULL || code == SQLITE_CONSTRAINT_DATATYPE)
    return ErrorCode::kInvalidArgument;
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return ErrorCode::kStorageFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kDataCorrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::kPermissionDenied;
    case SQLITE_CANTOPEN:
      return ErrorCode::kPermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
      return ErrorCode::kUnavailable;
    case SQLITE_INTERRUPT:
      return ErrorCode::kDeadlineExceeded;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kConflict;
    case SQLITE_TOOBIG:
      return ErrorCode::kTooLarge;
    default:
      return ErrorCode::kInternal;
  }
}

std::string_view remedy_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kStorageFull:
      return "free some space on that file system; nothing acknowledged is lost";
    case ErrorCode::kDataCorrupt:
      return kDamagedRemedy;
    case ErrorCode::kPermissionDenied:
      return "give this user read and write access to the file and its folder";
    default:
      return "";
  }
}

bool is_no_space(int system) { return system == ENOSPC || system == EDQUOT; }

// `system`: errno of the call that failed, if one did.
Error sqlite_error(int code, int system, std::string_view message, std::string_view doing, const std::string& path) {
  ErrorCode mapped = code_of(code);
  // A log that cannot grow is an I/O error to SQLite, whatever the reason.
  if (mapped == ErrorCode::kUnavailable && (is_no_space(system) || code == SQLITE_IOERR_SHMSIZE))
    mapped = ErrorCode::kStorageFull;
  // A generated column over bytes that were written as JSON, and are none any more.
  if (mapped == ErrorCode::kInternal && message == "malformed JSON") mapped = ErrorCode::kDataCorrupt;
  return {mapped, fmt::format("cannot {} {}: {}", doing, path, message), std::string(remedy_of(mapped))};
}

int past_deadline(void* deadline) { return static_cast<const Deadline*>(deadline)->expired() ? 1 : 0; }

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}

Statement::~Statement() {
  if (statement_) connection_->give_back(statement_);
}

void Statement::bind_one(std::int64_t value) { sqlite3_bind_int64(statement_, ++bound_, value); }
void Statement::bind_one(double value) { sqlite3_bind_double(statement_, ++bound_, value); }
void Statement::bind_one(std::string_view value) {
  sqlite3_bind_text64(statement_, ++bound_, value.empty() ? "" : value.data(), value.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
}
void Statement::bind_one(const Uuid& value) {
  sqlite3_bind_blob(statement_, ++bound_, value.bytes.data(), static_cast<int>(value.bytes.size()), SQLITE_TRANSIENT);
}
void Statement::bind_one(const Blob& value) {
  sqlite3_bind_blob64(statement_, ++bound_, value.bytes.empty() ? "" : value.bytes.data(), value.bytes.size(),
                      SQLITE_TRANSIENT);
}
void Statement::bind_null() { sqlite3_bind_null(statement_, ++bound_); }

Result<bool> Statement::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(connection_->error("use"));
}

Status Statement::run() {
  for (;;) {
    PANDORA_TRY(more, next());
    if (!more) return {};
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::number(int column) const { return sqlite3_column_double(statement_, column); }
std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
               : std::string_view();
}
std::string_view Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes ? std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
               : std::string_view();
}
bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
Result<Uuid> Statement::uuid(int column) const {
  const std::string_view bytes = blob(column);
  Uuid id;
  if (bytes.size() != id.bytes.size())
    return fail(ErrorCode::kDataCorrupt, connection_->path() + " holds an id that is none");
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

constexpr int kBusyMillis = 10'000;

Result<std::unique_ptr<Connection>> Connection::open_to_read(const std::string& name, const std::string& path,
                                                             bool read_only) {
  sqlite3* handle = nullptr;
  const int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(handle, path));
  if (code != SQLITE_OK)
    return fail(sqlite_error(code, handle ? sqlite3_system_errno(handle) : 0,
                             handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code), "open", path)
                    .with_remedy("give this user read access to the file and its folder"));
  sqlite3_busy_timeout(handle, kBusyMillis);
  // The last one to leave would empty the log into the file.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);  // views and functions of a stranger
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, const std::string& vfs, int page_bytes) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<Connection> connection(new Connection(handle, path));
  if (code != SQLITE_OK)
    return fail(sqlite_error(code, handle ? sqlite3_system_errno(handle) : 0,
                             handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code), "open", path));
  sqlite3_busy_timeout(handle, kBusyMillis);
  if (sqlite3_db_readonly(handle, "main") == 1)
    return fail(ErrorCode::kPermissionDenied, path + " is read-only",
                std::string(remedy_of(ErrorCode::kPermissionDenied)));
  if (page_bytes > 0) PANDORA_CHECK(connection->script(fmt::format("PRAGMA page_size = {}", page_bytes)));
  PANDORA_CHECK(connection->use_write_ahead_log());
  PANDORA_CHECK(
      connection->script("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                         "PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 2000;"));
  return connection;
}

bool Connection::file_exists(const std::string& path, const std::string& vfs) {
  sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  int there = 0;
  return files && files->xAccess(files, path.c_str(), SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK && there != 0;
}

void Connection::remove_file(const std::string& path, const std::string& vfs) {
  sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (!files) return;
  for (const char* beside : {"-wal", "-shm", "-journal", ""}) (void)files->xDelete(files, (path + beside).c_str(), 1);
}

// A new file changes to WAL under an exclusive lock, and of two that try at once SQLite refuses one without waiting.
Status Connection::use_write_ahead_log() {
  constexpr int kMaxTries = 10;
  for (int tries = 1;; ++tries) {
    std::string mode;
    {
      PANDORA_TRY(row, query("PRAGMA journal_mode = WAL"));
      const auto found = row.next();
      const bool busy = (sqlite3_errcode(handle_) & 0xFF) == SQLITE_BUSY;
      if (!found && (!busy || tries == kMaxTries)) return fail(found.error());
      if (found) mode = row.text(0);
    }
    if (mode == "wal") return {};
    if (!mode.empty())
      return fail(ErrorCode::kUnavailable, fmt::format("{} can have no write-ahead log there", path_),
                  "keep the data directory on a local file system");
    PANDORA_CHECK(script("BEGIN IMMEDIATE; ROLLBACK"));  // waits, within the busy time, until the other is done
  }
}

Connection::~Connection() {
  for (auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

Result<Statement> Connection::prepare(std::string_view sql) {
  if (const auto found = idle_.find(sql); found != idle_.end()) {
    sqlite3_stmt* statement = found->second;
    idle_.erase(found);
    return Statement(*this, statement);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return fail(error("prepare a statement for"));
  return Statement(*this, statement);
}

void Connection::give_back(sqlite3_stmt* statement) {
  constexpr std::size_t kMaxIdle = 64;
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (idle_.size() >= kMaxIdle)
    sqlite3_finalize(statement);
  else
    idle_.emplace(sqlite3_sql(statement), statement);
}

Status Connection::script(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail(error("use"));
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
std::int64_t Connection::changes() const { return sqlite3_changes64(handle_); }

void Connection::set_deadline(const Deadline& deadline) {
  constexpr int kSteps = 10'000;  // virtual machine steps between two looks at the clock: some tens of microseconds
  deadline_ = deadline;
  const bool bounded = deadline.remaining() != Duration::max();
  sqlite3_progress_handler(handle_, bounded ? kSteps : 0, bounded ? past_deadline : nullptr, &deadline_);
}

void Connection::interrupt() { sqlite3_interrupt(handle_); }

Error Connection::error(std::string_view doing) const {
  return sqlite_error(sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), sqlite3_errmsg(handle_), doing,
                      path_);
}

}  // namespace pandora
