#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file_system.h"

namespace pandora {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
constexpr std::size_t kReadBytes = 4096;
constexpr int kMaxTemporaryNames = 100;  // left by crashes of a process with the same id (always 1 in a container)

// One place where errno becomes an error with a remedy.
tl::unexpected<Error> posix_error(std::string_view doing, const std::string& path, int code = errno) {
  const std::string message = fmt::format("cannot {} {}: {}", doing, path, std::strerror(code));
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return fail(ErrorCode::kNotFound, message);
    case EACCES:
    case EPERM:
      return fail(ErrorCode::kPermissionDenied, message, "give this user read and write access to it");
    case EROFS:
      return fail(ErrorCode::kPermissionDenied, message, "the file system is read-only: mount it writable");
    case ENOSPC:
    case EDQUOT:
      return fail(ErrorCode::kStorageFull, message,
                  "free some space on that file system; nothing acknowledged is lost");
    case EEXIST:
    case ENOTEMPTY:
      return fail(ErrorCode::kConflict, message);
    case EFBIG:
    case ENAMETOOLONG:
      return fail(ErrorCode::kTooLarge, message);
    default:
      return fail(ErrorCode::kUnavailable, message);
  }
}

template <class Call>
auto retry_interrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Status append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto written = retry_interrupted([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return posix_error("write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<std::string> read_at(std::uint64_t offset, std::size_t length) override {
    std::string bytes(length, '\0');
    std::size_t got = 0;
    while (got < length) {
      const auto n = retry_interrupted([&] {
        return ::pread(descriptor_.get(), bytes.data() + got, length - got, static_cast<off_t>(offset + got));
      });
      if (n < 0) return posix_error("read", path_);
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    bytes.resize(got);
    return bytes;
  }

  Result<std::uint64_t> size() override {
    struct stat info{};
    if (::fstat(descriptor_.get(), &info) != 0) return posix_error("look at", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Status truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }) != 0)
      return posix_error("truncate", path_);
    return {};
  }

  Status sync() override {
    if (retry_interrupted([&] { return ::fdatasync(descriptor_.get()); }) != 0) return posix_error("sync", path_);
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

class PosixMapping final : public FileMapping {
 public:
  PosixMapping(const char* memory, std::size_t size) : bytes_(memory, size) {}
  ~PosixMapping() override {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  PosixMapping(const PosixMapping&) = delete;
  PosixMapping& operator=(const PosixMapping&) = delete;
  std::string_view bytes() const override { return bytes_; }
  void release(std::size_t offset, std::size_t length) const override {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t first = (offset + page - 1) / page * page, end = (offset + length) / page * page;
    if (end > first && end <= bytes_.size())
      (void)::madvise(const_cast<char*>(bytes_.data()) + first, end - first, MADV_DONTNEED);
  }

 private:
  std::string_view bytes_;
};

// What was read, where nothing can be mapped.
class CopiedFile final : public FileMapping {
 public:
  explicit CopiedFile(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const override { return bytes_; }

 private:
  std::string bytes_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;  // closing it lets the lock go
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const int flags = mode == OpenMode::kRead     ? O_RDONLY
                      : mode == OpenMode::kAppend ? O_RDWR | O_APPEND | O_CREAT
                                                  : O_RDWR | O_APPEND | O_CREAT | O_EXCL;
    Descriptor descriptor = open_descriptor(path, flags);
    if (!descriptor.valid()) return posix_error("open", path);
    return std::make_unique<PosixFile>(std::move(descriptor), path);
  }

  Result<std::string> read_file(const std::string& path, std::size_t max_bytes) override {
    PANDORA_TRY(file, open(path, OpenMode::kRead));
    PANDORA_TRY(size, file->size());
    if (size > max_bytes)
      return fail(ErrorCode::kTooLarge, fmt::format("{} holds {} bytes, at most {} are read", path, size, max_bytes));
    // To the end, not to `size`: files of /proc say 0, and a file may grow meanwhile.
    std::string bytes;
    for (;;) {
      PANDORA_TRY(part, file->read_at(bytes.size(), std::max<std::size_t>(size + 1, kReadBytes)));
      if (part.empty()) break;
      bytes += part;
      if (bytes.size() > max_bytes)
        return fail(ErrorCode::kTooLarge, fmt::format("{} holds over {} bytes", path, max_bytes));
    }
    return bytes;
  }

  Result<std::unique_ptr<FileMapping>> map(const std::string& path) override {
    Descriptor descriptor = open_descriptor(path, O_RDONLY);
    if (!descriptor.valid()) return posix_error("open", path);
    struct stat found{};
    if (::fstat(descriptor.get(), &found) != 0) return posix_error("look at", path);
    const auto size = static_cast<std::size_t>(found.st_size);
    if (size == 0) return std::make_unique<PosixMapping>(nullptr, 0);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
    if (memory == MAP_FAILED) return posix_error("map", path);
    return std::make_unique<PosixMapping>(static_cast<const char*>(memory), size);
  }

  Status write_atomic(const std::string& path, std::string_view bytes, Durability durability) override {
    const auto next_name = [&] { return fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter_++); };
    std::string temporary = next_name();
    for (int i = 1; i < kMaxTemporaryNames && ::access(temporary.c_str(), F_OK) == 0; ++i) temporary = next_name();
    const Status written = write_temporary(temporary, bytes, durability);
    if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
      const int code = errno;
      if (written || written.error().code != ErrorCode::kConflict) ::unlink(temporary.c_str());  // not another's
      return written ? Status(posix_error("replace", path, code)) : written;
    }
    return durability == Durability::kNow ? sync_directory(parent_of(path)) : Status();
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return posix_error(fmt::format("rename {} to", from), to);
    return {};
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return posix_error("remove", path);
    return {};
  }

  Status remove_tree(const std::string& path) override {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) return posix_error("remove", path, code.value());
    return {};
  }

  Status create_directories(const std::string& path) override {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
    if (errno == EEXIST) {
      const auto existing = info(path);
      if (existing && existing->is_directory) return {};
      return fail(ErrorCode::kConflict, path + " exists and is no directory");
    }
    const std::string parent = parent_of(path);
    if (errno != ENOENT || parent == path) return posix_error("create", path);
    PANDORA_CHECK(create_directories(parent));
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return posix_error("create", path);
    return {};
  }

  Result<std::vector<FileInfo>> list(const std::string& path) override {
    std::vector<FileInfo> entries;
    std::error_code code;
    std::filesystem::directory_iterator it(path, code);
    if (code) return posix_error("list", path, code.value());
    for (; it != std::filesystem::directory_iterator(); it.increment(code)) {
      if (code) return posix_error("list", path, code.value());
      auto entry = info(it->path().string());
      if (entry) entries.push_back(*std::move(entry));  // one that vanished meanwhile is not there
    }
    std::ranges::sort(entries, {}, &FileInfo::name);
    return entries;
  }

  Result<std::vector<FileInfo>> list_after(const std::string& path, const std::string& after,
                                           std::size_t limit) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return posix_error("list", path);
    std::vector<std::string> least;  // a heap with the greatest in front
    while (limit > 0) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (!entry && errno != 0) return posix_error("list", path);
      if (!entry) break;
      const std::string_view name = entry->d_name;
      const bool is_full = least.size() == limit;
      if (name <= after || name == "." || name == ".." || (is_full && name >= least.front())) continue;
      if (is_full) {
        std::ranges::pop_heap(least);
        least.back() = name;
      } else {
        least.emplace_back(name);
      }
      std::ranges::push_heap(least);
    }
    std::ranges::sort_heap(least);
    std::vector<FileInfo> entries;
    entries.reserve(least.size());
    for (const auto& name : least)
      if (auto entry = info(join_path(path, name))) entries.push_back(*std::move(entry));
    // None at all is said at the end alone, not of names that have all vanished meanwhile.
    if (entries.empty() && !least.empty()) return list_after(path, least.back(), limit);
    return entries;
  }

  Result<FileInfo> info(const std::string& path) override {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return posix_error("look at", path);
    return FileInfo{path.substr(path.rfind('/') + 1), S_ISDIR(found.st_mode),
                    static_cast<std::uint64_t>(found.st_size)};
  }

  Status sync_file(const std::string& path) override {
    Descriptor descriptor = open_descriptor(path, O_RDONLY);
    if (!descriptor.valid()) return posix_error("open", path);
    if (retry_interrupted([&] { return ::fdatasync(descriptor.get()); }) != 0) return posix_error("sync", path);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    Descriptor descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!descriptor.valid()) return posix_error("open", path);
    if (retry_interrupted([&] { return ::fsync(descriptor.get()); }) != 0) return posix_error("sync", path);
    return {};
  }

  Status sync_below(const std::string& directory) override {
    Descriptor descriptor = open_descriptor(directory, O_RDONLY | O_DIRECTORY);
    if (!descriptor.valid()) return posix_error("open", directory);
    if (::syncfs(descriptor.get()) != 0) return posix_error("sync", directory);
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path, std::string_view holder) override {
    Descriptor descriptor = open_descriptor(path, O_RDWR | O_CREAT);
    if (!descriptor.valid()) return posix_error("open", path);
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return posix_error("lock", path);
      const auto who = read_file(path, 4096);
      return fail(ErrorCode::kConflict,
                  fmt::format("{} is held by {}", path, who && !who->empty() ? *who : "another process"));
    }
    if (::ftruncate(descriptor.get(), 0) != 0 ||
        ::pwrite(descriptor.get(), holder.data(), holder.size(), 0) != static_cast<ssize_t>(holder.size()))
      return posix_error("write", path);
    return std::make_unique<PosixLock>(std::move(descriptor));
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs space{};
    if (::statvfs(path.c_str(), &space) != 0) return posix_error("look at", path);
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  }

 private:
  static Descriptor open_descriptor(const std::string& path, int flags) {
    return Descriptor(retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); }));
  }

  static std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
  }

  static Status write_temporary(const std::string& path, std::string_view bytes, Durability durability) {
    Descriptor descriptor = open_descriptor(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!descriptor.valid()) return posix_error("create", path);
    PosixFile file(std::move(descriptor), path);
    PANDORA_CHECK(file.append(bytes));
    return durability == Durability::kNow ? file.sync() : Status();
  }

  std::atomic<std::uint64_t> counter_{0};  // two threads that replace the same file use two temporaries
};

}  // namespace

Status FileSystem::sync_below(const std::string& directory) {
  PANDORA_TRY(entries, list(directory));
  for (const auto& entry : entries) {
    const std::string path = join_path(directory, entry.name);
    PANDORA_CHECK(entry.is_directory ? sync_below(path) : sync_file(path));
  }
  return sync_directory(directory);
}

Result<std::vector<FileInfo>> FileSystem::list_after(const std::string& path, const std::string& after,
                                                     std::size_t limit) {
  PANDORA_TRY(entries, list(path));
  std::erase_if(entries, [&](const FileInfo& entry) { return entry.name <= after; });
  if (entries.size() > limit) entries.resize(limit);
  return entries;
}

Result<std::unique_ptr<FileMapping>> FileSystem::map(const std::string& path) {
  PANDORA_TRY(file, open(path, OpenMode::kRead));
  PANDORA_TRY(size, file->size());
  PANDORA_TRY(bytes, file->read_at(0, size));
  return std::make_unique<CopiedFile>(std::move(bytes));
}

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

std::string join_path(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

}  // namespace pandora
