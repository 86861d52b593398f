// Several processes on one database: what the contract suites cannot see with one.
#include <atomic>
#include <csignal>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "postgres/stores_case.h"
#include "store_server/postgres_journal_register.h"
#include "store_server/postgres_outbox.h"
#include "store_server/postgres_turn_commits.h"
#include "support/raw_tcp.h"

namespace pandora::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST_F(PostgresStoresCase, TurnsOfOneSessionFromEveryProcessHaveNumbersOfTheirOwn) {
  constexpr int kThreads = 6, kEach = 20;
  std::vector<std::vector<std::pair<Uuid, TurnNumber>>> kept(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t which = 0; which < kThreads; ++which)
    threads.emplace_back([&, which] {
      for (int i = 0; i < kEach; ++i) {
        const TurnRecord one = turn_of(ids, clock, "shared", std::to_string(which) + "-" + std::to_string(i));
        kept[which].emplace_back(one.turn.uid,
                                 must(processes[which % kProcesses]->turns().commit_turn(one, ana, kNever)));
      }
    });
  for (auto& thread : threads) thread.join();
  std::map<TurnNumber, Uuid> by_number;
  for (const auto& mine : kept) {
    for (std::size_t i = 1; i < mine.size(); ++i) EXPECT_LT(mine[i - 1].second, mine[i].second) << "in order";
    for (const auto& [uid, number] : mine) EXPECT_TRUE(by_number.emplace(number, uid).second) << "given twice";
  }
  EXPECT_EQ(by_number.size(), static_cast<std::size_t>(kThreads * kEach));
  const auto connection = must(PostgresConnection::open(options, kNever));
  for (const auto kind : {OutboxKind::kTurnDirectory, OutboxKind::kTurnPoint})
    EXPECT_EQ(
        must(connection->query("SELECT count(*) FROM pandora.outbox WHERE kind = $1", to_string(kind))).integer(0, 0),
        kThreads * kEach);
}

TEST_F(PostgresStoresCase, TurnsThatComeAtOnceShareATransactionAndOneThatIsRefusedHoldsNobodyBack) {
  constexpr std::size_t kAtOnce = 24;
  TurnStore& store = processes[0]->turns();
  const Principal ben = Principal::of(must(UserId::parse("ben")));
  TurnRecord of_ben = turn_of(ids, clock, "his", "mine");
  of_ben.turn.user = ben.user;
  must(store.commit_turn(of_ben, ben, kNever));

  const auto gate = must(PostgresConnection::open(options, kNever));
  gate->begin();
  must(gate->query("LOCK TABLE pandora.turns IN SHARE MODE"));  // whoever is first waits here, and the others behind it
  std::vector<TurnRecord> records;
  for (std::size_t i = 0; i < kAtOnce; ++i)
    records.push_back(turn_of(ids, clock, "session-" + std::to_string(i % 3), std::to_string(i)));
  for (auto& one : records)
    one.observations.push_back({one.turn.uid, ObservationKind::kTurn, "turn", clock.now(), 1, 0, 0, true, "", {}});
  records[7] = records[8];                // the same turn by two threads
  records[9].turn.uid = of_ben.turn.uid;  // a turn of somebody else
  std::vector<std::optional<Result<TurnNumber>>> given(kAtOnce);
  std::vector<std::thread> threads;
  std::atomic<std::size_t> begun = 0;
  for (std::size_t i = 0; i < kAtOnce; ++i)
    threads.emplace_back([&, i] {
      ++begun;
      given[i] = store.commit_turn(records[i], ana, kNever);
    });
  while (begun < kAtOnce) std::this_thread::yield();
  const auto waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'pandora.turns'::regclass";
  const auto watch = must(PostgresConnection::open(options, kNever));
  while (must(watch->query(waits)).empty()) std::this_thread::yield();
  must(gate->commit());
  for (auto& thread : threads) thread.join();

  std::set<TurnNumber> numbers;
  for (std::size_t i = 0; i < kAtOnce; ++i) {
    if (i == 9) continue;
    ASSERT_TRUE(*given[i]) << given[i]->error().to_line();
    numbers.insert(**given[i]);
    EXPECT_EQ(must(store.find(**given[i], ana, kNever)).uid, records[i].turn.uid);
  }
  EXPECT_EQ(numbers.size(), kAtOnce - 2);
  EXPECT_EQ(**given[7], **given[8]);
  ASSERT_FALSE(*given[9]);
  EXPECT_EQ(given[9]->error().code, ErrorCode::kPermissionDenied);
  EXPECT_LT(
      must(watch->query("SELECT count(DISTINCT xmin::text) FROM pandora.turns WHERE user_id = 'ana'")).integer(0, 0),
      static_cast<std::int64_t>(numbers.size()));
  EXPECT_EQ(must(store.keyword_counts(std::vector<std::string>{"word"}, ana, kNever)),
            std::vector{static_cast<std::int64_t>(numbers.size())});
  EXPECT_EQ(must(processes[0]->observations().list({}, ana, kNever)).size(), numbers.size()) << "each once";
}

