// Connections that are shared. Thread-safe.
//
// A call takes one and gives it back. At most `connections` are open; who comes when all are out waits for its
// deadline. One that the server has closed meanwhile is replaced unseen; what a call was doing when its connection
// broke is not done again here, as it may have been done. A server that cannot be connected to, or does not answer, is
// left alone for kRedisPause: whoever calls meanwhile is told so at once, and one of those who come afterwards tries.
// The others wait for him for kTryPatience at most: so one that is back is used by all from the first call on, and one
// that hangs holds nobody up.
// That a caller had less time than the server has says nothing of the server.
#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>

#include "redis/redis_connection.h"

namespace pandora {

inline constexpr Duration kRedisPause = std::chrono::seconds(1);
inline constexpr Duration kTryPatience = std::chrono::milliseconds(250);

// Lua that the server runs in one piece.
struct RedisScript {
  explicit RedisScript(std::string lua);
  std::string lua, digest;  // SHA-1, by which the server knows it once it has seen it
};

class RedisPool {
 public:
  // Connects at the first use: a server that is down is no reason not to start.
  RedisPool(std::shared_ptr<const RedisServer> server, const Clock& clock)
      : server_(std::move(server)), clock_(clock) {}

  // An answer that is an error is an error here.
  Result<RedisReply> run(const RedisCommand& command, const Deadline& deadline);
  // In one round trip; in two when the server does not know the script yet.
  Result<RedisReply> run(const RedisScript& script, std::vector<std::string> keys, std::vector<std::string> arguments,
                         const Deadline& deadline);
  // "Redis 7.0.15 at …, not encrypted".
  Result<std::string> describe(const Deadline& deadline);
  const RedisServer& server() const { return *server_; }
  std::size_t open_connections() const;

 private:
  Result<std::unique_ptr<RedisConnection>> take(const Deadline& deadline);
  void give(std::unique_ptr<RedisConnection> connection);
  enum class Gave { kEnough, kTooLittle };  // time, by who asked, to say that the server is away
  Gave time_given(const Deadline& deadline) const;
  void drop(std::unique_ptr<RedisConnection> connection, const Error& why, Gave gave);
  Result<RedisReply> ask(const RedisCommand& command, const Deadline& deadline);

  const std::shared_ptr<const RedisServer> server_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<RedisConnection>> idle_;
  std::size_t open_ = 0;  // idle and lent
  std::optional<Error> away_;
  SteadyTime again_at_{};  // of a server that is away
  bool trying_ = false;    // somebody connects to it just now
};

}  // namespace pandora
