#include <atomic>
#include <thread>

#include "postgres/postgres_case.h"
#include "postgres/postgres_pool.h"

namespace pandora::testing {
namespace {

class PostgresPoolCase : public PostgresCase {
 protected:
  PostgresOptions of(std::size_t connections) const {
    PostgresOptions given = options();
    given.connections = connections;
    return given;
  }
};

TEST_F(PostgresPoolCase, ConnectionsAreUsedAgainAndNoMoreAreOpenThanMayBe) {
  PostgresPool pool(of(2));
  {
    const auto one = must(pool.take(kNever)), two = must(pool.take(kNever));
    EXPECT_FAILS(kResourceExhausted, pool.take(within(std::chrono::milliseconds(20))));
    EXPECT_EQ(pool.open_connections(), 2u);
  }
  std::thread waits([&, held = must(pool.take(kNever))]() mutable { auto given_back = std::move(held); });
  const auto other = must(pool.take(kNever)), and_another = must(pool.take(kNever));
  waits.join();
  EXPECT_EQ(pool.open_connections(), 2u);
}

TEST_F(PostgresPoolCase, WhatTheServerClosedMeanwhileIsReplacedUnseen) {
  PostgresPool pool(of(3));
  for (int i = 0; i < 3; ++i) must(pool.query("SELECT 1", kNever));
  shared_server().sql(
      "postgres", "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = '" + database + "'");
  EXPECT_EQ(must(pool.query("SELECT 7", kNever)).integer(0, 0), 7);
}

TEST_F(PostgresPoolCase, ATransactionThatFailsIsUndoneAndItsConnectionGoesOn) {
  PostgresPool pool(of(1));
  must(pool.query("CREATE TABLE t (x integer)", kNever));
  const Status failed = pool.write(
      [](PostgresConnection& connection) -> Status {
        PANDORA_CHECK(connection.query("INSERT INTO t VALUES (1)").map([](auto&&) {}));
        return fail(ErrorCode::kConflict, "no");
      },
      kNever);
  EXPECT_FAILS(kConflict, failed);
  EXPECT_EQ(must(pool.query("SELECT count(*) FROM t", kNever)).integer(0, 0), 0);
  EXPECT_EQ(pool.open_connections(), 1u);
}

TEST_F(PostgresPoolCase, TransactionsThatMeetInADeadlockRunAgainUntilAllAreThrough) {
  PostgresPool pool(of(2));
  must(pool.query("CREATE TABLE t (x integer PRIMARY KEY, n integer NOT NULL)", kNever));
  must(pool.query("INSERT INTO t VALUES (1, 0), (2, 0)", kNever));
  std::atomic<int> first_halves = 0;
  const auto both = [&](int one, int other) {
    return pool.write(
        [&](PostgresConnection& connection) -> Status {
          PANDORA_CHECK(connection.query("UPDATE t SET n = n + 1 WHERE x = $1", one).map([](auto&&) {}));
          ++first_halves;
          while (first_halves < 2) std::this_thread::yield();
          return connection.query("UPDATE t SET n = n + 1 WHERE x = $1", other).map([](auto&&) {});
        },
        kNever);
  };
  Status forth;
  std::thread thread([&] { forth = both(1, 2); });
  const Status back = both(2, 1);
  thread.join();
  must(forth);
  must(back);
  EXPECT_GE(first_halves, 3) << "one of them ran again";
  EXPECT_EQ(must(pool.query("SELECT sum(n) FROM t", kNever)).integer(0, 0), 4);
}

TEST_F(PostgresPoolCase, AReadIsOfOneSnapshotAndWritesNothing) {
  PostgresPool pool(of(2));
  must(pool.query("CREATE TABLE t (x integer)", kNever));
  const Status read = pool.read(
      [&](PostgresConnection& connection) -> Status {
        PANDORA_TRY(before, connection.query("SELECT count(*) FROM t"));
        PANDORA_CHECK(pool.query("INSERT INTO t VALUES (1)", kNever).map([](auto&&) {}));
        PANDORA_TRY(after, connection.query("SELECT count(*) FROM t"));
        EXPECT_EQ(before.integer(0, 0), after.integer(0, 0));
        return connection.query("INSERT INTO t VALUES (2)").map([](auto&&) {});
      },
      kNever);
  EXPECT_FAILS(kPermissionDenied, read);
  EXPECT_EQ(must(pool.query("SELECT count(*) FROM t", kNever)).integer(0, 0), 1);
}

TEST_F(PostgresPoolCase, AConnectionThatTheCheckRefusesIsNotUsed) {
  bool good = false;
  PostgresPool pool(of(1),
                    [&](PostgresConnection&) { return good ? Status() : fail(ErrorCode::kIncompatible, "no schema"); });
  EXPECT_FAILS(kIncompatible, pool.query("SELECT 1", kNever));
  EXPECT_EQ(pool.open_connections(), 0u);
  good = true;
  must(pool.query("SELECT 1", kNever));
}

// Who has all the time of the world is told as soon as it is clear that nobody is there; then everybody, at once.
TEST_F(PostgresPoolCase, AServerThatHangsIsNoticedOnceForAllAndUsedAgainWhenItIsBack) {
  PostgresServer server;
  server.create_database("mine");
  PostgresOptions options;
  options.url = server.tcp_url("mine");
  PostgresPool pool(options);
  must(pool.query("SELECT 1", kNever));
  server.pause();
  EXPECT_FAILS(kUnavailable, pool.query("SELECT 2", kNever));
  const SteadyTime begun = clock.steady();
  for (int i = 0; i < 100; ++i) EXPECT_FAILS(kUnavailable, pool.query("SELECT 3", kNever));
  EXPECT_LT(clock.steady() - begun, kSilence) << "none of them waited";
  server.resume();
  Result<PostgresRows> answer = fail(ErrorCode::kUnavailable, "");
  for (const Deadline patience = within(std::chrono::seconds(30)); !answer && !patience.expired();)
    answer = pool.query("SELECT 4", kNever);
  EXPECT_EQ(must(std::move(answer)).integer(0, 0), 4);
}

TEST_F(PostgresPoolCase, AServerThatIsOnlySlowIsWaitedFor) {
  PostgresPool pool(of(1));
  const double silence = std::chrono::duration<double>(2 * kSilence).count();
  must(pool.query("SELECT pg_sleep($1)", kNever, silence));
}

TEST_F(PostgresPoolCase, AKnockIsAnsweredAlsoByARefusal) {
  PostgresOptions given = options();
  EXPECT_TRUE(PostgresConnection::knock(given, kKnockPatience));
  given.url = shared_server().url("nowhere");
  EXPECT_TRUE(PostgresConnection::knock(given, kKnockPatience));
  given.url = "postgresql://127.0.0.1:1/mine";
  EXPECT_TRUE(PostgresConnection::knock(given, kKnockPatience)) << "nobody listens there, and that is said";
}

}  // namespace
}  // namespace pandora::testing