TEST_F(PostgresStoresCase, KeywordsOfBeforeTheyWereKeptByTurnsAreCounted) {
  const auto connection = must(PostgresConnection::open(options, kNever));
  const std::vector<Migration> all = embedded_migrations("postgres");
  must(connection->script("DROP SCHEMA pandora CASCADE"));
  must(PostgresSchema(*connection, clock, {all.begin(), all.begin() + 8})
           .migrate(std::chrono::seconds(10), [](const auto&) {}));
  must(connection->script(
      "INSERT INTO pandora.turn_keywords VALUES ('ana', 'tea', 1), ('ana', 'café', 1), ('ana', 'tea', 2),"
      " ('ben', 'tea', 3)"));
  must(PostgresSchema(*connection, clock).migrate(std::chrono::seconds(10), [](const auto&) {}));
  EXPECT_EQ(must(processes[0]->turns().keyword_counts(std::vector<std::string>{"café", "tea", "cafe"}, ana, kNever)),
            (std::vector<std::int64_t>{1, 2, 0}));
}

// As after a switch to a replica that has the rows and not the sequences, or a dump of data alone.
TEST_F(PostgresStoresCase, TurnsOfATopicAndWithKeywordsAreFoundByTheirIndexes) {
  TurnRecord one = turn_of(ids, clock, "s", "rare");
  one.turn.topic = "the rarest of keys";
  must(processes[0]->turns().commit_turn(one, ana, kNever));
  server.sql(
      "pandora",
      "INSERT INTO pandora.turns (turn_number, turn_uid, user_id, session_id, timestamp, topic, topic_terms, intent,"
      " keywords, quality, rejected, archived, content_sha256, document) SELECT n, gen_random_uuid(), 'ana', 's',"
      " now(), 'door', 'door', 'other', '[\"word\"]', 0.5, false, false, '', '{}' FROM generate_series(2, 5000) AS n;"
      " ANALYZE pandora.turns");
  for (const TurnQuery& query :
       {TurnQuery{.topic_terms = {"rarest", "key"}}, TurnQuery{.keywords = {"word", "rare"}}}) {
    const auto found = must(processes[0]->turns().list(query, ana, kNever));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].uid, one.turn.uid);
  }
  processes.clear();  // a session that ends tells what it has used
  const auto connection = must(PostgresConnection::open(options, kNever));
  for (const char* index : {"turns_by_topic", "turns_by_keywords"})
    EXPECT_TRUE(eventually([&] {
      return must(connection->query("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1", index))
                 .integer(0, 0) > 0;
    })) << index;
}

