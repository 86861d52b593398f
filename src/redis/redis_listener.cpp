#include "redis/redis_listener.h"

#include <algorithm>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "redis/redis_pool.h"

namespace pandora {
namespace {

constexpr Duration kAskWhenSilent = std::chrono::seconds(10);
constexpr Duration kSlice = std::chrono::milliseconds(50);  // a deadline's clock may be one that is ticked by hand

}  // namespace

RedisListener::RedisListener(std::shared_ptr<const RedisServer> server, const Clock& clock, Heard heard)
    : server_(std::move(server)),
      clock_(clock),
      heard_(std::move(heard)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

RedisListener::~RedisListener() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  (void)::eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  ::close(wake_);
}

Status RedisListener::listen(const std::string& channel, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listening to " + channel));
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wanted_.insert(channel);
  changed_.notify_all();
  (void)::eventfd_write(wake_, 1);
  const std::uint64_t failures = failures_;
  while (!confirmed_.contains(channel)) {
    const bool failed = failures_ != failures;
    if (failed || deadline.expired()) {
      if (failed) return fail(away_);
      return fail(ErrorCode::kDeadlineExceeded, fmt::format("Redis at {} did not answer in time", server_->place()));
    }
    changed_.wait_for(lock, std::min(kSlice, deadline.remaining()));
  }
  return {};
}

void RedisListener::leave(const std::string& channel) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.erase(channel);
  }
  (void)::eventfd_write(wake_, 1);
}

void RedisListener::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (wanted_.empty()) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    auto connection = server_->connect(Deadline::after(clock_, server_->options().timeout));
    const Status ended = connection ? hear(**connection) : Status(fail(connection.error()));
    lock.lock();
    // One that heard something was a good one, and is made again at once. A server that refuses what it is asked for
    // would refuse it again.
    const bool was_good = connection && !confirmed_.empty();
    confirmed_.clear();
    away_ = ended ? Error{ErrorCode::kUnavailable, fmt::format("Redis at {}: it is being left", server_->place()), ""}
                  : ended.error();
    ++failures_;
    changed_.notify_all();
    const bool is_refused = !ended && !error_info(ended.error().code).retryable;
    if (!ending_ && (!was_good || is_refused)) changed_.wait_for(lock, kRedisPause, [this] { return ending_; });
  }
}

// Until the end, or until the connection is lost: why.
Status RedisListener::hear(RedisConnection& connection) {
  asked_.clear(), owed_.clear();
  SteadyTime heard_at = clock_.steady();
  bool pinged = false;
  for (;;) {
    eventfd_t ignored = 0;
    (void)::eventfd_read(wake_, &ignored);
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return {};
    }
    PANDORA_CHECK(ask_for_changes(connection));
    pollfd ready[] = {{connection.descriptor(), POLLIN, 0}, {wake_, POLLIN, 0}};
    const Duration patience = pinged ? server_->options().timeout : kAskWhenSilent;
    (void)::poll(ready, 2, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(patience).count()));
    if (ready[0].revents != 0) {
      PANDORA_CHECK(take_in(connection));
      heard_at = clock_.steady(), pinged = false;
      continue;
    }
    const auto silent = clock_.steady() - heard_at;
    if (pinged && silent >= kAskWhenSilent + server_->options().timeout)
      return fail(ErrorCode::kUnavailable, fmt::format("Redis at {} says nothing any more", server_->place()));
    if (pinged || silent < kAskWhenSilent) continue;
    const RedisCommand ping = {"PING"};
    PANDORA_CHECK(connection.send({&ping, 1}, Deadline::after(clock_, server_->options().timeout)));
    pinged = true;
  }
}

Status RedisListener::ask_for_changes(RedisConnection& connection) {
  RedisCommand more = {"SUBSCRIBE"}, less = {"UNSUBSCRIBE"};
  {
    const std::lock_guard lock(mutex_);
    std::ranges::set_difference(wanted_, asked_, std::back_inserter(more));
    std::ranges::set_difference(asked_, wanted_, std::back_inserter(less));
    asked_ = wanted_;
    std::erase_if(confirmed_, [this](const std::string& channel) { return !wanted_.contains(channel); });
    for (std::size_t i = 1; i < more.size(); ++i) ++owed_[more[i]];
  }
  std::vector<RedisCommand> commands;
  if (more.size() > 1) commands.push_back(std::move(more));
  if (less.size() > 1) commands.push_back(std::move(less));
  if (commands.empty()) return {};
  return connection.send(commands, Deadline::after(clock_, server_->options().timeout));
}

Status RedisListener::take_in(RedisConnection& connection) {
  for (;;) {
    PANDORA_TRY(reply, connection.received());
    if (!reply) return {};
    if (reply->kind == RedisReply::Kind::kError) return fail(redis_error(reply->text, server_->place()));
    if (reply->list.size() != 3) continue;  // an answer to PING
    const std::string& kind = reply->list[0].text;
    const std::string& channel = reply->list[1].text;
    if (kind == "message") heard_(channel, reply->list[2].text);
    if (kind != "subscribe") continue;
    // One that was left and asked for again meanwhile has a later answer of its own.
    if (--owed_[channel] > 0) continue;
    owed_.erase(channel);
    const std::lock_guard lock(mutex_);
    if (wanted_.contains(channel)) confirmed_.insert(channel);
    changed_.notify_all();
  }
}

}  // namespace pandora
