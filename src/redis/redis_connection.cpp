#include "redis/redis_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <unistd.h>

#include "base/text.h"
#include "net/transport.h"
#include "redis/redis_wait.h"

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(50);  // a deadline's clock may be one that is ticked by hand
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kMaxShown = 200;

RedisReply taken_from(const redisReply& given) {
  RedisReply reply;
  using enum RedisReply::Kind;
  switch (given.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = kInteger, reply.integer = given.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = kText, reply.text.assign(given.str, given.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = kError, reply.text.assign(given.str, given.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = kList;
      for (std::size_t i = 0; i < given.elements; ++i) reply.list.push_back(taken_from(*given.element[i]));
      break;
    default:
      break;
  }
  return reply;
}

void append_command(const RedisCommand& command, std::string& out) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const auto& word : command) words.push_back(word.data()), sizes.push_back(word.size());
  char* text = nullptr;
  const int size = ::redisFormatCommandArgv(&text, static_cast<int>(words.size()), words.data(), sizes.data());
  if (size > 0) out.append(text, static_cast<std::size_t>(size));
  ::redisFreeCommand(text);
}

std::string field_of(const std::string& info, std::string_view name) {
  const std::string line = fmt::format("\n{}:", name);
  const auto at = info.find(line);
  if (at == std::string::npos) return {};
  const auto begin = at + line.size();
  return info.substr(begin, info.find_first_of("\r\n", begin) - begin);
}

}  // namespace

Status wait_for_redis(int descriptor, short events, const Deadline& deadline, const std::string& place) {
  while (!deadline.expired()) {  // looked at however much comes, if it comes slowly
    pollfd one{descriptor, events, 0};
    const Duration time = std::min(kSlice, deadline.remaining());
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    const int ready = ::poll(&one, 1, static_cast<int>(milliseconds));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kInternal, std::strerror(errno));
  }
  return fail(ErrorCode::kDeadlineExceeded, fmt::format("Redis at {} did not answer in time", place),
              "is it overloaded, or does something between drop what is sent? It is tried again");
}

RedisConnection::RedisConnection(int descriptor, std::unique_ptr<Transport> transport, std::string place)
    : descriptor_(descriptor),
      transport_(std::move(transport)),
      place_(std::move(place)),
      reader_(::redisReaderCreate(), &::redisReaderFree) {}

RedisConnection::~RedisConnection() {
  transport_->end_output();
  ::close(descriptor_);
}

Error RedisConnection::lost(std::string_view why) const {
  return {ErrorCode::kUnavailable, fmt::format("Redis at {}: {}", place_, why), "it is tried again by itself"};
}

Status RedisConnection::shake_hands(const Deadline& deadline) {
  // One that speaks no TLS waits for the end of a line.
  constexpr std::string_view kRemedy =
      "does that port speak TLS, and does REDIS_TLS_CA name who signed its certificate?";
  const auto wait = [&](short events) {
    Status ready = wait_for_redis(descriptor_, events, deadline, place_);
    return ready ? ready : Status(fail(std::move(ready).error().with_remedy(std::string(kRemedy))));
  };
  for (;;) {
    switch (transport_->handshake().state) {
      case IoState::kMoved:
        return {};
      case IoState::kWantRead:
        PANDORA_CHECK(wait(POLLIN));
        break;
      case IoState::kWantWrite:
        PANDORA_CHECK(wait(POLLOUT));
        break;
      default:
        return fail(ErrorCode::kUnavailable,
                    fmt::format("no TLS with Redis at {}: {}", place_, one_line(transport_->failure())),
                    std::string(kRemedy));
    }
  }
}

Status RedisConnection::sign_in(const RedisOptions& options, const Deadline& deadline) {
  encrypted_ = options.tls;
  std::vector<RedisCommand> commands;
  if (!options.password.empty()) {
    commands.push_back({"AUTH"});
    if (!options.user.empty()) commands.back().push_back(options.user);
    commands.back().push_back(options.password);
  }
  if (options.database != 0) commands.push_back({"SELECT", std::to_string(options.database)});
  commands.push_back({"INFO"});
  PANDORA_TRY(replies, run(commands, deadline));
  for (const auto& reply : replies)
    if (reply.kind == RedisReply::Kind::kError) return fail(redis_error(reply.text, place_));
  return look("\n" + replies.back().text);
}

