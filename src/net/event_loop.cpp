#include "net/event_loop.h"

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

namespace pandora {

namespace asio = boost::asio;

class AsioEventLoop final : public EventLoop, public std::enable_shared_from_this<AsioEventLoop> {
 public:
  explicit AsioEventLoop(const Clock& clock) : clock_(clock), scratch_(kScratchBytes) { arm(); }

  void run() override {
    thread_ = std::this_thread::get_id();
    io_.run();
  }
  void stop() override {
    stopped_ = true;
    io_.stop();
  }
  void post(std::function<void()> work) override {
    if (stopped_) return;
    asio::post(io_, [this, work = std::move(work)] {
      work();
      run_deferred();
    });
  }
  void defer(const std::shared_ptr<Deferred>& deferred) override {
    if (std::exchange(deferred->is_deferred_, true)) return;
    deferred_.push_back(deferred);
  }
  void run_deferred() {
    while (!deferred_.empty()) {
      running_.swap(deferred_);
      for (const auto& one : running_) {
        one->is_deferred_ = false;
        one->on_deferred();
      }
      running_.clear();
    }
  }
  bool is_current() const override { return thread_.load() == std::this_thread::get_id(); }
  const Clock& clock() const override { return clock_; }
  std::span<char> scratch() override { return scratch_; }

  void enroll(Swept& swept) override {
    if (swept.place_ != SIZE_MAX) return;
    swept.place_ = swept_.size();
    swept_.push_back(&swept);
  }
  void dismiss(Swept& swept) override {
    if (swept.place_ == SIZE_MAX) return;
    if (sweeping_) {
      swept_[swept.place_] = nullptr;  // taken out after the sweep
    } else {
      swept_[swept.place_] = swept_.back();
      swept_[swept.place_]->place_ = swept.place_;
      swept_.pop_back();
    }
    swept.place_ = SIZE_MAX;
  }

  std::unique_ptr<WatchedDescriptor> watch(int descriptor) override;

  struct RunsDeferred {
    AsioEventLoop& loop;
    ~RunsDeferred() { loop.run_deferred(); }
  };

  void resolve(const std::string& host, std::uint16_t port, Resolved then) override {
    if (auto literal = parse_address(host, port)) return then(std::vector<SocketAddress>{*literal});
    // It is this machine (RFC 6761), whatever a slow name before it in the queue does.
    if (host == "localhost")
      return then(std::vector<SocketAddress>{*parse_address("127.0.0.1", port), *parse_address("::1", port)});
    resolver_.async_resolve(
        host, std::to_string(port),
        [this, host, then = std::move(then)](const boost::system::error_code& error, const auto& found) {
          const RunsDeferred at_the_end{*this};
          if (error)
            return then(fail(ErrorCode::kUnavailable,
                             fmt::format("no address is known for {}: {}", host, error.message()),
                             "check the name, and the network"));
          std::vector<SocketAddress> addresses;
          for (const auto& entry : found) {
            SocketAddress address;
            address.size = static_cast<socklen_t>(entry.endpoint().size());
            std::memcpy(&address.storage, entry.endpoint().data(), address.size);
            addresses.push_back(address);
          }
          then(std::move(addresses));
        });
  }

 private:
  void arm() {
    timer_.expires_after(kSweepInterval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      sweep();
      run_deferred();
      arm();
    });
  }

  void sweep() {
    const SteadyTime now = clock_.steady();
    sweeping_ = true;
    const std::size_t count = swept_.size();  // those that come during the sweep wait for the next
    for (std::size_t i = 0; i < count; ++i)
      if (swept_[i]) swept_[i]->on_sweep(now);
    sweeping_ = false;
    std::erase(swept_, nullptr);
    for (std::size_t i = 0; i < swept_.size(); ++i) swept_[i]->place_ = i;
  }

  const Clock& clock_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> stopped_ = false;
  std::vector<char> scratch_;
  std::vector<Swept*> swept_;
  std::vector<std::shared_ptr<Deferred>> deferred_, running_;
  bool sweeping_ = false;
  asio::io_context io_{1};  // destroyed before what its handlers use
  asio::steady_timer timer_{io_};
  asio::ip::tcp::resolver resolver_{io_};
  friend class AsioDescriptor;
};

class AsioDescriptor final : public WatchedDescriptor {
 public:
  AsioDescriptor(AsioEventLoop& loop, int descriptor)
      : loop_(loop), stream_(loop.io_, descriptor), flags_(std::make_shared<Flags>()) {}
  ~AsioDescriptor() override {
    flags_->closed = true;
    boost::system::error_code ignored;
    stream_.close(ignored);
  }
  int descriptor() const override { return const_cast<asio::posix::stream_descriptor&>(stream_).native_handle(); }

