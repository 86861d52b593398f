#include "net/local_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

namespace pandora {
namespace {

Error system_error(std::string_view what, const std::string& path) {
  return {ErrorCode::kUnavailable, fmt::format("{} {}: {}", what, path, std::strerror(errno)), {}};
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(), fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// sockaddr_un holds 107 bytes; a longer path is reached through the descriptor of its directory.
struct Address {
  sockaddr_un name{};
  Descriptor directory;
};
Result<Address> address_of(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  std::string reach = path;
  if (reach.size() >= sizeof address.name.sun_path) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
    address.directory = Descriptor(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (address.directory.get() < 0) return fail(system_error("cannot open", parent));
    reach = fmt::format("/proc/self/fd/{}/{}", address.directory.get(), path.substr(slash + 1));
    if (reach.size() >= sizeof address.name.sun_path)
      return fail(ErrorCode::kInvalidArgument, "the socket's name is too long: " + path);
  }
  std::copy(reach.begin(), reach.end(), address.name.sun_path);
  return address;
}

bool same_user(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace

LocalConnection::~LocalConnection() { ::close(descriptor_); }

void LocalConnection::stop_receiving() {
  stopped_ = true;
  ::shutdown(descriptor_, SHUT_RD);
}

bool LocalConnection::has_input(Duration wait) const {
  pollfd ready{descriptor_, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count())) > 0;
}

bool LocalConnection::peer_left() const {
  if (stopped_) return false;  // our own end looks like theirs now; a failed send will tell
  char byte = 0;
  const auto got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

Status LocalConnection::send(std::string_view frame) {
  if (frame.size() > kMaxFrameBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("an answer of {} bytes, at most {} fit", frame.size(), kMaxFrameBytes));
  std::array<unsigned char, 4> length{};
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<unsigned char>(frame.size() >> (8 * i));
  std::string bytes(length.begin(), length.end());
  bytes += frame;
  // A program that was stopped (Ctrl-Z) reads nothing, and must not hold what runs here.
  constexpr Duration kLook = std::chrono::milliseconds(100);
  Duration unread{};
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto n = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd room{descriptor_, POLLOUT, 0};
      if (::poll(&room, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(kLook).count())) == 0)
        unread += kLook;
      if (unread >= (stopped_ ? kMaxUnreadAtEnd : kMaxUnread))
        return fail(ErrorCode::kCancelled, "the other side does not read");
      continue;
    }
    unread = {};
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return fail(ErrorCode::kCancelled, "the other side left");
    if (n < 0) return fail(system_error("cannot write to", "the local socket"));
    sent += static_cast<std::size_t>(n);
  }
  return {};
}

Status LocalConnection::read_exactly(char* into, std::size_t size, const Deadline& deadline, bool at_start) {
  for (std::size_t got = 0; got < size;) {
    const Duration left = deadline.remaining();
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(std::min(left, Duration(std::chrono::hours(1))));
    pollfd ready{descriptor_, POLLIN, 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(millis.count()));
    if (polled == 0 && deadline.expired()) return deadline.check("waiting for the local socket");
    if (polled <= 0) continue;
    const auto n = ::recv(descriptor_, into + got, size - got, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
      if (at_start && got == 0) return fail(ErrorCode::kCancelled, "the other side closed the connection");
      return fail(ErrorCode::kUnavailable, "the other side left in the middle of an answer");
    }
    if (n < 0) return fail(system_error("cannot read from", "the local socket"));
    got += static_cast<std::size_t>(n);
  }
  return {};
}

Result<std::string> LocalConnection::receive(const Deadline& deadline) {
  std::array<char, 4> head{};
  PANDORA_CHECK(read_exactly(head.data(), head.size(), deadline, true));
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < head.size(); ++i)
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(head[i])) << (8 * i);
  if (length > kMaxFrameBytes)
    return fail(ErrorCode::kTooLarge, fmt::format("a frame of {} bytes, at most {} are read", length, kMaxFrameBytes));
  // Memory is taken as bytes come, not as the other end announces them.
  constexpr std::size_t kPiece = 1u << 20;
  std::string frame;
  while (frame.size() < length) {
    const std::size_t got = frame.size();
    frame.resize(std::min<std::size_t>(length, got + kPiece));
    PANDORA_CHECK(read_exactly(frame.data() + got, frame.size() - got, deadline, false));
  }
  return frame;
}

