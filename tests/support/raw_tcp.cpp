#include "support/raw_tcp.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pandora::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

RawConnection::RawConnection(int descriptor) : descriptor_(descriptor) {
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

RawConnection::~RawConnection() { ::close(descriptor_); }

bool RawConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawConnection::send_sliced(std::string_view bytes) {
  return std::ranges::all_of(bytes, [&](const char& byte) { return send({&byte, 1}); });
}

bool RawConnection::fill() {
  std::array<char, 16384> buffer{};
  const auto got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  in_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

std::string RawConnection::receive_until(std::string_view mark) {
  std::size_t at = 0;
  while ((at = in_.find(mark)) == std::string::npos)
    if (!fill()) return std::exchange(in_, {});
  std::string found = in_.substr(0, at + mark.size());
  in_.erase(0, found.size());
  return found;
}

std::string RawConnection::receive(std::size_t bytes) {
  while (in_.size() < bytes)
    if (!fill()) return std::exchange(in_, {});
  std::string found = in_.substr(0, bytes);
  in_.erase(0, bytes);
  return found;
}

std::string RawConnection::receive_all() {
  while (fill()) {
  }
  return std::exchange(in_, {});
}

std::string RawConnection::receive_response() {
  const std::string head = receive_until("\r\n\r\n");
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = head.find(kLength);
  return at == std::string::npos
             ? head
             : head + receive(static_cast<std::size_t>(std::atoll(head.c_str() + at + kLength.size())));
}

void RawConnection::end_sending() { ::shutdown(descriptor_, SHUT_WR); }

void RawConnection::reset() {
  const linger hard{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(descriptor_);
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

std::unique_ptr<RawConnection> connect_raw(std::uint16_t port, int receive_buffer) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const sockaddr_in address = loopback(port);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(descriptor);
    return nullptr;
  }
  return std::make_unique<RawConnection>(descriptor);
}

RawServer::RawServer(Script script)
    : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { run(); });
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (RawConnection* connection : open_) ::shutdown(connection->descriptor(), SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

void RawServer::run() {
  for (;;) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    threads_.emplace_back([this, descriptor, which = count_++] {
      RawConnection connection(descriptor);
      {
        const std::lock_guard lock(mutex_);
        open_.push_back(&connection);
      }
      script_(connection, which);
      const std::lock_guard lock(mutex_);
      open_.remove(&connection);
    });
  }
}

std::uint16_t free_port() {
  static std::mutex mutex;
  static std::set<std::uint16_t> given;
  const std::lock_guard lock(mutex);
  while (true) {
    const int one = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(one, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(one, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no free port");
    ::close(one);
    if (given.insert(ntohs(address.sin_port)).second) return ntohs(address.sin_port);
  }
}

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::size_t allow_descriptors(std::size_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

}  // namespace pandora::testing