  void wait_readable(std::shared_ptr<ReadyHandler> handler) override {
    if (std::exchange(flags_->reading, true)) return;
    stream_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [&loop = loop_, flags = flags_, handler = std::move(handler)](const boost::system::error_code&) {
                         flags->reading = false;
                         if (!flags->closed) handler->on_readable();
                         loop.run_deferred();
                       });
  }
  void wait_writable(std::shared_ptr<ReadyHandler> handler) override {
    if (std::exchange(flags_->writing, true)) return;
    stream_.async_wait(asio::posix::stream_descriptor::wait_write,
                       [&loop = loop_, flags = flags_, handler = std::move(handler)](const boost::system::error_code&) {
                         flags->writing = false;
                         if (!flags->closed) handler->on_writable();
                         loop.run_deferred();
                       });
  }

 private:
  struct Flags {
    bool reading = false, writing = false, closed = false;
  };
  AsioEventLoop& loop_;
  asio::posix::stream_descriptor stream_;
  std::shared_ptr<Flags> flags_;
};

std::unique_ptr<WatchedDescriptor> AsioEventLoop::watch(int descriptor) {
  try {
    return std::make_unique<AsioDescriptor>(*this, descriptor);
  } catch (const boost::system::system_error&) {  // the kernel watches no more descriptors
    ::close(descriptor);
    return nullptr;
  }
}

std::shared_ptr<EventLoop> EventLoop::create(const Clock& clock) { return std::make_shared<AsioEventLoop>(clock); }

namespace {

bool is_public_v4(std::uint32_t ip) {
  struct Range {
    std::uint32_t network;
    int bits;
  };
  // The special-purpose registry of RFC 6890 and its successors, and multicast.
  constexpr std::array<Range, 15> kSpecial = {{{0x00000000, 8},
                                               {0x0A000000, 8},
                                               {0x64400000, 10},
                                               {0x7F000000, 8},
                                               {0xA9FE0000, 16},
                                               {0xAC100000, 12},
                                               {0xC0000000, 24},
                                               {0xC0000200, 24},
                                               {0xC0586300, 24},
                                               {0xC0A80000, 16},
                                               {0xC6120000, 15},
                                               {0xC6336400, 24},
                                               {0xCB007100, 24},
                                               {0xE0000000, 4},
                                               {0xF0000000, 4}}};
  for (const auto& range : kSpecial)
    if ((ip ^ range.network) >> (32 - range.bits) == 0) return false;
  return true;
}

std::uint32_t v4_at(const in6_addr& ip, std::size_t at) {
  return static_cast<std::uint32_t>(ip.s6_addr[at]) << 24 | static_cast<std::uint32_t>(ip.s6_addr[at + 1]) << 16 |
         static_cast<std::uint32_t>(ip.s6_addr[at + 2]) << 8 | ip.s6_addr[at + 3];
}

bool begins(const in6_addr& ip, std::initializer_list<std::uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), ip.s6_addr);
}

bool is_public_v6(const in6_addr& ip) {
  if (IN6_IS_ADDR_V4MAPPED(&ip)) return is_public_v4(v4_at(ip, 12));
  if (begins(ip, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public_v4(v4_at(ip, 12));  // NAT64
  if (begins(ip, {0x20, 0x02})) return is_public_v4(v4_at(ip, 2));                                       // 6to4
  // Teredo and other protocols (2001::/23); examples (2001:db8::/32, 3fff::/20).
  if ((begins(ip, {0x20, 0x01}) && ip.s6_addr[2] <= 1) || begins(ip, {0x20, 0x01, 0x0D, 0xB8})) return false;
  if (begins(ip, {0x3F, 0xFF}) && ip.s6_addr[2] < 0x10) return false;
  return (ip.s6_addr[0] & 0xE0) == 0x20;  // global unicast, 2000::/3
}

}  // namespace

std::string to_string(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* ip = nullptr;
  if (address.storage.ss_family == AF_INET) ip = &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr;
  if (address.storage.ss_family == AF_INET6) ip = &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
  if (!ip || !::inet_ntop(address.storage.ss_family, ip, text.data(), text.size())) return {};
  return text.data();
}

bool is_loopback(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr) >> 24 == 127;
  return address.storage.ss_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

bool is_public(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return is_public_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr));
  return address.storage.ss_family == AF_INET6 &&
         is_public_v6(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
}

Result<SocketAddress> parse_address(const std::string& literal, std::uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  if (::inet_pton(AF_INET, literal.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof v4;
    return address;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET6, literal.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.size = sizeof v6;
    return address;
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no address", literal),
              "write it as 127.0.0.1 or ::1");
}

}  // namespace pandora