TEST_F(PostgresStoresCase, CountersThatAreBehindTheirRowsAreSetOnAndNoTurnIsRefused) {
  TurnStore& store = processes[0]->turns();
  const auto observed = [&](const std::string& text) {
    TurnRecord made = turn_of(ids, clock, "s", text);
    made.observations.push_back({made.turn.uid, ObservationKind::kTurn, "turn", clock.now(), 1, 0, 0, true, "", {}});
    return made;
  };
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(must(store.commit_turn(observed("before"), ana, kNever)).value, i);
  const std::vector<std::string> behind = {"SELECT setval('pandora.turn_numbers', 0)",
                                           "ALTER TABLE pandora.outbox ALTER id RESTART",
                                           "ALTER TABLE pandora.observations ALTER row RESTART"};
  std::int64_t last = 5;  // an attempt that failed may have taken a number with it
  for (const auto& one : behind) {
    server.sql("pandora", one);
    const std::int64_t given = must(store.commit_turn(observed("after"), ana, kNever)).value;
    EXPECT_GT(given, last) << one;
    last = given;
  }
  for (const auto& one : behind) server.sql("pandora", one);
  constexpr std::size_t kAtOnce = 12;
  std::vector<std::optional<Result<TurnNumber>>> given(kAtOnce);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kAtOnce; ++i)
    threads.emplace_back([&, i] {
      const TurnRecord made = turn_of(ids, clock, "session-" + std::to_string(i), "at once");
      given[i] = processes[i % kProcesses]->turns().commit_turn(made, ana, kNever);
    });
  for (auto& thread : threads) thread.join();
  std::set<TurnNumber> numbers;
  for (const auto& one : given) {
    ASSERT_TRUE(*one) << one->error().to_line();
    EXPECT_GT((**one).value, last);
    numbers.insert(**one);
  }
  EXPECT_EQ(numbers.size(), kAtOnce);
  TurnRecord taken = turn_of(ids, clock, "s", "of a number that is taken");
  taken.turn.number = {1};
  EXPECT_FAILS(kConflict, store.commit_turn(taken, ana, kNever)) << "that one is the caller's";
}

// Such a number nobody has now: no row would refuse it.
TEST_F(PostgresStoresCase, OfAServerThatIsConnectedToAnewNoNumberOfAForgottenTurnIsGivenAgain) {
  for (int i = 1; i <= 5; ++i) must(processes[0]->turns().commit_turn(turn_of(ids, clock, "s", "before"), ana, kNever));
  server.sql("pandora", "DELETE FROM pandora.turns WHERE turn_number <= 2; SELECT setval('pandora.turn_numbers', 0)");
  EXPECT_EQ(must(processes[1]->turns().commit_turn(turn_of(ids, clock, "s", "after"), ana, kNever)).value, 6);
  server.sql("pandora", "SELECT setval('pandora.turn_numbers', 0)");
  server.sql("postgres", "ALTER DATABASE pandora SET default_transaction_read_only = on");
  EXPECT_EQ(must(processes[2]->turns().count(ana, kNever)), 4) << "what may only be read is read";
}

TEST_F(PostgresStoresCase, WhileSomebodyHoldsTheTurnsTheOthersAreAskedForNevertheless) {
  const auto holder = must(PostgresConnection::open(options, kNever));
  holder->begin();
  must(holder->query("LOCK TABLE pandora.turns"));
  must(processes[0]->keys().list(kNever));
  holder->rollback();
}

TEST_F(PostgresStoresCase, SoManyTransactionsAreUnderWayAtOnceAndATurnThatWaitsBehindThemIsGivenUpInTime) {
  TurnStore& store = processes[0]->turns();
  must(store.commit_turn(turn_of(ids, clock, "s", "first"), ana, kNever));  // sets the counters on, which it does alone
  const auto gate = must(PostgresConnection::open(options, kNever));
  gate->begin();
  must(gate->query("LOCK TABLE pandora.turns IN SHARE MODE"));
  const auto watch = must(PostgresConnection::open(options, kNever));
  const auto under_way = [&] {
    const auto waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pandora.turns'::regclass";
    return must(watch->query(waits)).integer(0, 0);
  };
  const Deadline patience = Deadline::after(clock, std::chrono::seconds(20));
  std::vector<std::thread> threads;
  for (int i = 0; i < kMostAtOnce; ++i) {
    threads.emplace_back(
        [&, one = turn_of(ids, clock, std::to_string(i), "early")] { must(store.commit_turn(one, ana, kNever)); });
    while (under_way() <= i && !patience.expired()) std::this_thread::yield();
  }
  EXPECT_EQ(under_way(), kMostAtOnce);
  const TurnRecord late = turn_of(ids, clock, "another", "late");
  const auto given = store.commit_turn(late, ana, Deadline::after(clock, std::chrono::milliseconds(50)));
  EXPECT_EQ(under_way(), kMostAtOnce);
  must(gate->commit());
  for (auto& thread : threads) thread.join();
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(must(store.count(ana, kNever)), 1 + kMostAtOnce);
  must(store.commit_turn(late, ana, kNever));
}

