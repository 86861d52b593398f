// A connection that hears channels, and comes back by itself. Thread-safe.
//
// It has a thread of its own, which begins with the first channel. After the connection was lost it is made again, and
// every channel asked for again; what was published meanwhile is lost. A server that says nothing is asked whether it
// is there, and left when it does not answer. One that refuses is asked again after kRedisPause.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "redis/redis_connection.h"

namespace pandora {

class RedisListener {
 public:
  using Heard = std::function<void(const std::string& channel, const std::string& message)>;
  // `heard` runs on the listener's thread and must not block.
  RedisListener(std::shared_ptr<const RedisServer> server, const Clock& clock, Heard heard);
  ~RedisListener();
  RedisListener(const RedisListener&) = delete;
  RedisListener& operator=(const RedisListener&) = delete;

  // Returns once the server has said that it will tell of this channel; nothing to do for one that is heard already.
  // After an error it goes on asking for it, until `leave`.
  Status listen(const std::string& channel, const Deadline& deadline);
  void leave(const std::string& channel);

 private:
  void run();
  Status hear(RedisConnection& connection);
  Status ask_for_changes(RedisConnection& connection);
  Status take_in(RedisConnection& connection);

  const std::shared_ptr<const RedisServer> server_;
  const Clock& clock_;
  const Heard heard_;
  const int wake_;  // an eventfd: something has changed
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> wanted_, confirmed_;
  std::set<std::string> asked_;      // of this connection; the thread's own, as is:
  std::map<std::string, int> owed_;  // how often the server is still to confirm
  Error away_;                       // why there is no connection
  std::uint64_t failures_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace pandora
