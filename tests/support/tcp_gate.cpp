#include "support/tcp_gate.h"

#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pandora::testing {
namespace {

constexpr int kTickMs = 5;

sockaddr_in on_loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void reset(int descriptor) {
  const linger now{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::shutdown(descriptor, SHUT_RDWR);
}

}  // namespace

TcpGate::TcpGate(std::uint16_t server) : server_(server), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address = on_loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port for a gate");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

TcpGate::~TcpGate() {
  ends_ = true;
  acceptor_.join();
  cut();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
}

void TcpGate::cut() {
  const std::lock_guard lock(mutex_);
  for (const Pair& pair : open_) {
    reset(pair.near);
    reset(pair.far);
  }
}

void TcpGate::accept() {
  while (!ends_) {
    pollfd one{listener_, POLLIN, 0};
    if (::poll(&one, 1, kTickMs) <= 0) continue;
    const int near = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (near < 0) continue;
    if (refuses_) {
      reset(near);
      ::close(near);
      continue;
    }
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, near] {
      const int far = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = on_loopback(server_);
      if (::connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || !pass_on(near, far))
        reset(near);
      ::close(near);
      ::close(far);
    });
  }
}

// Whether one of both has ended it in order: what was passed on before that still arrives.
bool TcpGate::pass_on(int near, int far) {
  std::list<Pair>::iterator mine;
  {
    const std::lock_guard lock(mutex_);
    mine = open_.insert(open_.end(), {near, far});
  }
  const int on = 1;
  ::setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char bytes[65536];
  bool in_order = false;
  for (bool open = true; open && !ends_;) {
    pollfd both[] = {{near, POLLIN, 0}, {far, POLLIN, 0}};
    if (holds_) {
      ::poll(nullptr, 0, kTickMs);
      continue;
    }
    if (::poll(both, 2, kTickMs) <= 0) continue;
    const std::size_t slow = most_;
    if (slow > 0) ::poll(nullptr, 0, kTickMs);
    for (int from = 0; from < 2 && open; ++from) {
      if (both[from].revents == 0) continue;
      const std::size_t most = slow ? slow : sizeof bytes;
      ssize_t count = ::recv(both[from].fd, bytes, most, 0);
      open = count > 0;
      in_order = count == 0;
      if (from == 0 && count > 0) {
        passed_ += count;
        if (left_ > 0 && (left_ -= count) <= 0) {
          count += left_ < 0 ? static_cast<ssize_t>(left_) : 0;  // a message is cut in its middle
          left_ = 0;
          (void)::send(far, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
          open = false;
        }
      }
      for (ssize_t sent = 0; open && sent < count;) {
        const ssize_t one =
            ::send(both[1 - from].fd, bytes + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
        open = one > 0;
        sent += one;
      }
    }
  }
  const std::lock_guard lock(mutex_);
  open_.erase(mine);
  return in_order;
}

}  // namespace pandora::testing
