#include "redis/redis_server.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_types.h"
#include "net/name_lookup.h"
#include "net/transport.h"
#include "redis/redis_connection.h"
#include "redis/redis_wait.h"

namespace pandora {
namespace {

constexpr int kMaxDatabase = 65'535;

tl::unexpected<Error> no_url() {
  return fail(ErrorCode::kInvalidArgument, "REDIS_URL is no URL of a Redis",
              "write it as redis://user:password@host:6379/0, or rediss:// for TLS; a password's @, :, / and % as %40, "
              "%3A, %2F and %25");
}

template <class Number>
bool read_number(std::string_view text, Number most, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && into >= 0 && into <= most;
}

Status take_apart(RedisOptions& options) {
  std::string_view rest = options.url;
  options.user.clear(), options.password.clear();
  options.port = 6379, options.database = 0;
  if (rest.starts_with("rediss://"))
    options.tls = true;
  else if (!rest.starts_with("redis://"))
    return no_url();
  rest.remove_prefix(rest.find("//") + 2);
  if (rest.find_first_of("?# \t\r\n") != std::string_view::npos) return no_url();
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty() && !read_number(database, kMaxDatabase, options.database)) return no_url();
    rest = rest.substr(0, slash);
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    const auto colon = who.find(':');
    const auto user = percent_decode(who.substr(0, colon));
    const auto password = percent_decode(colon == std::string_view::npos ? "" : who.substr(colon + 1));
    if (!user || !password) return no_url();
    options.user = *user, options.password = *password;
  }
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return no_url();
    options.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    const auto colon = rest.find(':');
    options.host = rest.substr(0, colon);
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon);
  }
  if (options.host.empty()) return no_url();
  if (rest.empty()) return {};
  int port = 0;
  if (!rest.starts_with(':') || !read_number(rest.substr(1), 65'535, port) || port == 0) return no_url();
  options.port = static_cast<std::uint16_t>(port);
  return {};
}

std::string place_of(const RedisOptions& options) {
  const bool literal = options.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}/{} as {}", literal ? "[" : "", options.host, literal ? "]" : "", options.port,
                     options.database, options.user.empty() ? "default" : options.user);
}

}  // namespace

Result<std::shared_ptr<const RedisServer>> RedisServer::create(RedisOptions options) {
  if (!options.url.empty()) PANDORA_CHECK(take_apart(options));
  std::shared_ptr<TlsContext> tls;
  if (options.tls) {
    PANDORA_TRY(context, TlsContext::client(options.tls_root));
    tls = std::move(context);
  }
  return std::shared_ptr<const RedisServer>(new RedisServer(std::move(options), std::move(tls)));
}

RedisServer::RedisServer(RedisOptions options, std::shared_ptr<TlsContext> tls)
    : options_(std::move(options)),
      tls_(std::move(tls)),
      names_(options_.names ? options_.names : NameLookup::system()),
      place_(place_of(options_)) {}
RedisServer::~RedisServer() = default;

Result<int> RedisServer::open_socket(const Deadline& deadline) const {
  auto found = names_->find(options_.host, options_.port, deadline);
  if (!found)
    return fail(found.error().code, fmt::format("Redis at {}: {}", place_, found.error().message),
                "is the host's name right (REDIS_URL, REDIS_HOST), and does the server of names (DNS) answer?");
  Error last;
  for (const SocketAddress& address : *found) {
    const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = socket < 0 || ::connect(socket, address.get(), address.size) == 0 ? 0 : errno;
    if (socket < 0) error = errno;
    if (error == EINPROGRESS) {
      if (const Status ready = wait_for_redis(socket, POLLOUT, deadline, place_); !ready) {
        ::close(socket);
        return fail(ready.error());
      }
      socklen_t size = sizeof error;
      ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) {
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return socket;
    }
    if (socket >= 0) ::close(socket);
    last = {ErrorCode::kUnavailable, fmt::format("Redis at {}: {}", place_, std::strerror(error)),
            "is it running, and is the address right (REDIS_URL, REDIS_HOST, REDIS_PORT)?"};
  }
  return fail(std::move(last));
}

Result<std::unique_ptr<RedisConnection>> RedisServer::connect(const Deadline& deadline) const {
  PANDORA_CHECK(deadline.check("connecting to Redis"));
  PANDORA_TRY(socket, open_socket(deadline));
  auto transport = tls_ ? tls_->wrap(socket, options_.host) : make_plain_transport(socket);
  std::unique_ptr<RedisConnection> connection(new RedisConnection(socket, std::move(transport), place_));
  PANDORA_CHECK(connection->shake_hands(deadline));
  PANDORA_CHECK(connection->sign_in(options_, deadline));
  return connection;
}

}  // namespace pandora
