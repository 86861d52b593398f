#include "sqlite/snapshot.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pandora {
namespace {

namespace fs = std::filesystem;

// Bytes 18 and 19 of the header: how it is written and read; 2 means by a write-ahead log.
constexpr std::size_t kHeaderBytes = 100;
constexpr std::string_view kMagic("SQLite format 3\0", 16);
// SQLite's locks lie here, beyond any page that holds data.
constexpr off_t kLockBytes = 0x40000000, kLockLength = 512;

Error cannot(std::string_view doing, const std::string& path, int code) {
  const ErrorCode kind = code == ENOENT                      ? ErrorCode::kNotFound
                         : code == EACCES || code == EPERM   ? ErrorCode::kPermissionDenied
                         : code == ENOSPC || code == EDQUOT  ? ErrorCode::kStorageFull
                         : code == EISDIR || code == ENOTDIR ? ErrorCode::kInvalidArgument
                                                             : ErrorCode::kUnavailable;
  return {kind, fmt::format("cannot {} {}: {}", doing, path, std::strerror(code)), ""};
}

// What a file is, so that a change while it is copied is seen.
struct Picture {
  bool there = false;
  off_t size = 0;
  ino_t inode = 0;
  std::int64_t nanos = 0;
  bool operator==(const Picture&) const = default;
};
Picture picture_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {true, info.st_size, info.st_ino, info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec};
}

struct Look {
  bool logged = false;  // in WAL mode
  bool locked = false;  // a program has it open and holds a lock
};
// The descriptor is closed before SQLite opens the file: closing it later would end SQLite's own locks.
Result<Look> look_at(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(cannot("read", path, errno));
  std::array<char, kHeaderBytes> header{};
  const ssize_t got = ::pread(file, header.data(), header.size(), 0);
  const int code = errno;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockBytes;
  lock.l_len = kLockLength;
  const bool asked = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  if (got < 0) return fail(cannot("read", path, code));
  if (got == 0) return Look{};  // an empty database
  if (got < static_cast<ssize_t>(kHeaderBytes) || std::string_view(header.data(), kMagic.size()) != kMagic)
    return fail(ErrorCode::kDataCorrupt, path + " is no SQLite database");
  return Look{header[18] == 2 || header[19] == 2, !asked || lock.l_type != F_UNLCK};
}

// Of a path in a URI: everything that is not plain is escaped.
std::string as_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("/._-~", c) != nullptr;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + "?mode=ro";
}

constexpr std::array<const char*, 3> kBeside = {"", "-wal", "-journal"};

Status copy_file(const std::string& from, const std::string& to) {
  std::error_code code;
  fs::copy_file(from, to, code);
  if (code) return fail(cannot("copy", from, code.value()));
  return {};
}

// Every page as it stands at one moment. Without a log a reader keeps its writers from committing for as long as it
// reads, so what is read for long is a copy.
Status copy_pages(Connection& from, Connection& to) {
  const auto handle_of = [](Connection& connection) -> Result<sqlite3*> {
    PANDORA_TRY(statement, connection.prepare("SELECT 1"));
    return sqlite3_db_handle(statement.handle());
  };
  PANDORA_TRY(source, handle_of(from));
  PANDORA_TRY(target, handle_of(to));
  sqlite3_backup* copy = sqlite3_backup_init(target, "main", source, "main");
  if (!copy) return fail(to.error("copy"));
  const int code = sqlite3_backup_step(copy, -1);
  if (sqlite3_backup_finish(copy) != SQLITE_OK) return fail(to.error("copy"));  // which says what the step said
  if (code == SQLITE_DONE) return {};
  return fail(ErrorCode::kUnavailable, from.path() + " is held by a program that lets nobody else read it",
              "run it again, or end that program");
}

SqliteValue value_of(sqlite3_stmt* statement, int column) {
  const auto bytes = [&](const void* at) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return at && size > 0 ? std::string(static_cast<const char*>(at), size) : std::string();
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return bytes(sqlite3_column_text(statement, column));
    case SQLITE_BLOB:
      return SqliteBlob{bytes(sqlite3_column_blob(statement, column))};
    default:
      return std::monostate();
  }
}

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}
std::string all_of(const std::string& table) { return "SELECT * FROM " + quoted(table); }

}  // namespace

