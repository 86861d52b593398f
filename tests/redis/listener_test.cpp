// The connection that hears: it comes back by itself, and no longer than needed is anything asked for.
#include <algorithm>
#include <csignal>

#include "contract/expect.h"
#include "redis/redis_listener.h"
#include "redis/redis_pool.h"
#include "support/raw_tcp.h"
#include "support/redis_process.h"
#include "support/tcp_gate.h"

namespace pandora {
namespace {

using testing::eventually;
using testing::RedisProcess;
using namespace std::chrono_literals;

class RedisListenerTest : public ::testing::Test {
 protected:
  std::unique_ptr<RedisListener> listener(std::uint16_t port, Duration timeout = 1s) {
    RedisOptions options;
    options.host = "127.0.0.1", options.port = port, options.timeout = timeout;
    return std::make_unique<RedisListener>(must(RedisServer::create(options)), clock_,
                                           [this](const std::string& channel, const std::string& message) {
                                             const std::lock_guard lock(mutex_);
                                             heard_.push_back(channel + "=" + message);
                                           });
  }
  bool hears(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(heard_, what) != heard_.end();
  }
  Deadline patience() const { return Deadline::after(clock_, 20s); }
  const SystemClock clock_;
  std::mutex mutex_;
  std::vector<std::string> heard_;
};

TEST_F(RedisListenerTest, AChannelIsHeardFromThenOnUntilItIsLeft) {
  const RedisProcess server;
  const auto one = listener(server.port());
  must(one->listen("a", patience()));
  must(one->listen("b", patience()));
  must(one->listen("a", patience()));
  EXPECT_EQ(server.ask({"PUBLISH", "a", "1"}), "1");
  EXPECT_EQ(server.ask({"PUBLISH", "b", "2"}), "1");
  EXPECT_TRUE(eventually([&] { return hears("a=1") && hears("b=2"); }));
  one->leave("a");
  EXPECT_TRUE(eventually([&] { return server.ask({"PUBLISH", "a", "late"}) == "0"; }));
  must(one->listen("a", patience()));
  EXPECT_EQ(server.ask({"PUBLISH", "a", "3"}), "1");
  EXPECT_TRUE(eventually([&] { return hears("a=3"); }));
}

TEST_F(RedisListenerTest, AfterARestartItAsksForEveryChannelAgain) {
  RedisProcess server;
  const auto one = listener(server.port());
  for (const std::string channel : {"a", "b"}) must(one->listen(channel, patience()));
  server.stop(SIGKILL);
  EXPECT_FAILS(kUnavailable, one->listen("c", patience()));
  server.start();
  EXPECT_TRUE(eventually([&] { return server.ask({"PUBSUB", "NUMSUB", "a", "b", "c"}) == "a\n1\nb\n1\nc\n1"; }));
  server.ask({"PUBLISH", "b", "again"});
  EXPECT_TRUE(eventually([&] { return hears("b=again"); }));
}

TEST_F(RedisListenerTest, AServerThatHangsIsAnErrorInTimeAndIsHeardLater) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  gate.hold();
  const auto one = listener(gate.port(), 200ms);
  EXPECT_FALSE(one->listen("a", patience()));
  gate.release();
  EXPECT_TRUE(eventually([&] { return server.ask({"PUBSUB", "NUMSUB", "a"}) == "a\n1"; }));
  gate.refuse(true);
  gate.cut();
  EXPECT_TRUE(eventually([&] { return server.ask({"PUBSUB", "NUMSUB", "a"}) == "a\n0"; }));
  gate.refuse(false);
  EXPECT_TRUE(eventually([&] { return server.ask({"PUBLISH", "a", "x"}) == "1"; }));
  EXPECT_TRUE(eventually([&] { return hears("a=x"); }));
}

TEST_F(RedisListenerTest, AUserWithoutTheChannelIsToldSo) {
  const RedisProcess server({.settings = {"user default on nopass ~* +@all resetchannels &mine"}, .tls_files = ""});
  const auto one = listener(server.port());
  must(one->listen("mine", patience()));
  // Refused for good, it asks no more often than once in a pause.
  const SteadyTime begun = clock_.steady();
  for (int i = 0; i < 3; ++i) EXPECT_FAILS(kPermissionDenied, one->listen("yours", patience()));
  EXPECT_GE(clock_.steady() - begun, 2 * kRedisPause);
}

}  // namespace
}  // namespace pandora
