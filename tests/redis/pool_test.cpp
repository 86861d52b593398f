// Shared connections: how many, what becomes of them when the server goes and comes, and that one that is away costs
// nobody his time.
#include <csignal>
#include <thread>

#include <gmock/gmock.h>

#include "contract/expect.h"
#include "redis/redis_pool.h"
#include "support/raw_tcp.h"
#include "support/redis_process.h"
#include "support/tcp_gate.h"

namespace pandora {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::RedisProcess;
using namespace std::chrono_literals;

class RedisPoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<RedisPool> pool(std::uint16_t port, std::size_t connections = 4) {
    return pool(port, connections, 20s, clock_);
  }
  static std::unique_ptr<RedisPool> pool(std::uint16_t port, std::size_t connections, Duration timeout,
                                         const Clock& clock) {
    RedisOptions options;
    options.host = "127.0.0.1", options.port = port;
    options.connections = connections, options.timeout = timeout;
    return std::make_unique<RedisPool>(must(RedisServer::create(options)), clock);
  }
  static Result<std::string> echo(RedisPool& pool, const std::string& text) {
    return pool.run(RedisCommand{"ECHO", text}, kNever).map([](RedisReply&& reply) { return reply.text; });
  }
  ManualClock clock_;  // of the pauses; the deadline of a call is of it as well, and passes only when it is ticked
};

TEST_F(RedisPoolTest, ItConnectsAtTheFirstUseAndKeepsTheConnection) {
  const RedisProcess server;
  const auto shared = pool(server.port());
  EXPECT_EQ(shared->open_connections(), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(must(echo(*shared, "a")), "a");
  EXPECT_EQ(shared->open_connections(), 1u);
  EXPECT_THAT(must(shared->describe(kNever)), HasSubstr("not encrypted"));
  EXPECT_FAILS(kUnavailable, shared->run(RedisCommand{"NONSENSE"}, kNever));
  EXPECT_EQ(shared->open_connections(), 1u) << "an error of a command leaves the connection";
}

TEST_F(RedisPoolTest, NoMoreConnectionsAreOpenThanMayBe) {
  const RedisProcess server;
  const auto shared = pool(server.port(), 2);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = std::to_string(thread) + ":" + std::to_string(i);
        const auto said = echo(*shared, text);
        right += said && *said == text ? 1 : 0;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 8 * 50);
  EXPECT_LE(shared->open_connections(), 2u);
}

TEST_F(RedisPoolTest, AScriptIsSentOnceAndAgainWhenTheServerForgotIt) {
  RedisProcess server;
  const auto shared = pool(server.port());
  const RedisScript script("return KEYS[1] .. ARGV[1]");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(must(shared->run(script, {"a"}, {"b"}, kNever)).text, "ab");
  EXPECT_THAT(server.ask({"INFO", "commandstats"}), HasSubstr("cmdstat_eval:calls=1,"));
  server.ask({"SCRIPT", "FLUSH"});
  EXPECT_EQ(must(shared->run(script, {"a"}, {"c"}, kNever)).text, "ac");
  EXPECT_FAILS(kUnavailable, shared->run(RedisScript("return redis.error_reply('ERR mine')"), {}, {}, kNever));
}

TEST_F(RedisPoolTest, AfterARestartEveryConnectionIsReplacedUnseen) {
  RedisProcess server;
  const auto shared = pool(server.port());
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(must(echo(*shared, "a")), "a");
    server.stop(SIGKILL);
    server.start();
  }
  EXPECT_EQ(must(echo(*shared, "a")), "a");
  EXPECT_EQ(shared->open_connections(), 1u);
}

TEST_F(RedisPoolTest, OfAServerThatIsAwayOneCallASecondFindsOut) {
  std::atomic<int> asked = 0;
  testing::RawServer refusing([&](testing::RawConnection& connection, int) {
    ++asked;
    connection.receive_until("INFO\r\n");
    connection.send("-LOADING Redis is loading the dataset in memory\r\n");
  });
  const auto shared = pool(refusing.port());
  for (int i = 0; i < 100; ++i) EXPECT_FAILS(kUnavailable, echo(*shared, "a"));
  EXPECT_EQ(asked, 1);
  clock_.advance(kRedisPause - Duration(1));
  EXPECT_FAILS(kUnavailable, echo(*shared, "a"));
  EXPECT_EQ(asked, 1);
  clock_.advance(Duration(1));
  for (int i = 0; i < 100; ++i) EXPECT_FAILS(kUnavailable, echo(*shared, "a"));
  EXPECT_EQ(asked, 2);
}

TEST_F(RedisPoolTest, ACallerWhoHadNoTimeSaysNothingOfTheServer) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const SystemClock real;
  const auto shared = pool(gate.port(), 4, 20s, real);
  EXPECT_EQ(must(echo(*shared, "a")), "a");
  gate.hold();
  EXPECT_FAILS(kDeadlineExceeded, shared->run(RedisCommand{"ECHO", "b"}, Deadline::after(real, 50ms)));
  EXPECT_EQ(shared->open_connections(), 0u) << "its answer could still come";
  EXPECT_FAILS(kDeadlineExceeded, shared->run(RedisCommand{"ECHO", "b"}, Deadline::after(real, 50ms)));
  gate.release();
  EXPECT_EQ(must(echo(*shared, "c")), "c") << "at once";
}

