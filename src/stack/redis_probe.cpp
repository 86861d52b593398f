// Redis: two commands, as the user that its ACL names.
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "stack/store_probes.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxLine = 512;

class Socket {
 public:
  Socket() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Status connect(std::uint16_t port, const Deadline& deadline) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
    if (errno != EINPROGRESS) return failed(errno);
    PANDORA_CHECK(wait_for_socket(descriptor_, POLLOUT, deadline));
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return failed(error);
    return {};
  }
  Status send(std::string_view bytes) {
    // A new connection's buffer takes two short commands whole.
    if (::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())) return {};
    return failed(errno);
  }
  Result<std::string> line(const Deadline& deadline) {
    for (;;) {
      if (const auto end = received_.find("\r\n"); end != std::string::npos) {
        std::string found = received_.substr(0, end);
        received_.erase(0, end + 2);
        return found;
      }
      if (received_.size() > kMaxLine) return fail(ErrorCode::kUnavailable, "what answers there is no Redis");
      PANDORA_CHECK(wait_for_socket(descriptor_, POLLIN, deadline));
      char buffer[kMaxLine];
      const auto got = ::recv(descriptor_, buffer, sizeof buffer, 0);
      if (got == 0) return fail(ErrorCode::kUnavailable, "it closes the connection");
      if (got < 0 && errno != EAGAIN && errno != EINTR) return fail(failed(errno).error());
      if (got > 0) received_.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  static Status failed(int error) { return fail(ErrorCode::kUnavailable, std::strerror(error)); }
  const int descriptor_;
  std::string received_;
};

class RedisProbe final : public HealthProbe {
 public:
  RedisProbe(std::string name, StoreAddress address) : name_(std::move(name)), address_(std::move(address)) {}
  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override {
    const SteadyTime asked = clock_.steady();
    return health_of(clock_, asked, ask(deadline));
  }

 private:
  Status ask(const Deadline& deadline) {
    PANDORA_CHECK(deadline.check(name_));
    Socket socket;
    PANDORA_CHECK(socket.connect(address_.port, deadline));
    PANDORA_CHECK(
        socket.send(fmt::format("*3\r\n$4\r\nAUTH\r\n${}\r\n{}\r\n${}\r\n{}\r\n*1\r\n$4\r\nPING\r\n",
                                address_.user.size(), address_.user, address_.secret.size(), address_.secret)));
    for (const std::string_view wanted : {"+OK", "+PONG"}) {
      PANDORA_TRY(line, socket.line(deadline));
      if (line == wanted) continue;
      if (!line.starts_with('-')) return fail(ErrorCode::kUnavailable, "what answers there is no Redis");
      const bool refused = line.starts_with("-WRONGPASS") || line.starts_with("-NO");  // NOAUTH, NOPERM
      return fail(refused ? ErrorCode::kUnauthenticated : ErrorCode::kUnavailable, sanitize_utf8(line.substr(1)));
    }
    return {};
  }

  const SystemClock clock_;
  const std::string name_;
  const StoreAddress address_;
};

}  // namespace

std::unique_ptr<HealthProbe> make_redis_probe(std::string name, StoreAddress address) {
  return std::make_unique<RedisProbe>(std::move(name), std::move(address));
}

}  // namespace pandora
