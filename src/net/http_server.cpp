#include "net/http_server.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http_connection.h"

namespace pandora {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsAtOnce = 64;
constexpr Duration kLookAgain = std::chrono::milliseconds(10);

// Each connection is a descriptor, and a system's usual soft limit is 1,024. As many again are for files and upstreams.
void allow_descriptors(std::size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= 2 * connections) return;
  limit.rlim_cur = std::min<rlim_t>(2 * connections, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what is not given shows when it is needed, and is said then
}

Error socket_error(std::string_view what, const HttpServerOptions& options) {
  const std::string where = fmt::format("{} {}:{}", what, options.address, options.port);
  if (errno == EADDRINUSE)
    return {ErrorCode::kConflict, where + ": another program listens there", "end it, or choose another port"};
  if (errno == EACCES)
    return {ErrorCode::kPermissionDenied, where + ": the system does not allow it", "choose a port above 1023"};
  if (errno == EADDRNOTAVAIL)
    return {ErrorCode::kInvalidArgument, where + ": this machine has no such address", "use 127.0.0.1"};
  return {ErrorCode::kUnavailable, fmt::format("{}: {}", where, std::strerror(errno)), {}};
}

Result<int> open_listener(const SocketAddress& address, const HttpServerOptions& options) {
  const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return fail(socket_error("cannot listen on", options));
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket, address.get(), address.size) != 0 || ::listen(socket, kBacklog) != 0) {
    const Error error = socket_error("cannot listen on", options);
    ::close(socket);
    return fail(error);
  }
  return socket;
}

// Runs on a loop's thread and waits for it.
void run_on(EventLoop& loop, const std::function<void()>& work) {
  const auto done = std::make_shared<std::promise<void>>();
  loop.post([&work, done] {
    work();
    done->set_value();
  });
  done->get_future().wait();
}

// Everything of one loop.
struct Shard {
  std::shared_ptr<EventLoop> loop;
  ConnectionSet connections;
};

// Hands new connections to the shards in turn.
class Acceptor final : public ReadyHandler, public Swept, public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::shared_ptr<ServerCore> core, std::vector<std::unique_ptr<Shard>>& shards)
      : core_(std::move(core)), shards_(shards) {}

  bool begin(int listener) {
    socket_ = shards_.front()->loop->watch(listener);
    if (socket_) socket_->wait_readable(shared_from_this());
    return socket_ != nullptr;
  }
  void end() {
    shards_.front()->loop->dismiss(*this);
    socket_.reset();
  }

  void on_readable() override {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      SocketAddress peer;
      peer.size = sizeof peer.storage;
      const int client = ::accept4(socket_->descriptor(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size,
                                   SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client >= 0) {
        warned_ = false;
        take(client, to_string(peer));
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // No descriptors or no memory: waiting for readiness would spin, so the next sweep tries again.
        if (!std::exchange(warned_, true)) log_warn("http.cannot_accept", {{"why", std::strerror(errno)}});
        return shards_.front()->loop->enroll(*this);
      }
      break;
    }
    socket_->wait_readable(shared_from_this());
  }
  void on_writable() override {}
  void on_sweep(SteadyTime) override {
    shards_.front()->loop->dismiss(*this);
    if (socket_) socket_->wait_readable(shared_from_this());
  }

 private:
  void take(int client, std::string peer) {
    ++core_->accepted;
    if (++core_->connections > core_->limits.connections) {
      --core_->connections;
      ++core_->refused;
      return turn_away(client);
    }
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Of what a reader that stops does not take the kernel holds no more than this beyond the peer's own window.
    const int unsent = static_cast<int>(core_->limits.kernel_unsent);
    ::setsockopt(client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    Shard& shard = *shards_[next_++ % shards_.size()];
    const auto begin = [core = core_, &shard, client, peer = std::move(peer)] {
      auto socket = shard.loop->watch(client);
      if (!socket) {
        --core->connections;
        return;
      }
      std::make_shared<ServerConnection>(core, shard.loop, shard.connections, std::move(socket), peer)->begin();
    };
    if (shard.loop->is_current())
      begin();
    else
      shard.loop->post(begin);
  }

  // One connection too many: a word why, if it fits into the socket's buffer, and the end.
  void turn_away(int client) const {
    if (!core_->tls) {
      const HttpResponse full = core_->error_form(
          503, Error{ErrorCode::kUnavailable, "too many connections are open", "try again in a moment"});
      std::string wire = fmt::format(
          "HTTP/1.1 503 {}\r\nContent-Type: application/json\r\nRetry-After: 1\r\nX-Request-Id: {}\r\nConnection: "
          "close\r\nContent-Length: {}\r\n\r\n",
          reason_phrase(503), core_->ids.next().to_string(), full.body.size());
      wire += full.body;
      (void)!::send(client, wire.data(), wire.size(), MSG_NOSIGNAL);
      ::shutdown(client, SHUT_WR);
    }
    ::close(client);
  }

  std::shared_ptr<ServerCore> core_;
  std::vector<std::unique_ptr<Shard>>& shards_;
  std::unique_ptr<WatchedDescriptor> socket_;
  std::size_t next_ = 0;
  bool warned_ = false;  // since the last one that was accepted
};

