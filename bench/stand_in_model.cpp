#include "stand_in_model.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_load.h"

namespace pandora {
namespace {

constexpr std::string_view kWholeBody =
    R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"whole","choices":[{"index":0,"message":{"role":"assistant","content":"You said in March that peanuts give you a rash, so leave them out; almonds and walnuts were fine when you tried them. Ask your doctor before you try cashews, which you have not had yet.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":61,"completion_tokens":43,"total_tokens":104},"system_fingerprint":"fp_1"})";
constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"whole","object":"model"},{"id":"quick","object":"model"},{"id":"paced","object":"model"},{"id":"silent","object":"model"}]})";
constexpr std::string_view kChunkBegin =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"paced","system_fingerprint":"fp_1","choices":[{"index":0,"delta":)";
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string framed(std::string_view bytes) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  return std::string(size.data(), end).append("\r\n").append(bytes).append("\r\n");
}
std::string chunk(const std::string& delta, std::string_view finish = "null") {
  return framed(std::string(kChunkBegin).append(delta).append(",\"finish_reason\":").append(finish).append("}]}\n\n"));
}
std::string first_chunk() { return chunk(R"({"role":"assistant","content":""})"); }
std::string word_chunk(std::string_view words) {
  return chunk(std::string(R"({"content":")").append(words).append("\"}"));
}
std::string stream_end() { return chunk("{}", "\"stop\"") + framed("data: [DONE]\n\n") + "0\r\n\r\n"; }
std::string whole(std::string_view body) {
  return std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
}

class StandIn {
 public:
  explicit StandIn(int listener) : listener_(listener), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    watch(listener);
    quick_ = std::string(kStreamHead) + first_chunk();
    for (int i = 0; i < kPacedChunks; ++i) quick_ += word_chunk("peanuts ");
    quick_ += stream_end();
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = ::epoll_pwait2(poll_, events.data(), events.size(), next_due(), nullptr);
      for (int i = 0; i < count; ++i) {
        const int ready = events[static_cast<std::size_t>(i)].data.fd;
        ready == listener_ ? accept() : read(ready);
      }
      pace();
    }
  }

 private:
  struct Connection {
    std::string in;
    std::uint64_t stream = 0;  // the one under way; 0: none
  };
  struct Due {
    std::int64_t at;
    int socket;
    std::uint64_t stream;
    int chunks_left;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void watch(int socket) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, socket, &event);
  }
  void accept() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return;
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_[client] = {};
    watch(client);
  }
  void read(int socket) {
    const auto got = ::recv(socket, scratch_.data(), scratch_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      connections_.erase(socket);
      ::close(socket);
      return;
    }
    Connection& one = connections_[socket];
    one.in.append(scratch_.data(), static_cast<std::size_t>(got));
    const std::size_t end = one.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    std::size_t length = 0;
    if (const std::size_t at = one.in.find("Content-Length: "); at < end)
      std::from_chars(one.in.data() + at + std::strlen("Content-Length: "), one.in.data() + end, length);
    if (one.in.size() < end + 4 + length) return;
    answer(socket, one);
    one.in.clear();
  }
  void answer(int socket, Connection& one) {
    const auto asks = [&](const char* model) {
      return one.in.find(std::string("\"model\":\"").append(model).append("\"")) != std::string::npos;
    };
    if (one.in.starts_with("GET ")) return send(socket, whole(kModels));
    if (asks(kWhole)) return send(socket, whole_);
    if (asks(kQuick)) return send(socket, quick_);
    send(socket, std::string(kStreamHead) + first_chunk() + timed_chunk());
    one.stream = ++streams_;
    if (asks(kPaced)) due_.push({monotonic_nanos() + kPaceNanos, socket, one.stream, kPacedChunks - 1});
  }
  static void send(int socket, const std::string& bytes) {
    (void)!::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  static std::string timed_chunk() { return word_chunk("@" + std::to_string(monotonic_nanos()) + " "); }

  timespec* next_due() {
    if (due_.empty()) return nullptr;
    const std::int64_t wait = std::max<std::int64_t>(due_.top().at - monotonic_nanos(), 0);
    wait_ = {.tv_sec = wait / 1'000'000'000, .tv_nsec = wait % 1'000'000'000};
    return &wait_;
  }
  void pace() {
    while (!due_.empty() && due_.top().at <= monotonic_nanos()) {
      Due due = due_.top();
      due_.pop();
      const auto found = connections_.find(due.socket);
      if (found == connections_.end() || found->second.stream != due.stream) continue;
      if (due.chunks_left == 0) {
        send(due.socket, stream_end());
        continue;
      }
      send(due.socket, timed_chunk());
      --due.chunks_left;
      due.at += kPaceNanos;
      due_.push(due);
    }
  }

  static constexpr std::int64_t kPaceNanos = std::chrono::nanoseconds(kPace).count();
  const int listener_, poll_;
  std::array<char, 64 * 1024> scratch_{};
  std::unordered_map<int, Connection> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  timespec wait_{};
  std::uint64_t streams_ = 0;
  const std::string whole_ = whole(kWholeBody);
  std::string quick_;
};

}  // namespace

std::uint16_t start_stand_in_model() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, SOMAXCONN) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return 0;
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    std::make_unique<StandIn>(listener)->run();
  }
  ::close(listener);
  return ntohs(address.sin_port);
}

}  // namespace pandora
