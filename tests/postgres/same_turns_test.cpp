// Two gateways that save the same turns at once, as when one drains the journal of another that is not dead yet.
#include <array>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "postgres/stores_case.h"

namespace pandora::testing {
namespace {

// Who waits for whom is looked at so soon that a deadlock does not take the test's time.
class SameTurnsCase : public PostgresStoresCase {
 protected:
  SameTurnsCase() : PostgresStoresCase({.programs = {}, .settings = {"deadlock_timeout=20ms"}, .durable = false}) {}

  using Given = std::array<std::vector<std::optional<Result<TurnNumber>>>, 2>;  // by gateway, then by turn

  // What each turn brings: nothing, what follows it in the same statement, or what makes it go alone.
  TurnRecord turn_number(std::size_t i) {
    TurnRecord one = turn_of(ids, clock, "session-" + std::to_string(i % 3), std::to_string(i));
    for (std::size_t steps = 0; steps < i % 3; ++steps)
      one.observations.push_back({one.turn.uid, ObservationKind::kTurn, "turn", clock.now(), 1, 0, 0, true, "", {}});
    if (i % 8 == 7) {
      Memory memory;
      memory.id = ids.next();
      memory.user = one.turn.user;
      memory.content = "memory " + std::to_string(i);
      memory.source_turn = one.turn.uid;
      memory.created_at = clock.now();
      one.memories.push_back(memory);
    }
    return one;
  }
  // Each gateway has as many writers as there are turns, and the second one's come from behind. The first of them wait
  // for the counters, the others behind them; then the two long transactions wait for the turn in the middle: so each
  // holds what the other needs next.
  Given commit_from_both_ends(const std::vector<TurnRecord>& records) {
    const auto counters = must(PostgresConnection::open(options, kNever)),
               middle = must(PostgresConnection::open(options, kNever)),
               watch = must(PostgresConnection::open(options, kNever));
    middle->begin();
    const auto holder = must(middle->query(
        "INSERT INTO pandora.turns (turn_number, turn_uid, user_id, session_id, timestamp, topic, topic_terms, intent,"
        " keywords, quality, rejected, archived, content_sha256, document)"
        " SELECT nextval('pandora.turn_numbers'), $1, user_id, session_id, timestamp, topic, topic_terms, intent,"
        " keywords, quality, rejected, archived, content_sha256, document FROM pandora.turns"
        " ORDER BY turn_number LIMIT 1 RETURNING pg_current_xact_id()::text",
        records[records.size() / 2].turn.uid));
    counters->begin();
    must(counters->query("SELECT pg_advisory_xact_lock($1::integer, $2::integer)", kPostgresLocks, kCountersLock));
    Given given;
    for (auto& mine : given) mine.resize(records.size());
    std::atomic<std::size_t> begun = 0;
    std::vector<std::thread> threads;
    for (std::size_t n = 0; n < records.size(); ++n)
      for (std::size_t gateway = 0; gateway < 2; ++gateway) {
        const std::size_t i = gateway == 0 ? n : records.size() - 1 - n;
        const std::size_t before = threads.size();
        threads.emplace_back([&, gateway, i] {
          ++begun;
          begun.notify_all();
          given[gateway][i] = processes[gateway]->turns().commit_turn(records[i], ana, kNever);
        });
        begun.wait(before);
      }
    must(counters->commit());
    const Deadline patience = Deadline::after(clock, std::chrono::seconds(20));
    const auto waiting = [&] {
      return must(watch->query("SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid::text = $1",
                               holder.text(0, 0)))
          .integer(0, 0);
    };
    while (waiting() < 2 && !patience.expired()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_GE(waiting(), 2) << "they did not meet";
    middle->rollback();
    for (auto& thread : threads) thread.join();
    return given;
  }
};

TEST_F(SameTurnsCase, TurnsThatTwoGatewaysCommitFromBothEndsAreThereOnceAndNobodyHearsOfDeadlocks) {
  constexpr std::size_t kRounds = 6, kTurns = 48;
  const TurnNumber first = must(processes[0]->turns().commit_turn(turn_of(ids, clock, "s", "first"), ana, kNever));
  std::set<TurnNumber> numbers = {first};
  must(processes[0]->turns().reserve_through({100'000}, ana, kNever));
  std::size_t observed = 0, remembered = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    std::vector<TurnRecord> records;
    for (std::size_t i = 0; i < kTurns; ++i) {
      records.push_back(turn_number(i));
      // As rows that are brought back: their numbers were given long ago.
      if (round % 2 == 1 && i % 4 == 1) records.back().turn.number = {static_cast<std::int64_t>(1'000 * round + i)};
      observed += records.back().observations.size();
      remembered += records.back().memories.size();
    }
    const Given given = commit_from_both_ends(records);
    for (std::size_t i = 0; i < kTurns; ++i) {
      const Result<TurnNumber>&one = *given[0][i], &other = *given[1][i];
      ASSERT_TRUE(one) << one.error().to_line();
      ASSERT_TRUE(other) << other.error().to_line();
      EXPECT_EQ(*one, *other);
      EXPECT_TRUE(numbers.insert(*one).second) << "a number was given twice";
      EXPECT_EQ(must(processes[0]->turns().find(*one, ana, kNever)).uid, records[i].turn.uid);
      if (records[i].turn.number.value > 0) {
        EXPECT_EQ(*one, records[i].turn.number);
      }
    }
  }
  TurnStore& turns = processes[1]->turns();
  EXPECT_EQ(must(turns.count(ana, kNever)), static_cast<std::int64_t>(numbers.size()));
  EXPECT_EQ(must(turns.keyword_counts(std::vector<std::string>{"word", "7"}, ana, kNever)),
            (std::vector<std::int64_t>{kRounds * kTurns + 1, kRounds}));
  const auto watch = must(PostgresConnection::open(options, kNever));
  const auto sum = [&](const char* sql) { return static_cast<std::size_t>(must(watch->query(sql)).integer(0, 0)); };
  EXPECT_EQ(sum("SELECT sum(cardinality(kind)) FROM pandora.observations"), observed);
  EXPECT_EQ(sum("SELECT count(*) FROM pandora.memories"), remembered);
  EXPECT_EQ(sum("SELECT count(*) FROM pandora.outbox"), 2 * (numbers.size() + remembered));
}

// The number is looked at before the uid: each finds neither there, and then the other's number.
TEST_F(SameTurnsCase, OfARowThatTwoGatewaysBringBackAtOnceTheNumberIsItsOwnForBoth) {
  TurnStore& store = processes[0]->turns();
  must(store.commit_turn(turn_of(ids, clock, "s", "first"), ana, kNever));
  must(store.reserve_through({1'000}, ana, kNever));
  const auto middle = must(PostgresConnection::open(options, kNever)),
             watch = must(PostgresConnection::open(options, kNever));
  for (const bool brings_a_memory : {false, true}) {
    TurnRecord one = turn_number(brings_a_memory ? 7 : 0);
    one.turn.number = {brings_a_memory ? 70 : 80};
    middle->begin();
    must(
        middle->query("INSERT INTO pandora.turns (turn_number, turn_uid, user_id, session_id, timestamp, topic,"
                      " topic_terms, intent, keywords, quality, rejected, archived, content_sha256, document)"
                      " SELECT $1, $2, user_id, session_id, timestamp, topic, topic_terms, intent, keywords, quality,"
                      " rejected, archived, content_sha256, document FROM pandora.turns ORDER BY turn_number LIMIT 1",
                      one.turn.number.value, ids.next()));
    std::array<std::optional<Result<TurnNumber>>, 2> given;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 2; ++i)
      threads.emplace_back([&, i] { given[i] = processes[i]->turns().commit_turn(one, ana, kNever); });
    const auto waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
    while (must(watch->query(waits)).integer(0, 0) < 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    middle->rollback();
    for (auto& thread : threads) thread.join();
    for (const auto& number : given) {
      ASSERT_TRUE(*number) << number->error().to_line();
      EXPECT_EQ(**number, one.turn.number);
    }
    EXPECT_EQ(must(store.find(one.turn.number, ana, kNever)).uid, one.turn.uid);

    TurnRecord another = turn_number(brings_a_memory ? 7 : 0);
    another.turn.number = one.turn.number;
    const auto refused = store.commit_turn(another, ana, kNever);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  }
}

}  // namespace
}  // namespace pandora::testing
