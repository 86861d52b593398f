#include "redis/redis_pool.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/sha.h>

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(50);  // a deadline's clock may be one that is ticked by hand

// Of a connection that is as good as before. What other errors say may be of this one server, or of what it is just
// now: a new connection looks again.
bool leaves_it_whole(const RedisReply& reply) {
  return reply.kind != RedisReply::Kind::kError || reply.text.starts_with("ERR ") || reply.text.starts_with("NOSCRIPT");
}

}  // namespace

RedisScript::RedisScript(std::string text) : lua(std::move(text)) {
  unsigned char bytes[SHA_DIGEST_LENGTH];
  ::SHA1(reinterpret_cast<const unsigned char*>(lua.data()), lua.size(), bytes);
  for (const unsigned char byte : bytes) digest += fmt::format("{:02x}", byte);
}

Result<std::unique_ptr<RedisConnection>> RedisPool::take(const Deadline& given) {
  PANDORA_CHECK(given.check("asking Redis"));
  const Gave gave = time_given(given);
  const Deadline deadline = given.at_most(clock_, server_->options().timeout);
  bool tries = false;  // whether a server that was away is back
  {
    std::unique_lock lock(mutex_);
    const std::size_t most = std::clamp<std::size_t>(server_->options().connections, 1, kMaxRedisConnections);
    for (;;) {
      while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (!connection->has_ended()) return connection;
        --open_;
      }
      if (away_ && trying_) {
        (void)free_.wait_for(lock, kTryPatience, [this] { return !trying_ || !away_; });
        if (away_ && trying_) return fail(*away_);
        continue;
      }
      if (away_ && clock_.steady() < again_at_) return fail(*away_);
      if (open_ < most) break;
      if (deadline.expired())
        return fail(ErrorCode::kResourceExhausted, fmt::format("all {} connections to Redis are in use", most),
                    "raise REDIS_CONNECTIONS, or try again in a moment");
      free_.wait_for(lock, std::min(kSlice, deadline.remaining()));
    }
    ++open_;
    if (away_) tries = trying_ = true;
  }
  auto connection = server_->connect(deadline);
  if (!connection) drop(nullptr, connection.error(), gave);
  const std::lock_guard lock(mutex_);
  if (connection) away_.reset();
  if (tries) trying_ = false;
  if (tries) free_.notify_all();
  return connection;
}

void RedisPool::give(std::unique_ptr<RedisConnection> connection) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
  free_.notify_one();
}

RedisPool::Gave RedisPool::time_given(const Deadline& deadline) const {
  return deadline.remaining() < server_->options().timeout ? Gave::kTooLittle : Gave::kEnough;
}

void RedisPool::drop(std::unique_ptr<RedisConnection> connection, const Error& why, Gave gave) {
  const bool is_late = why.code == ErrorCode::kDeadlineExceeded;
  const bool answered = (connection && !is_late) || (is_late && gave == Gave::kTooLittle);
  connection.reset();  // before another takes its place
  const std::lock_guard lock(mutex_);
  --open_;
  if (!answered) {
    away_ = why, again_at_ = clock_.steady() + kRedisPause;
    open_ -= idle_.size();
    idle_.clear();  // each would be waited for in vain
  }
  free_.notify_one();
}

Result<RedisReply> RedisPool::ask(const RedisCommand& command, const Deadline& deadline) {
  const Gave gave = time_given(deadline);
  PANDORA_TRY(connection, take(deadline));
  auto replies = connection->run({&command, 1}, deadline.at_most(clock_, server_->options().timeout));
  if (!replies) {
    drop(std::move(connection), replies.error(), gave);
    return fail(std::move(replies).error());
  }
  RedisReply reply = std::move(replies->front());
  if (leaves_it_whole(reply))
    give(std::move(connection));
  else
    drop(std::move(connection), redis_error(reply.text, server_->place()), gave);
  return reply;
}

Result<RedisReply> RedisPool::run(const RedisCommand& command, const Deadline& deadline) {
  PANDORA_TRY(reply, ask(command, deadline));
  if (reply.kind == RedisReply::Kind::kError) return fail(redis_error(reply.text, server_->place()));
  return reply;
}

Result<RedisReply> RedisPool::run(const RedisScript& script, std::vector<std::string> keys,
                                  std::vector<std::string> arguments, const Deadline& deadline) {
  RedisCommand command = {"EVALSHA", script.digest, std::to_string(keys.size())};
  std::ranges::move(keys, std::back_inserter(command));
  std::ranges::move(arguments, std::back_inserter(command));
  PANDORA_TRY(reply, ask(command, deadline));
  if (reply.kind != RedisReply::Kind::kError) return reply;
  if (!reply.text.starts_with("NOSCRIPT")) return fail(redis_error(reply.text, server_->place()));
  command[0] = "EVAL", command[1] = script.lua;  // which it knows from then on
  return run(command, deadline);
}

Result<std::string> RedisPool::describe(const Deadline& deadline) {
  PANDORA_TRY(connection, take(deadline));
  std::string found = fmt::format("Redis {} at {}, {}", connection->version(), connection->place(),
                                  connection->is_encrypted() ? "TLS" : "not encrypted");
  give(std::move(connection));
  return found;
}

std::size_t RedisPool::open_connections() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace pandora