// Nothing names the points that hold the words of a turn that is gone: so a neighbour that comes at the same time must
// be seen by whoever removes it.
TEST_F(PostgresStoresCase, WhoRemovesATurnWaitsForWhoeverIsInItsSessionAndSeesTheNeighboursThatCameMeanwhile) {
  TurnStore& store = processes[0]->turns();
  const TurnNumber gone = must(store.commit_turn(turn_of(ids, clock, "s", "words"), ana, kNever));
  const auto gate = must(PostgresConnection::open(options, kNever)),
             watch = must(PostgresConnection::open(options, kNever));
  const auto waits_for = [&](const char* what, const std::atomic<bool>& is_over) {
    while (!is_over && must(watch->query("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = $1", what)).empty())
      std::this_thread::yield();
  };
  const TurnRecord neighbour = turn_of(ids, clock, "s", "another");
  gate->begin();  // a commit waits for the outcome, with its turn written
  must(gate->query("INSERT INTO pandora.outbox (kind, key, version) VALUES ('turn_point', $1, 1)",
                   neighbour.turn.uid.to_string()));
  std::atomic<bool> is_there = false, is_gone = false;
  std::thread adds([&] {
    must(processes[1]->turns().commit_turn(neighbour, ana, kNever));
    is_there = true;
  });
  waits_for("transactionid", is_there);
  RemovedTurn removed;
  std::thread removes([&] {
    removed = must(store.remove(gone, ana, kNever));
    is_gone = true;
  });
  waits_for("advisory", is_gone);
  EXPECT_FALSE(is_there) << "the gate did not hold it";
  EXPECT_FALSE(is_gone) << "it did not wait";
  gate->rollback();
  adds.join();
  removes.join();
  EXPECT_THAT(removed.neighbours, ElementsAre(neighbour.turn.uid));
}

TEST_F(PostgresStoresCase, ProcessesThatDrainOneOutboxDoNothingTwice) {
  constexpr std::size_t kEntries = 600;
  std::vector<OutboxItem> items;
  for (std::size_t i = 0; i < kEntries; ++i) items.push_back({OutboxKind::kSourceFile, std::to_string(i)});
  must(processes[0]->outbox().enqueue(items, kNever));
  std::vector<std::vector<std::string>> done(kProcesses);
  std::vector<std::thread> threads;
  for (std::size_t which = 0; which < kProcesses; ++which)
    threads.emplace_back([&, which] {
      Outbox& outbox = processes[which]->outbox();
      for (;;) {
        const auto entries =
            must(outbox.claim("process " + std::to_string(which), std::chrono::minutes(1), 16, kNever));
        if (entries.empty() && must(outbox.size(kNever)) == 0) return;
        for (const auto& entry : entries) done[which].push_back(entry.item.key);
        EXPECT_EQ(must(outbox.ack_all(entries, kNever)), entries.size());
      }
    });
  for (auto& thread : threads) thread.join();
  std::multiset<std::string> all;
  for (const auto& mine : done) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kEntries);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), kEntries);
}