class LoopedHttpServer final : public HttpServer {
 public:
  LoopedHttpServer(std::shared_ptr<ServerCore> core, IoThreads& threads, std::string url, std::uint16_t port)
      : core_(std::move(core)), url_(std::move(url)), port_(port) {
    for (std::size_t i = 0; i < threads.size(); ++i)
      shards_.push_back(std::make_unique<Shard>(Shard{threads.loop(i), {}}));
    acceptor_ = std::make_shared<Acceptor>(core_, shards_);
  }
  ~LoopedHttpServer() override {
    stop_accepting();
    cut_all();
    core_->pool.reset();
  }

  bool begin(int listener) {
    bool begun = false;
    run_on(*shards_.front()->loop, [&] { begun = acceptor_->begin(listener); });
    return begun;
  }

  std::uint16_t port() const override { return port_; }
  std::string url() const override { return url_; }

  Status drain(const Deadline& deadline) override {
    core_->draining = true;
    stop_accepting();
    for (const auto& shard : shards_)
      run_on(*shard->loop, [&] {
        const std::vector<std::shared_ptr<ServerConnection>> all(shard->connections.begin(), shard->connections.end());
        for (const auto& connection : all) connection->drain();
      });
    while (core_->connections > 0 && !deadline.expired()) std::this_thread::sleep_for(kLookAgain);
    const std::size_t left = core_->connections;
    cut_all();
    if (left > 0) return fail(ErrorCode::kDeadlineExceeded, fmt::format("{} connections were cut off", left));
    return {};
  }

  HttpServerStats stats() const override {
    return {core_->connections, core_->in_flight, core_->pool->queued(), core_->buffered,
            core_->accepted,    core_->requests,  core_->refused,        core_->cut_off};
  }

 private:
  void stop_accepting() {
    if (std::exchange(accepting_, false)) run_on(*shards_.front()->loop, [&] { acceptor_->end(); });
  }
  void cut_all() {
    for (const auto& shard : shards_)
      run_on(*shard->loop, [&] {
        const std::vector<std::shared_ptr<ServerConnection>> all(shard->connections.begin(), shard->connections.end());
        for (const auto& connection : all) connection->cut();
      });
  }

  std::shared_ptr<ServerCore> core_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::shared_ptr<Acceptor> acceptor_;
  const std::string url_;
  const std::uint16_t port_;
  bool accepting_ = true;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpServerOptions options, IoThreads& threads,
                                                       HttpRouter& router, Random& random) {
  if (options.address == "localhost") options.address = "127.0.0.1";
  PANDORA_TRY(address, parse_address(options.address, options.port));
  if (!is_loopback(address) && options.beyond_loopback == BeyondLoopback::kRefused)
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("{} can be reached from other machines, and no keys are configured", options.address),
                "listen on 127.0.0.1, or make a key first: `pandora keys create NAME`");
  auto core = std::make_shared<ServerCore>(options, router, threads.clock(), random);
  core->policy = {is_loopback(address) ? Exposure::kLoopback : Exposure::kBeyond, options.hosts, options.origins};
  if (options.tls) {
    PANDORA_TRY(tls, TlsContext::server(options.tls->certificate, options.tls->key));
    core->tls = std::move(tls);
  }
  allow_descriptors(options.limits.connections);
  PANDORA_TRY(listener, open_listener(address, options));
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  const bool v6 = bound.storage.ss_family == AF_INET6;
  std::string url = fmt::format("{}://{}{}{}:{}", options.tls ? "https" : "http", v6 ? "[" : "", to_string(bound),
                                v6 ? "]" : "", port_of(bound));
  auto server = std::make_unique<LoopedHttpServer>(std::move(core), threads, std::move(url), port_of(bound));
  if (!server->begin(listener)) return fail(ErrorCode::kUnavailable, "the system watches no more sockets");
  return server;
}

}  // namespace pandora