Result<std::unique_ptr<LocalConnection>> connect_local(const std::string& path) {
  PANDORA_TRY(address, address_of(path));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail(system_error("cannot open a socket for", path));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.name), sizeof address.name) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return fail(ErrorCode::kNotFound, "nobody listens on " + path);
    if (errno == EACCES) return fail(ErrorCode::kPermissionDenied, path + " belongs to another user");
    return fail(system_error("cannot connect to", path));
  }
  return std::make_unique<LocalConnection>(socket.release());
}

namespace {

class ThreadedLocalServer final : public LocalServer {
 public:
  ThreadedLocalServer(Descriptor socket, Descriptor wake_read, Descriptor wake_write, std::string path, Handler handler)
      : socket_(std::move(socket)),
        wake_read_(std::move(wake_read)),
        wake_write_(std::move(wake_write)),
        path_(std::move(path)),
        handler_(std::move(handler)),
        acceptor_([this] { accept_loop(); }) {}

  ~ThreadedLocalServer() override {
    wake_write_.reset();  // the acceptor sees the end of the pipe
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (auto& session : sessions_)
        if (session.connection) session.connection->stop_receiving();
    }
    for (auto& session : sessions_) session.thread.join();
    if (const auto address = address_of(path_)) ::unlink(address->name.sun_path);
  }

 private:
  struct Session {
    std::unique_ptr<LocalConnection> connection;
    std::thread thread;
    bool done = false;  // under mutex_
  };

  void accept_loop() {
    for (;;) {
      std::array<pollfd, 2> ready{{{socket_.get(), POLLIN, 0}, {wake_read_.get(), POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      if (ready[1].revents != 0) return;
      if ((ready[0].revents & POLLIN) == 0) continue;
      Descriptor peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer.get() >= 0)
        serve(std::move(peer));
      else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause();
    }
  }

  // It stays in the backlog until there are descriptors again; looking at once would only burn a processor.
  void pause() const {
    pollfd wake{wake_read_.get(), POLLIN, 0};
    (void)::poll(&wake, 1, 100);
  }

  void serve(Descriptor peer) {
    if (!same_user(peer.get())) return log_warn("local_socket.foreign_user");
    const std::lock_guard lock(mutex_);
    sessions_.remove_if([](Session& session) {
      if (session.done) session.thread.join();
      return session.done;
    });
    if (sessions_.size() >= kMaxLocalConnections) return log_warn("local_socket.full");
    Session& session = sessions_.emplace_back();
    session.connection = std::make_unique<LocalConnection>(peer.release());
    try {
      session.thread = std::thread([this, &session] {
        handler_(*session.connection);
        const std::lock_guard done(mutex_);
        session.connection.reset();
        session.done = true;
      });
    } catch (const std::system_error& error) {  // so many threads, and no more
      sessions_.pop_back();
      log_warn("local_socket.no_thread", {{"why", error.what()}});
    }
  }

  Descriptor socket_, wake_read_, wake_write_;
  std::string path_;
  Handler handler_;
  std::mutex mutex_;
  std::list<Session> sessions_;
  std::thread acceptor_;
};

}  // namespace

Result<std::unique_ptr<LocalServer>> LocalServer::listen(const std::string& path, Handler handler) {
  PANDORA_TRY(address, address_of(path));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail(system_error("cannot open a socket for", path));
  ::unlink(address.name.sun_path);
  // Mode 0600 from the first moment: the directory is 0700 as well.
  if (::fchmod(socket.get(), 0600) != 0) return fail(system_error("cannot protect", path));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.name), sizeof address.name) != 0)
    return fail(system_error("cannot create", path));
  if (::chmod(address.name.sun_path, 0600) != 0) return fail(system_error("cannot protect", path));
  if (::listen(socket.get(), kMaxLocalConnections) != 0) return fail(system_error("cannot listen on", path));
  std::array<int, 2> wake{};
  if (::pipe2(wake.data(), O_CLOEXEC) != 0) return fail(system_error("cannot open a pipe for", path));
  return std::make_unique<ThreadedLocalServer>(std::move(socket), Descriptor(wake[0]), Descriptor(wake[1]), path,
                                               std::move(handler));
}

}  // namespace pandora
