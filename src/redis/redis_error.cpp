// The one place where what a Redis says becomes errors of ours.
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "redis/redis_connection.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxShown = 200;

struct Condition {
  std::string_view word;  // with which it begins, or which stands behind the script's name
  ErrorCode code;
  std::string_view remedy;
};

constexpr std::array kConditions = {
    Condition{"WRONGPASS", ErrorCode::kUnauthenticated,
              "set REDIS_USER and REDIS_PASSWORD, REDIS_PASSWORD_FILE or REDIS_URL"},
    Condition{"NOAUTH", ErrorCode::kUnauthenticated, "set REDIS_PASSWORD, REDIS_PASSWORD_FILE or REDIS_URL"},
    Condition{"ERR invalid password", ErrorCode::kUnauthenticated,
              "set REDIS_PASSWORD, REDIS_PASSWORD_FILE or REDIS_URL"},
    Condition{"ERR AUTH", ErrorCode::kUnauthenticated,
              "it asks for no password, or for a user: unset REDIS_PASSWORD, or set REDIS_USER"},
    Condition{"NOPERM", ErrorCode::kPermissionDenied,
              "let its ACL give this user the keys and channels of redis.prefix: ~pandora:* &pandora:* +@all -@admin"},
    Condition{"DENIED", ErrorCode::kPermissionDenied,
              "it is in protected mode: give it a password, or bind it to this machine"},
    Condition{"READONLY", ErrorCode::kUnavailable, "it is a replica, which takes no writes: name the primary"},
    Condition{"MASTERDOWN", ErrorCode::kUnavailable, "it is a replica that lost its primary: name the primary"},
    Condition{"LOADING", ErrorCode::kUnavailable, "it reads its data from disk; it goes on by itself"},
    Condition{"BUSY", ErrorCode::kUnavailable, "a script of somebody's runs there for long; it goes on by itself"},
    Condition{"OOM", ErrorCode::kUnavailable,
              "it is at its maxmemory: raise that, or let it evict (maxmemory-policy volatile-ttl)"},
    Condition{"MISCONF", ErrorCode::kStorageFull, "it cannot save to its disk and refuses writes: make room there"},
    Condition{"MOVED", ErrorCode::kIncompatible, "it is part of a Cluster: name one that is not"},
    Condition{"CLUSTERDOWN", ErrorCode::kIncompatible, "it is part of a Cluster: name one that is not"},
    Condition{"ERR max number of clients", ErrorCode::kResourceExhausted,
              "raise its maxclients, or lower REDIS_CONNECTIONS of its clients"},
    Condition{"WRONGTYPE", ErrorCode::kDataCorrupt, "somebody else uses the same keys: set another redis.prefix"},
    Condition{"ERR DB index", ErrorCode::kInvalidArgument, "it has fewer databases than REDIS_DB says"},
};

// Redis 6 puts the script's name before what went wrong in it.
bool says(std::string_view text, std::string_view word) {
  return text.starts_with(word) || text.find(fmt::format(": -{}", word)) != std::string_view::npos ||
         text.find(fmt::format(": {}", word)) != std::string_view::npos;
}

}  // namespace

Error redis_error(std::string_view text, const std::string& place) {
  const std::string message =
      fmt::format("Redis at {}: {}", place, one_line(sanitize_utf8(ellipsize(text, kMaxShown))));
  for (const auto& condition : kConditions)
    if (says(text, condition.word)) return {condition.code, message, std::string(condition.remedy)};
  return {ErrorCode::kUnavailable, message, ""};
}

}  // namespace pandora