TEST_F(RedisPoolTest, AServerThatHangsCostsOneTimeoutAndComesBackByItself) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const SystemClock real;
  const auto shared = pool(gate.port(), 4, 1s, real);
  EXPECT_EQ(must(echo(*shared, "a")), "a");
  gate.hold();
  EXPECT_FAILS(kDeadlineExceeded, echo(*shared, "a"));
  EXPECT_EQ(shared->open_connections(), 0u) << "its answer could still come";
  const SteadyTime begin = real.steady();
  for (int i = 0; i < 200; ++i) EXPECT_FAILS(kDeadlineExceeded, echo(*shared, "a"));
  EXPECT_LT(real.steady() - begin, 30s) << "each waited for the timeout";
  gate.release();
  EXPECT_TRUE(eventually([&] { return echo(*shared, "b").has_value(); }));
  EXPECT_EQ(must(echo(*shared, "c")), "c");
}

TEST_F(RedisPoolTest, AServerThatIsReadAFewBytesAtATimeIsHeardOutAsLongAsThereIsTime) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const SystemClock real;
  const auto shared = pool(gate.port(), 4, 10s, real);
  EXPECT_EQ(must(echo(*shared, "a")), "a");
  gate.trickle(16);
  EXPECT_EQ(must(echo(*shared, std::string(100, 'a'))).size(), 100u);
  const RedisCommand longer = {"ECHO", std::string(1'000'000, 'a')}, answer = {"GETRANGE", "long", "0", "-1"};
  server.ask({"SETRANGE", "long", "999999", "a"});
  const SteadyTime begin = real.steady();
  EXPECT_FAILS(kDeadlineExceeded, shared->run(longer, Deadline::after(real, 200ms)));
  EXPECT_FAILS(kDeadlineExceeded, shared->run(answer, Deadline::after(real, 1s)));
  EXPECT_LT(real.steady() - begin, 9s) << "the caller's deadline counts, not how long its server may take";
  gate.trickle(0);
  EXPECT_TRUE(eventually([&] { return echo(*shared, "b").has_value(); }));
  EXPECT_EQ(must(shared->run(longer, kNever)).text.size(), 1'000'000u);
}

// Whoever counted by himself then would let more pass than a limit says, with the server there.
TEST_F(RedisPoolTest, OfAServerThatIsBackNobodyIsToldThatItIsAwayWhileOneFindsOut) {
  RedisProcess server;
  const auto shared = pool(server.port(), 16);
  const SystemClock real;
  for (int round = 0; round < 5; ++round) {
    server.stop(SIGKILL);
    EXPECT_FAILS(kUnavailable, echo(*shared, "a"));
    server.start();
    clock_.advance(kRedisPause);
    std::atomic<int> told_at_once = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 8; ++thread)
      threads.emplace_back([&] {
        const SteadyTime begun = real.steady();
        const auto said = echo(*shared, "b");
        if (!said && real.steady() - begun < kTryPatience) ++told_at_once;
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(told_at_once, 0);
    EXPECT_EQ(must(echo(*shared, "c")), "c");
  }
}

TEST_F(RedisPoolTest, OfAServerThatHangsTheOthersAreToldWhileOneFindsOut) {
  const RedisProcess server;
  testing::TcpGate gate(server.port());
  const auto shared = pool(gate.port());
  gate.refuse(true);
  EXPECT_FAILS(kUnavailable, echo(*shared, "a"));
  gate.refuse(false);
  clock_.advance(kRedisPause);
  gate.hold();
  std::thread finds_out([&] { EXPECT_EQ(must(echo(*shared, "b")), "b"); });
  EXPECT_TRUE(eventually([&] { return shared->open_connections() == 1; }));
  for (int i = 0; i < 3; ++i) EXPECT_FAILS(kUnavailable, echo(*shared, "c"));
  gate.release();
  finds_out.join();
  EXPECT_EQ(must(echo(*shared, "d")), "d");
}

TEST_F(RedisPoolTest, AServerThatBecameAReplicaIsConnectedToAnew) {
  const RedisProcess server, primary;
  const auto shared = pool(server.port());
  must(shared->run(RedisCommand{"SET", "k", "v"}, kNever));
  server.ask({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  EXPECT_FAILS(kUnavailable, shared->run(RedisCommand{"SET", "k", "w"}, kNever));
  EXPECT_FAILS(kUnavailable, shared->run(RedisCommand{"SET", "k", "w"}, kNever));
  server.ask({"REPLICAOF", "NO", "ONE"});
  clock_.advance(kRedisPause);
  must(shared->run(RedisCommand{"SET", "k", "w"}, kNever));
}

}  // namespace
}  // namespace pandora