// Each gateway looks five times a second, also while the points of a hundred thousand turns wait for their server.
TEST_F(PostgresStoresCase, WhoLooksForWorkDoesNotReadWhatWaits) {
  server.sql("pandora",
             "INSERT INTO pandora.outbox (kind, key, version, due_at) SELECT 'turn_point', n::text, n,"
             " (extract(epoch FROM now()) * 1000000)::bigint + 1800000000 FROM generate_series(1, 100000) AS n");
  const auto connection = must(PostgresConnection::open(options, kNever));
  const std::string due(PostgresOutbox::kDue);
  must(connection->script("PREPARE due (bigint, bigint, text, bigint) AS " + due));
  const auto expect_index = [&](const std::string& when) {
    for (const char* mode : {"force_custom_plan", "force_generic_plan"}) {
      must(connection->script(std::string("SET plan_cache_mode = ") + mode));
      const auto plan = must(connection->query("EXPLAIN EXECUTE due (NULL, 3600000000, 'journal-a', 257)"));
      std::string text;
      for (int i = 0; i < plan.size(); ++i) text += std::string(plan.text(i, 0)) + "\n";
      EXPECT_THAT(text, ::testing::HasSubstr("outbox_by_due")) << when << ", " << mode;
      EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("Seq Scan"))) << when << ", " << mode << ":\n" << text;
    }
  };
  expect_index("before the server has looked at the table");
  server.sql("pandora", "ANALYZE pandora.outbox");
  expect_index("by what the server knows of it");
  server.sql("pandora", "UPDATE pandora.outbox SET due_at = 0");
  expect_index("by what the server knew of it");
  server.sql("pandora", "ANALYZE pandora.outbox");
  expect_index("with everything due");

  // Of more than may be taken the oldest are; of fewer, all.
  Outbox& outbox = processes[0]->outbox();
  const auto oldest = must(outbox.claim("one", std::chrono::minutes(1), 3, kNever));
  ASSERT_EQ(oldest.size(), 3u);
  EXPECT_EQ(oldest[0].item.key, "1");
  EXPECT_EQ(oldest[2].item.key, "3");
  server.sql("pandora",
             "UPDATE pandora.outbox SET due_at = 1 + (extract(epoch FROM now()) * 1000000)::bigint + 1800000000"
             " WHERE key NOT IN ('3', '7', '9')");
  const auto left = must(outbox.claim("two", std::chrono::minutes(1), 3, kNever));
  ASSERT_EQ(left.size(), 2u) << "one of the three is leased";
  EXPECT_EQ(left[0].item.key, "7");
  EXPECT_EQ(left[1].item.key, "9");
}

TEST_F(PostgresStoresCase, WhoLostHisLeaseCanNeitherAckNorRetryWhatAnotherWorksOn) {
  const OutboxItem item{OutboxKind::kSourceFile, "a"};
  must(processes[0]->outbox().enqueue({&item, 1}, kNever));
  const auto first = must(processes[0]->outbox().claim("one", Duration(0), 1, kNever)).at(0);
  const auto second = must(processes[1]->outbox().claim("two", std::chrono::minutes(1), 1, kNever)).at(0);
  EXPECT_FALSE(must(processes[0]->outbox().ack(first.id, first.version, kNever)));
  must(processes[0]->outbox().retry(first.id, first.version, Duration(0), "late", kNever));
  EXPECT_TRUE(must(processes[2]->outbox().claim("three", std::chrono::minutes(1), 1, kNever)).empty());
  EXPECT_TRUE(must(processes[1]->outbox().ack(second.id, second.version, kNever)));
}

class DurablePostgresStoresCase : public PostgresStoresCase {
 protected:
  DurablePostgresStoresCase() : PostgresStoresCase({.programs = {}, .settings = {}, .durable = true}) {}
};

