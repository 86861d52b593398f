// Files that last: the one seam between Pandora and the disk.
//
// Durability, in the terms of POSIX: bytes written are safe against power loss after `File::sync()`; a name created,
// renamed or removed is safe after `sync_directory()` of its parent. `write_atomic` does all of it. Until then a crash
// may keep, lose, tear or reorder any of it: that is what the test double (tests/support/fault_file_system.h) does.
//
// Errors: kNotFound, kPermissionDenied (EACCES, EPERM, EROFS), kStorageFull (ENOSPC, EDQUOT), kTooLarge, kConflict
// (exists; locked), kUnavailable (EIO and the rest), each naming the path. Paths are UTF-8 as given. Thread-safe; one
// `File` is for one thread at a time, except `sync`, which may overlap `append`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

enum class OpenMode {
  kRead,       // must exist
  kAppend,     // created when missing; writes go to the end
  kCreateNew,  // must not exist; append
};

class File {
 public:
  virtual ~File() = default;                          // closes; never syncs
  virtual Status append(std::string_view bytes) = 0;  // all of it or an error (a part may then be written)
  virtual Result<std::string> read_at(std::uint64_t offset, std::size_t length) = 0;  // short only at the end
  virtual Result<std::uint64_t> size() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  // Data and size on disk (fdatasync). After a failed sync the file's content is unknown: stop using it.
  virtual Status sync() = 0;
};

// A whole file as memory that cannot be written; the name may be removed meanwhile. Thread-safe.
class FileMapping {
 public:
  virtual ~FileMapping() = default;
  virtual std::string_view bytes() const = 0;  // begins at a multiple of 16 in memory
  // These bytes will not be read soon: no longer counted as this process's memory. They stay readable.
  virtual void release(std::size_t, std::size_t) const {}
};

// Holds an exclusive advisory lock on a file until destroyed; the kernel drops it when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct FileInfo {
  std::string name;  // last component
  bool is_directory = false;
  std::uint64_t size = 0;
};

enum class Durability {
  kNow,       // on disk when the call returns
  kDeferred,  // after the next sync of the file and its directory
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // The whole file; kTooLarge past `max_bytes`.
  virtual Result<std::string> read_file(const std::string& path, std::size_t max_bytes) = 0;
  // For a file that nobody changes any more. This one reads it; the real one maps it, so that the system reads what is
  // touched. A file that is cut short meanwhile ends the process (SIGBUS): only what we alone write may be mapped.
  virtual Result<std::unique_ptr<FileMapping>> map(const std::string& path);
  // Replaces `path` as a whole: a reader sees the old or the new content, never a part. Mode 0600.
  virtual Status write_atomic(const std::string& path, std::string_view bytes, Durability durability) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces a file, not a directory
  virtual Status remove_file(const std::string& path) = 0;                    // kNotFound when missing
  virtual Status remove_tree(const std::string& path) = 0;                    // missing is fine; follows no link
  virtual Status create_directories(const std::string& path) = 0;             // existing is fine; mode 0700
  virtual Result<std::vector<FileInfo>> list(const std::string& path) = 0;    // sorted by name
  // The first `limit` names above `after` ("": of all), sorted. The real one holds no more than these, however many
  // there are, and reads the directory once a call: ask for many.
  virtual Result<std::vector<FileInfo>> list_after(const std::string& path, const std::string& after,
                                                   std::size_t limit);
  virtual Result<FileInfo> info(const std::string& path) = 0;
  virtual Status sync_file(const std::string& path) = 0;       // for content written kDeferred
  virtual Status sync_directory(const std::string& path) = 0;  // names in it
  // Everything below `directory` that was written before this call. For much at once: one call instead of one a file.
  virtual Status sync_below(const std::string& directory);
  // kConflict when another process holds it. The holder's text (pid, purpose) is readable by `read_file`.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, std::string_view holder) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;

  bool exists(const std::string& path) { return info(path).has_value(); }
};

// The real one.
std::unique_ptr<FileSystem> make_posix_file_system();

// "a/b" from parts, one slash between.
std::string join_path(std::string_view directory, std::string_view name);

}  // namespace pandora