Result<std::unique_ptr<SqliteSnapshot>> SqliteSnapshot::open(const std::string& path, const std::string& scratch) {
  PANDORA_TRY(look, look_at(path));
  std::unique_ptr<SqliteSnapshot> snapshot(new SqliteSnapshot());
  const Picture log = picture_of(path + "-wal"), journal = picture_of(path + "-journal");
  // In place SQLite makes a log's index when there is none, and cannot take back an interrupted write.
  const bool indexed = picture_of(path + "-shm").there;
  const bool in_place = look.logged ? log.there && indexed : !(journal.there && journal.size > 0 && !look.locked);
  std::string read = path;
  const bool by_pages = in_place && !look.logged;
  if (!in_place || by_pages) {
    if (!by_pages && look.locked)
      return fail(ErrorCode::kUnavailable, path + " is held by a program that lets nobody else read it",
                  "end that program, or have it leave SQLite's exclusive locking mode");
    std::string folder = scratch + "/sqlite-copy-XXXXXX";
    if (!::mkdtemp(folder.data())) return fail(cannot("make a folder in", scratch, errno));
    snapshot->copy_ = folder;
    read = folder + "/copy.db";
  }
  if (!in_place) {
    std::array<Picture, kBeside.size()> before;
    for (std::size_t i = 0; i < kBeside.size(); ++i) before[i] = picture_of(path + kBeside[i]);
    for (std::size_t i = 0; i < kBeside.size(); ++i)
      if (before[i].there) PANDORA_CHECK(copy_file(path + kBeside[i], read + kBeside[i]));
    for (std::size_t i = 0; i < kBeside.size(); ++i)
      if (picture_of(path + kBeside[i]) != before[i])
        return fail(ErrorCode::kUnavailable, path + " was changed while it was copied", "run it again");
  }
  PANDORA_TRY(connection, Connection::open_to_read(in_place ? as_uri(path) : read, path, in_place));
  if (by_pages) {
    if (!std::ofstream(read)) return fail(cannot("write", read, errno));  // nothing is an empty database
    PANDORA_TRY(copy, Connection::open_to_read(read, path, false));
    PANDORA_CHECK(copy_pages(*connection, *copy));
    connection = std::move(copy);
  }
  snapshot->connection_ = std::move(connection);
  Connection& database = *snapshot->connection_;
  // From the first read on everything is of one moment.
  PANDORA_CHECK(database.script("BEGIN"));
  PANDORA_TRY(check, database.query("PRAGMA quick_check(1)"));
  PANDORA_TRY(found, check.next());
  if (!found || check.text(0) != "ok")
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} is damaged: {}", path, check.text(0)),
                "recover it with sqlite3's .recover into another file, and import that");
  return snapshot;
}

SqliteSnapshot::~SqliteSnapshot() {
  connection_.reset();
  std::error_code ignored;
  if (!copy_.empty()) fs::remove_all(copy_, ignored);
}

Result<std::vector<std::string>> SqliteSnapshot::columns(const std::string& table) {
  std::vector<std::string> names;
  PANDORA_TRY(any, connection_->query("SELECT 1 FROM pragma_table_info(?)", table));
  PANDORA_TRY(there, any.next());
  if (!there) return names;
  // Of the statement that gives the rows: the table's own list leaves generated columns out.
  PANDORA_TRY(statement, connection_->prepare(all_of(table)));
  sqlite3_stmt* row = statement.handle();
  for (int i = 0; i < sqlite3_column_count(row); ++i) names.emplace_back(sqlite3_column_name(row, i));
  return names;
}

Status SqliteSnapshot::rows(const std::string& table, const std::vector<std::string>& order,
                            const std::function<Status(const SqliteRow&)>& take) {
  std::string sql = all_of(table);
  for (std::size_t i = 0; i < order.size(); ++i) sql += (i == 0 ? " ORDER BY " : ", ") + quoted(order[i]);
  PANDORA_TRY(statement, connection_->prepare(sql));
  sqlite3_stmt* row = statement.handle();
  SqliteRow values(static_cast<std::size_t>(sqlite3_column_count(row)));
  for (;;) {
    PANDORA_TRY(more, statement.next());
    if (!more) return {};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = value_of(row, static_cast<int>(i));
    PANDORA_CHECK(take(values));
  }
}

}  // namespace pandora