TEST_F(DurablePostgresStoresCase, WhatWasCommittedIsThereAfterEveryCrashOfTheServerOnceAndWithANumberOfItsOwn) {
  constexpr int kThreads = 3, kCrashes = 3;
  std::atomic<bool> ends = false;
  std::atomic<int> committed = 0;
  std::vector<std::map<Uuid, TurnNumber>> kept(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t which = 0; which < kThreads; ++which)
    threads.emplace_back([&, which] {
      while (!ends) {
        const TurnRecord one = turn_of(ids, clock, "s" + std::to_string(which), "said");
        for (;;) {  // as the saver does: until it is known
          const auto number = processes[which]->turns().commit_turn(one, ana, kNever);
          if (number) {
            kept[which][one.turn.uid] = *number;
            ++committed;
            break;
          }
          EXPECT_TRUE(error_info(number.error().code).retryable) << number.error().to_line();
        }
      }
    });
  for (int crash = 0; crash < kCrashes; ++crash) {
    const int before = committed;
    while (committed < before + 30) std::this_thread::yield();
    server.stop(SIGQUIT);
    server.start();
  }
  ends = true;
  for (auto& thread : threads) thread.join();
  std::set<TurnNumber> numbers;
  std::size_t count = 0;
  for (const auto& mine : kept)
    for (const auto& [uid, number] : mine) {
      const auto found = must(processes[0]->turns().find_all({&uid, 1}, ana, kNever));
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(found[0].number, number);
      EXPECT_TRUE(numbers.insert(number).second);
      ++count;
    }
  EXPECT_EQ(must(processes[0]->turns().count(ana, kNever)), static_cast<std::int64_t>(count)) << "none is there twice";
}

// Gateways, each with a journal of its own.
class PostgresHomesCase : public PostgresStoresCase {
 protected:
  std::unique_ptr<PostgresStores> gateway(const std::string& home, const Clock& with) const {
    PostgresOptions at = options;
    at.home = home;
    return PostgresStores::open(at, with);
  }
  static std::vector<std::string> kinds_of(const std::vector<OutboxEntry>& entries) {
    std::vector<std::string> kinds;
    for (const auto& entry : entries) kinds.emplace_back(to_string(entry.item.kind));
    return kinds;
  }
  static constexpr Duration kLease = std::chrono::minutes(1);
};

TEST_F(PostgresHomesCase, ADirectoryIsWrittenByTheGatewayThatHoldsTheTurnAndPointsByAnybody) {
  const auto a = gateway("journal-a", clock), b = gateway("journal-b", clock);
  const TurnRecord turn = turn_of(ids, clock, "s", "of a");
  must(a->turns().commit_turn(turn, ana, kNever));
  EXPECT_EQ(must(b->outbox().size(kNever)), 1) << "the directory is none of its business";
  EXPECT_THAT(kinds_of(must(b->outbox().claim("journal-b", kLease, 10, kNever))), ElementsAre("turn_point"));
  const auto named = must(b->journals().list(kNever));
  EXPECT_TRUE(named.empty());
  // Whoever asks for it again, it stays where the turn is.
  const std::vector<OutboxItem> again = {{OutboxKind::kTurnDirectory, turn.turn.uid.to_string()}};
  must(b->outbox().enqueue(again, kNever));
  EXPECT_TRUE(must(b->outbox().claim("journal-b", kLease, 10, kNever)).empty());
  // It dies with the lease; the next one with its journal goes on.
  EXPECT_EQ(must(a->outbox().claim("journal-a", kLease, 10, kNever)).size(), 1u);
  const auto successor = gateway("journal-a", clock);
  must(successor->outbox().release("journal-a", kNever));
  const auto taken = must(successor->outbox().claim("journal-a", kLease, 10, kNever));
  ASSERT_THAT(kinds_of(taken), ElementsAre("turn_directory"));
  EXPECT_TRUE(must(successor->outbox().ack(taken[0].id, taken[0].version, kNever)));
  // A change of a turn whose directory is there is for whoever makes it.
  must(b->turns().change(must(b->turns().list({}, ana, kNever)).front().number, {.rejected = true}, ana, kNever));
  EXPECT_THAT(kinds_of(must(b->outbox().claim("journal-b", kLease, 10, kNever))),
              UnorderedElementsAre("turn_directory", "turn_point"));
}

