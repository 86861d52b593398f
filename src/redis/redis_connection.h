// One connection to a Redis, 6 or newer. Not thread-safe; a pool lends them (redis_pool.h).
//
// hiredis reads and writes the protocol (RESP2); the socket and TLS are ours. After an error of `run`, `send` or
// `receive` it is not to be used again: an answer could still come. Errors: kUnavailable (no connection, cut off, no
// Redis, a replica that takes no writes, one that loads its data or is out of memory), kDeadlineExceeded,
// kUnauthenticated, kPermissionDenied (its ACL), kIncompatible (older than kOldestRedis, a Cluster),
// kResourceExhausted (too many clients), kStorageFull (it refuses writes as it cannot save), kTooLarge: each with its
// remedy.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "redis/redis_server.h"

struct redisReader;

namespace pandora {

inline constexpr int kOldestRedis = 6;                                    // the first with an ACL
inline constexpr std::size_t kMaxRedisReplyBytes = std::size_t{4} << 20;  // of one answer

using RedisCommand = std::vector<std::string>;
struct RedisReply {
  enum class Kind { kNothing, kInteger, kText, kError, kList };
  Kind kind = Kind::kNothing;
  std::int64_t integer = 0;
  std::string text;  // also of an error: "NOSCRIPT No matching script"
  std::vector<RedisReply> list;
};

class Transport;

class RedisConnection {
 public:
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // All in one round trip; one answer each, in order, errors of the server's among them.
  Result<std::vector<RedisReply>> run(std::span<const RedisCommand> commands, const Deadline& deadline);

  // In parts, for a connection that hears.
  Status send(std::span<const RedisCommand> commands, const Deadline& deadline);
  Result<std::optional<RedisReply>> received();  // nothing: none is complete yet
  int descriptor() const { return descriptor_; }

  bool has_ended();  // the server has closed it while nobody looked, or said what nobody asked for
  const std::string& version() const { return version_; }  // "7.0.15"
  const std::string& place() const { return place_; }
  bool is_encrypted() const { return encrypted_; }

 private:
  friend class RedisServer;
  RedisConnection(int descriptor, std::unique_ptr<Transport> transport, std::string place);
  Status shake_hands(const Deadline& deadline);
  Status sign_in(const RedisOptions& options, const Deadline& deadline);
  Status look(const std::string& info);
  enum class Read { kSome, kNothing };
  Result<Read> read();
  Result<std::optional<RedisReply>> next();
  Error lost(std::string_view why) const;
  Error too_long() const;

  const int descriptor_;
  const std::unique_ptr<Transport> transport_;
  const std::string place_;
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
  std::size_t unread_ = 0;  // bytes of an answer that is not complete
  std::string version_;
  bool encrypted_ = false, ended_ = false;
};

// What an answer that is an error means, with its remedy.
Error redis_error(std::string_view text, const std::string& place);

}  // namespace pandora
