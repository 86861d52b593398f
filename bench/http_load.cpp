#include "http_load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pandora {
namespace {

constexpr std::size_t kScratch = 256 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n", kLastChunk = "0\r\n\r\n";
constexpr std::uint64_t kFirstOwn = 10'000'000;  // eight digits
constexpr int kPatienceMillis = 20'000;          // for the last answers

int connect_to(std::uint16_t port, int flags) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return ::close(socket), -1;
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int flipped = ::fcntl(socket, F_GETFL) | flags;
  ::fcntl(socket, F_SETFL, flipped);
  return socket;
}

struct Connection {
  int socket = -1;
  std::string request;
  std::size_t own = std::string::npos;  // where its number stands in it
  std::int64_t asked_at = 0;
  std::string head;  // until it is whole
  bool head_read = false, chunked = false, body_began = false;
  std::size_t left = 0;  // of a body with a length
  std::string tail;      // the last bytes of a chunked one
};

std::size_t content_length(std::string_view head) {
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    const std::size_t at = head.find(name);
    if (at == std::string_view::npos) continue;
    std::size_t length = 0;
    std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    return length;
  }
  return 0;
}

class Load {
 public:
  Load(std::uint16_t port, const std::string& request, LoadFigures& figures)
      : port_(port), request_(request), figures_(figures), poll_(::epoll_create1(EPOLL_CLOEXEC)), scratch_(kScratch) {}
  ~Load() {
    for (const auto& one : connections_)
      if (one.socket >= 0) ::close(one.socket);
    ::close(poll_);
  }

  void run(int connections, std::chrono::milliseconds time) {
    connections_.resize(static_cast<std::size_t>(connections));
    const std::int64_t began = monotonic_nanos(), until = began + std::chrono::nanoseconds(time).count();
    for (auto& one : connections_) {
      one.request = request_;
      one.own = request_.find(kEachItsOwn);
      open(one);
    }
    std::array<epoll_event, 256> events{};
    while (under_way_ > 0) {
      const int count = ::epoll_wait(poll_, events.data(), events.size(), kPatienceMillis);
      if (count <= 0) break;
      for (int i = 0; i < count; ++i) {
        auto& one = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        stopping_ = stopping_ || monotonic_nanos() >= until;
        take(one);
      }
    }
    figures_.failures += under_way_;
    figures_.per_second =
        static_cast<double>(figures_.answers) / (static_cast<double>(monotonic_nanos() - began) / 1e9);
  }

 private:
  void open(Connection& one) {
    one.socket = connect_to(port_, O_NONBLOCK);
    if (one.socket < 0) {
      ++figures_.failures;
      return;
    }
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &one}};
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, one.socket, &event);
    ++under_way_;
    ask(one);
  }
  void ask(Connection& one) {
    static std::uint64_t asked = 0;
    one.head.clear();
    one.tail.clear();
    one.head_read = one.body_began = false;
    if (one.own != std::string::npos)
      one.request.replace(one.own, std::strlen(kEachItsOwn), std::to_string(kFirstOwn + asked++ % kFirstOwn));
    one.asked_at = monotonic_nanos();
    if (::send(one.socket, one.request.data(), one.request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(one.request.size()))
      broken(one);
  }
  void broken(Connection& one) {
    ++figures_.failures;
    --under_way_;
    ::close(one.socket);
    one.socket = -1;
    if (!stopping_ && figures_.failures < 1000) open(one);
  }
  void ended(Connection& one) {
    figures_.whole.push_back(since(one));
    ++figures_.answers;
    if (!stopping_) return ask(one);
    --under_way_;
  }
  static double since(const Connection& one) { return static_cast<double>(monotonic_nanos() - one.asked_at) / 1e3; }

  void take(Connection& one) {
    if (one.socket < 0) return;
    const auto got = ::recv(one.socket, scratch_.data(), scratch_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return broken(one);
    std::string_view bytes(scratch_.data(), static_cast<std::size_t>(got));
    if (!one.head_read) {
      const std::size_t before = one.head.size();
      one.head += bytes;
      const std::size_t end = one.head.find(kHeadEnd);
      if (end == std::string::npos) return;
      one.head_read = true;
      const std::string_view head = std::string_view(one.head).substr(0, end + 2);
      if (!head.starts_with("HTTP/1.1 200")) ++figures_.failures;
      one.chunked = head.find("chunked") != std::string_view::npos;
      one.left = content_length(head);
      bytes.remove_prefix(end + kHeadEnd.size() - before);
    }
    if (!bytes.empty()) take_body(one, bytes);
  }
  void take_body(Connection& one, std::string_view bytes) {
    if (!std::exchange(one.body_began, true)) figures_.first.push_back(since(one));
    for (std::size_t at = bytes.find(kSentMark); at != std::string_view::npos; at = bytes.find(kSentMark, at)) {
      at += std::string_view(kSentMark).size();
      std::int64_t sent = 0;
      std::from_chars(bytes.data() + at, bytes.data() + bytes.size(), sent);
      figures_.age.push_back(static_cast<double>(monotonic_nanos() - sent) / 1e3);
    }
    if (!one.chunked) {
      one.left -= std::min(one.left, bytes.size());
      if (one.left == 0) ended(one);
      return;
    }
    one.tail += bytes.substr(bytes.size() - std::min(bytes.size(), kLastChunk.size()));
    if (one.tail.size() > kLastChunk.size()) one.tail.erase(0, one.tail.size() - kLastChunk.size());
    if (one.tail == kLastChunk) ended(one);
  }

  const std::uint16_t port_;
  const std::string& request_;
  LoadFigures& figures_;
  const int poll_;
  std::vector<char> scratch_;
  std::vector<Connection> connections_;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
};

}  // namespace

std::int64_t monotonic_nanos() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

LoadFigures put_load(std::uint16_t port, const std::string& request, int connections, std::chrono::milliseconds time) {
  LoadFigures figures;
  Load(port, request, figures).run(connections, time);
  return figures;
}

OpenStreams::OpenStreams(std::uint16_t port, const std::string& request, int count) {
  std::array<char, 16 * 1024> bytes{};
  for (int i = 0; i < count; ++i) {
    const int socket = connect_to(port, 0);
    if (socket < 0) return;
    sockets_.push_back(socket);
    if (::send(socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return;
    std::string got;
    while (got.find("data: ") == std::string::npos) {
      pollfd waiting{socket, POLLIN, 0};
      if (::poll(&waiting, 1, kPatienceMillis) <= 0) return;
      const auto read = ::recv(socket, bytes.data(), bytes.size(), 0);
      if (read <= 0) return;
      got.append(bytes.data(), static_cast<std::size_t>(read));
    }
    if (got.starts_with("HTTP/1.1 200")) ++begun;
  }
}

OpenStreams::~OpenStreams() {
  for (const int socket : sockets_) ::close(socket);
}

}  // namespace pandora