TEST_F(PostgresHomesCase, LeasesAreOfTheServersClockHoweverWrongAMachinesIs) {
  ManualClock ahead(clock.now() + std::chrono::hours(5)), behind(clock.now() - std::chrono::hours(5));
  const auto a = gateway("journal-a", ahead), b = gateway("journal-b", behind);
  const std::vector<OutboxItem> item = {{OutboxKind::kSourceFile, "example.com"}};
  must(a->outbox().enqueue(item, kNever));
  const auto held = must(a->outbox().claim("journal-a", kLease, 10, kNever));
  ASSERT_EQ(held.size(), 1u);
  EXPECT_TRUE(must(b->outbox().claim("journal-b", kLease, 10, kNever)).empty()) << "it is leased";
  must(a->outbox().retry(held[0].id, held[0].version, Duration(0), "away", kNever));
  const auto taken = must(b->outbox().claim("journal-b", Duration(0), 10, kNever));
  ASSERT_EQ(taken.size(), 1u) << "it is due";
  EXPECT_EQ(must(a->outbox().claim("journal-a", kLease, 10, kNever)).size(), 1u) << "a lease of no time is over";
  EXPECT_FALSE(must(b->outbox().ack(taken[0].id, taken[0].version, kNever)));
}

// Each gateway asks for them every two seconds, also while a hundred thousand entries wait for points.
TEST_F(PostgresHomesCase, WhoCountsWhatWaitsForOthersReadsThatAlone) {
  const auto a = gateway("journal-a", clock);
  must(a->journals().put({"journal-a", "one.example", "/data/a", 3, 0, {}}, kNever));
  server.sql(
      "pandora",
      "INSERT INTO pandora.outbox (kind, key, version, home) SELECT CASE WHEN n > 100000 THEN 'turn_directory' ELSE"
      " 'turn_point' END, n::text, n, 'journal-a' FROM generate_series(1, 100000 + " +
          std::to_string(kMaxToldDirectories + 1) + ") AS n");
  const auto connection = must(PostgresConnection::open(options, kNever));
  must(connection->script("PREPARE listed (bigint) AS " + std::string(PostgresJournalRegister::kList)));
  for (const char* known : {"before the server has looked at the table", "by what it knows of it"}) {
    const auto plan = must(connection->query("EXPLAIN EXECUTE listed (10000)"));
    std::string text;
    for (int i = 0; i < plan.size(); ++i) text += std::string(plan.text(i, 0)) + "\n";
    EXPECT_THAT(text, ::testing::HasSubstr("outbox_by_due")) << known;
    EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("Seq Scan on outbox"))) << known << ":\n" << text;
    server.sql("pandora", "ANALYZE pandora.outbox");
  }
  EXPECT_EQ(must(a->journals().list(kNever)).at(0).directories, kMaxToldDirectories) << "one past it";
  server.sql("pandora", "DELETE FROM pandora.outbox WHERE key::bigint > 100003");
  EXPECT_EQ(must(a->journals().list(kNever)).at(0).directories, 3);
}

TEST_F(PostgresHomesCase, JournalsAreNamedWithWhatWaitsThere) {
  const auto a = gateway("journal-a", clock), b = gateway("journal-b", clock);
  must(a->journals().put({"journal-a", "one.example", "/data/a", 3, 0, {}}, kNever));
  must(b->journals().put({"journal-b", "two.example", "/data/b", 0, 0, {}}, kNever));
  must(a->turns().commit_turn(turn_of(ids, clock, "s", "of a"), ana, kNever));
  must(a->journals().put({"journal-a", "one.example", "/data/a", 2, 0, {}}, kNever));
  server.sql("pandora", "UPDATE pandora.journals SET seen_at = now() - interval '15 s' WHERE journal_id = 'journal-a'");
  const auto known = must(b->journals().list(kNever));
  ASSERT_EQ(known.size(), 2u);
  EXPECT_EQ(known[0].id, "journal-a");
  EXPECT_EQ(known[0].host, "one.example");
  EXPECT_EQ(known[0].directory, "/data/a");
  EXPECT_EQ(known[0].pending, 2);
  EXPECT_EQ(known[0].directories, 1);
  EXPECT_TRUE(known[0].is_silent());
  EXPECT_FALSE(known[1].is_silent());
  must(b->journals().remove("journal-a", kNever));
  must(b->journals().remove("journal-a", kNever));
  EXPECT_EQ(must(b->journals().list(kNever)).size(), 1u);
}

}  // namespace
}  // namespace pandora::testing
