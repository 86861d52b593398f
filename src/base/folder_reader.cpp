#include "base/folder_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pandora {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

tl::unexpected<Error> failed(const std::string& path, int code) {
  const std::string shown = path.empty() ? "the folder" : "\"" + path + "\"";
  switch (code) {
    case ENOENT:
      return fail(ErrorCode::kNotFound, fmt::format("there is no {}", shown), "list the folder to see what there is");
    case ENOTDIR:
      return fail(ErrorCode::kNotFound, fmt::format("there is no {}: a part of it is no folder", shown),
                  "list the folder to see what there is");
    case EXDEV:
    case ELOOP:
      return fail(ErrorCode::kPermissionDenied, fmt::format("{} leads out of the folder", shown),
                  "name a path inside it");
    case EACCES:
    case EPERM:
      return fail(ErrorCode::kPermissionDenied, fmt::format("{} may not be read", shown));
    case ENOSYS:
      return fail(ErrorCode::kUnavailable, "this kernel cannot keep a path inside a folder (it lacks openat2)");
    default:
      return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", shown, std::strerror(code)));
  }
}

Result<Descriptor> open_beneath(const std::string& root, const std::string& path, std::uint64_t flags) {
  if (path.size() > kMaxBeneathPathBytes)
    return fail(ErrorCode::kInvalidArgument, fmt::format("a path of more than {} bytes", kMaxBeneathPathBytes));
  if (path.find('\0') != std::string::npos) return fail(ErrorCode::kInvalidArgument, "a path with a zero byte");
  const Descriptor folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0)
    return fail(ErrorCode::kUnavailable, fmt::format("the folder cannot be opened: {}", std::strerror(errno)));
  open_how how{};
  // Never waits: a pipe that nobody writes is opened at once, and refused below.
  how.flags = flags | O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long opened = ::syscall(SYS_openat2, folder.get(), path.empty() ? "." : path.c_str(), &how, sizeof(how));
    if (opened >= 0) return Descriptor(static_cast<int>(opened));
    if (errno != EINTR && errno != EAGAIN) return failed(path, errno);  // EAGAIN: the tree was changed meanwhile
  }
}

}  // namespace

Result<std::string> FolderReader::read(const std::string& path, std::size_t max_bytes) const {
  PANDORA_TRY(file, open_beneath(root_, path, 0));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed(path, errno);
  if (S_ISDIR(status.st_mode))
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is a folder", path), "list it");
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no regular file", path));
  const auto too_large = [&](std::int64_t bytes) {
    return fail(ErrorCode::kTooLarge, fmt::format("\"{}\" has {} bytes, at most {} are read", path, bytes, max_bytes));
  };
  if (status.st_size > static_cast<std::int64_t>(max_bytes)) return too_large(status.st_size);
  std::string text;
  for (std::array<char, 65536> piece{};;) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, errno);
    if (count == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > max_bytes) return too_large(static_cast<std::int64_t>(text.size()));  // it grew meanwhile
  }
}

Result<FolderListing> FolderReader::list(const std::string& path, std::size_t max_entries) const {
  PANDORA_TRY(folder, open_beneath(root_, path, 0));
  struct stat status{};
  if (::fstat(folder.get(), &status) != 0) return failed(path, errno);
  if (!S_ISDIR(status.st_mode))
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no folder", path), "read it");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(folder.get()), &::closedir);
  if (!stream) return failed(path, errno);
  (void)folder.release();  // the stream closes it
  FolderListing listing;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat of{};
    if (::fstatat(::dirfd(stream.get()), entry->d_name, &of, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    if (!S_ISDIR(of.st_mode) && !S_ISREG(of.st_mode)) continue;
    listing.entries.push_back({name, S_ISDIR(of.st_mode), S_ISDIR(of.st_mode) ? 0 : of.st_size});
    // Bounded also where a folder holds millions: the first by name of those looked at.
    if (listing.entries.size() < 2 * max_entries + 1) continue;
    std::ranges::nth_element(listing.entries, listing.entries.begin() + static_cast<std::ptrdiff_t>(max_entries), {},
                             &FolderEntry::name);
    listing.entries.resize(max_entries);
    listing.is_cut = true;
  }
  if (errno != 0) return failed(path, errno);
  std::ranges::sort(listing.entries, {}, &FolderEntry::name);
  if (listing.entries.size() > max_entries) {
    listing.entries.resize(max_entries);
    listing.is_cut = true;
  }
  return listing;
}

}  // namespace pandora
