// Where a Redis is, and how it is spoken to.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxRedisConnections = 256;

class NameLookup;

struct RedisOptions {
  // redis://user:password@host:6379/0, or rediss:// for TLS; beats all that it can say when not empty. What it leaves
  // out is 6379, database 0, and no password.
  std::string url;
  std::string host = "localhost";
  std::uint16_t port = 6379;
  std::string user;      // of its ACL; empty: "default"
  std::string password;  // empty: none is asked for
  int database = 0;
  bool tls = false;
  std::string tls_root;                        // PEM file of the authorities that are trusted; empty: the system's
  std::size_t connections = 8;                 // of a pool, at most; 1 to kMaxRedisConnections
  Duration timeout = std::chrono::seconds(1);  // to connect, and to answer
  std::shared_ptr<NameLookup> names;           // null: this machine's
};

class RedisConnection;
class TlsContext;

// One server, ready to be connected to. Thread-safe.
class RedisServer {
 public:
  // kInvalidArgument: a URL that is none (nothing of it is in the message); errors of the file of authorities.
  static Result<std::shared_ptr<const RedisServer>> create(RedisOptions options);
  ~RedisServer();
  // Signed in, and looked at: see redis_connection.h.
  Result<std::unique_ptr<RedisConnection>> connect(const Deadline& deadline) const;
  const RedisOptions& options() const { return options_; }
  const std::string& place() const { return place_; }  // "host:port/0 as user": for messages; never a password

 private:
  RedisServer(RedisOptions options, std::shared_ptr<TlsContext> tls);
  Result<int> open_socket(const Deadline& deadline) const;
  const RedisOptions options_;  // the URL taken apart
  const std::shared_ptr<TlsContext> tls_;
  const std::shared_ptr<NameLookup> names_;
  const std::string place_;
};

}  // namespace pandora
