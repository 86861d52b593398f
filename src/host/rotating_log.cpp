#include "host/rotating_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace pandora {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;  // of what a pipe holds

std::string older(const std::string& path, int place) { return place == 0 ? path : fmt::format("{}.{}", path, place); }

}  // namespace

Result<std::unique_ptr<RotatingLog>> RotatingLog::open(std::string path, LogLimits limits, FileSystem& files) {
  limits.files = std::max(limits.files, 1);
  std::unique_ptr<RotatingLog> log(new RotatingLog(std::move(path), limits, files));
  const Status begun = log->begin_file();
  if (!begun && begun.error().code != ErrorCode::kStorageFull) return fail(begun.error());
  return log;
}

Status RotatingLog::begin_file() {
  PANDORA_TRY(file, files_.open(path_, OpenMode::kAppend));
  PANDORA_TRY(size, file->size());
  file_ = std::move(file);
  size_ = size;
  return {};
}

Status RotatingLog::change_file() {
  file_.reset();
  if (limits_.files == 1) {
    if (const Status gone = files_.remove_file(path_); !gone && gone.error().code != ErrorCode::kNotFound) return gone;
    return begin_file();
  }
  for (int place = limits_.files - 1; place > 0; --place) {
    const Status moved = files_.rename(older(path_, place - 1), older(path_, place));
    if (!moved && moved.error().code != ErrorCode::kNotFound) return moved;
  }
  return begin_file();
}

Status RotatingLog::append(std::string_view bytes) {
  if (!file_) PANDORA_CHECK(begin_file());
  if (size_ > 0 && size_ + bytes.size() > limits_.bytes) PANDORA_CHECK(change_file());
  const Status written = file_->append(bytes);
  if (written) {
    size_ += bytes.size();
    return {};
  }
  if (const auto size = file_->size()) size_ = *size;  // a part may be there
  return written;
}

void RotatingLog::write(std::string_view bytes) {
  while (!bytes.empty()) {
    // As many whole lines as fit; a longer one is cut.
    const std::uint64_t room = size_ < limits_.bytes ? limits_.bytes - size_ : limits_.bytes;
    std::size_t piece = std::min<std::size_t>(bytes.size(), limits_.bytes);
    if (bytes.size() > room) {
      const std::size_t end = bytes.rfind('\n', room - 1);
      if (end != std::string_view::npos && room > 0) piece = end + 1;
    }
    const std::string_view now = bytes.substr(0, piece);
    bytes.remove_prefix(piece);
    if (lost_ > 0 && !append(fmt::format("[pandora: {} bytes of this log are lost: the disk was full]\n", lost_))) {
      lost_ += now.size();
      continue;
    }
    lost_ = append(now) ? 0 : now.size();
  }
}

Status keep_log(const std::string& pipe, const std::string& path, LogLimits limits, FileSystem& files) {
  const auto broken = [](const std::string& what) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
  };
  const int in = ::open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return broken(pipe);
  // Two readers would tear each other's lines apart; the kernel lets the next one in when one ends, however it ends.
  while (::flock(in, LOCK_EX) != 0)
    if (errno != EINTR) return broken(pipe);
  PANDORA_TRY(log, RotatingLog::open(path, limits, files));
  std::array<char, kPieceBytes> piece;
  for (;;) {
    const auto got = ::read(in, piece.data(), piece.size());
    if (got == 0) break;
    if (got > 0)
      log->write({piece.data(), static_cast<std::size_t>(got)});
    else if (errno != EINTR)
      return broken(pipe);
  }
  ::close(in);
  return {};
}

std::vector<std::string> last_lines(FileSystem& files, const std::string& path, std::size_t lines, std::size_t bytes) {
  std::string text;
  for (int place = 1; place >= 0; --place) {  // right after a change the present one is short
    const auto file = files.open(older(path, place), OpenMode::kRead);
    const auto size = file ? (*file)->size() : Result<std::uint64_t>(0);
    if (!file || !size) continue;
    const std::uint64_t from = *size > bytes ? *size - bytes : 0;
    if (const auto end = (*file)->read_at(from, bytes)) text += *end;
  }
  if (text.size() > bytes) text.erase(0, text.size() - bytes);
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) found.push_back(mask_secrets(text.substr(at, end - at)));
    at = end + 1;
  }
  if (found.size() > lines) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(lines));
  return found;
}

}  // namespace pandora
