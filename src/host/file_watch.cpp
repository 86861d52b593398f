#include "host/file_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host_board.h"

namespace pandora {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_DELETE;
constexpr std::size_t kEventBytes = 16 * 1024;

class InotifyWatch final : public FileWatch {
 public:
  InotifyWatch(int fd, std::map<int, std::map<std::string, std::string>> names, Duration settle,
               std::function<void(const std::vector<std::string>&)> changed)
      : fd_(fd), names_(std::move(names)), settle_(settle), changed_(std::move(changed)) {
    thread_ = std::thread([this] { live(); });
  }
  ~InotifyWatch() override {
    ends_.ring();
    thread_.join();
    ::close(fd_);
  }

 private:
  void live() {
    std::set<std::string> touched;
    SteadyTime settled{};  // of what was touched: what else happens in its folders does not put that off
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(settled - clock_.steady());
      const int wait = touched.empty() ? -1 : static_cast<int>(std::max<std::int64_t>(0, left.count()));
      std::array<pollfd, 2> watched{{{fd_, POLLIN, 0}, {ends_.descriptor(), POLLIN, 0}}};
      const int ready = ::poll(watched.data(), watched.size(), wait);
      if (watched[1].revents != 0) return;
      if (ready > 0 && read(touched))
        settled = clock_.steady() + std::chrono::duration_cast<SteadyTime::duration>(settle_);
      if (touched.empty() || clock_.steady() < settled) continue;
      std::vector<std::string> there;
      struct stat info{};
      std::ranges::copy_if(touched, std::back_inserter(there),
                           [&](const std::string& path) { return ::stat(path.c_str(), &info) == 0; });
      touched.clear();
      if (!there.empty()) changed_(there);
    }
  }

  // True: it was about one of the files that are watched.
  bool read(std::set<std::string>& touched) {
    bool ours = false;
    alignas(inotify_event) std::array<char, kEventBytes> bytes;
    const auto got = ::read(fd_, bytes.data(), bytes.size());
    for (std::size_t at = 0; got > 0 && at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, bytes.data() + at, sizeof event);
      const auto folder = names_.find(event.wd);
      const std::string name = event.len > 0 ? bytes.data() + at + sizeof event : "";
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0)  // some were not told: all may have changed
        for (const auto& [watch, files] : names_)
          for (const auto& [file, path] : files) ours = touched.insert(path).second || ours;
      if (folder == names_.end()) continue;
      if (const auto file = folder->second.find(name); file != folder->second.end()) {
        touched.insert(file->second);
        ours = true;
      }
    }
    return ours;
  }

  const SystemClock clock_;
  const int fd_;
  const std::map<int, std::map<std::string, std::string>> names_;  // watch → name → path
  const Duration settle_;
  const std::function<void(const std::vector<std::string>&)> changed_;
  Alarm ends_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::open(const std::vector<std::string>& files, Duration settle,
                                                   std::function<void(const std::vector<std::string>&)> changed) {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const auto broken = [&](const std::string& path) {
    const int code = errno;
    if (fd >= 0) ::close(fd);
    return fail(ErrorCode::kUnavailable, fmt::format("cannot watch {}: {}", path, std::strerror(code)),
                "raise fs.inotify.max_user_instances and max_user_watches");
  };
  if (fd < 0) return broken("files");
  std::map<int, std::map<std::string, std::string>> names;
  for (const auto& path : files) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    const int watch = ::inotify_add_watch(fd, folder.c_str(), kEvents);
    if (watch < 0) return broken(folder);
    names[watch][path.substr(slash == std::string::npos ? 0 : slash + 1)] = path;
  }
  return std::make_unique<InotifyWatch>(fd, std::move(names), settle, std::move(changed));
}

}  // namespace pandora