Status RedisConnection::look(const std::string& info) {
  version_ = field_of(info, "redis_version");
  int major = 0;
  if (std::from_chars(version_.data(), version_.data() + version_.size(), major).ec != std::errc())
    return fail(ErrorCode::kUnavailable, fmt::format("what answers at {} is no Redis", place_),
                "set REDIS_URL, or REDIS_HOST and REDIS_PORT");
  if (major < kOldestRedis)
    return fail(ErrorCode::kIncompatible,
                fmt::format("Redis at {} is version {}", place_, one_line(ellipsize(version_, kMaxShown))),
                fmt::format("{} or newer is needed", kOldestRedis));
  if (field_of(info, "redis_mode") == "cluster")
    return fail(ErrorCode::kIncompatible, fmt::format("Redis at {} is part of a Cluster", place_),
                "name one that is not; a replica that takes over behind one address is fine");
  if (field_of(info, "role") == "slave") return fail(redis_error("READONLY it is a replica", place_));
  return {};
}

Status RedisConnection::send(std::span<const RedisCommand> commands, const Deadline& deadline) {
  std::string bytes;
  for (const auto& command : commands) append_command(command, bytes);
  for (std::string_view left = bytes; !left.empty();) {
    const IoResult moved = transport_->write(left);
    switch (moved.state) {
      case IoState::kMoved:
        left.remove_prefix(moved.bytes);
        break;
      case IoState::kWantRead:
      case IoState::kWantWrite: {
        PANDORA_CHECK(
            wait_for_redis(descriptor_, moved.state == IoState::kWantRead ? POLLIN : POLLOUT, deadline, place_));
        break;
      }
      default:
        ended_ = true;
        return fail(lost("the connection was cut"));
    }
  }
  return {};
}

Result<RedisConnection::Read> RedisConnection::read() {
  std::array<char, kReadBytes> buffer;
  const IoResult moved = transport_->read(buffer);
  if (moved.state == IoState::kWantRead || moved.state == IoState::kWantWrite) return Read::kNothing;
  if (moved.state != IoState::kMoved) {
    ended_ = true;
    return fail(lost("the connection was closed"));
  }
  unread_ += moved.bytes;
  if (::redisReaderFeed(reader_.get(), buffer.data(), moved.bytes) != REDIS_OK) return fail(lost("no memory is left"));
  return Read::kSome;
}

Error RedisConnection::too_long() const {
  return {ErrorCode::kTooLarge,
          fmt::format("an answer of Redis at {} of more than {} bytes", place_, kMaxRedisReplyBytes), ""};
}

Result<std::optional<RedisReply>> RedisConnection::next() {
  void* found = nullptr;
  if (::redisReaderGetReply(reader_.get(), &found) != REDIS_OK)
    return fail(ErrorCode::kUnavailable, fmt::format("what answers at {} is no Redis", place_),
                "set REDIS_URL, or REDIS_HOST and REDIS_PORT; with TLS REDIS_TLS=true");
  if (!found) return std::optional<RedisReply>();
  const std::unique_ptr<void, decltype(&::freeReplyObject)> owned(found, &::freeReplyObject);
  const std::size_t before = std::exchange(unread_, reader_->len - reader_->pos);
  if (before - unread_ > kMaxRedisReplyBytes) return fail(too_long());
  return std::optional(taken_from(*static_cast<redisReply*>(found)));
}

Result<std::optional<RedisReply>> RedisConnection::received() {
  for (;;) {
    PANDORA_TRY(reply, next());
    if (reply) return reply;
    if (unread_ > kMaxRedisReplyBytes) return fail(too_long());
    PANDORA_TRY(more, read());
    if (more == Read::kNothing) return reply;
  }
}

Result<std::vector<RedisReply>> RedisConnection::run(std::span<const RedisCommand> commands, const Deadline& deadline) {
  PANDORA_CHECK(send(commands, deadline));
  std::vector<RedisReply> replies;
  while (replies.size() < commands.size()) {
    PANDORA_TRY(reply, received());
    if (reply)
      replies.push_back(*std::move(reply));
    else
      PANDORA_CHECK(wait_for_redis(descriptor_, POLLIN, deadline, place_));
  }
  return replies;
}

bool RedisConnection::has_ended() {
  pollfd one{descriptor_, POLLIN, 0};
  return ended_ || unread_ > 0 || ::poll(&one, 1, 0) != 0;
}

}  // namespace pandora
