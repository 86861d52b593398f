// Turns that share a transaction: which ones do, and in which order they came, is made sure of here.
#include <atomic>
#include <deque>
#include <optional>
#include <thread>

#include "postgres/stores_case.h"
#include "store_server/postgres_turn_commits.h"

namespace pandora::testing {
namespace {

// Says when somebody asked how late it is: a turn that waits for others does so once it stands in their row.
class AskedClock final : public Clock {
 public:
  Timestamp now() const override { return clock_.now(); }
  SteadyTime steady() const override {
    asked_ = true;
    asked_.notify_all();
    return clock_.steady();
  }
  void forget() { asked_ = false; }
  void wait() const { asked_.wait(false); }

 private:
  const SystemClock clock_;
  mutable std::atomic<bool> asked_ = false;
};

// Who waits for whom is never looked at: who needs that, does not come through.
class TurnsTogetherCase : public PostgresStoresCase {
 protected:
  struct Writer {
    TurnRecord record;
    AskedClock clock;
    std::optional<Result<TurnNumber>> given;
    std::thread thread;
  };

  TurnsTogetherCase() : PostgresStoresCase({.programs = {}, .settings = {"deadlock_timeout=1h"}}) {
    must(processes[0]->turns().commit_turn(turn("first", "first"), ana, kNever));  // sets the counters on
  }
  ~TurnsTogetherCase() override { join(); }

  TurnRecord turn(const std::string& session, const std::string& text) { return turn_of(ids, clock, session, text); }
  // From here on each transaction that saves a turn waits.
  void hold() {
    counters->begin();
    must(counters->query("SELECT pg_advisory_xact_lock($1::integer, $2::integer)", kPostgresLocks, kCountersLock));
  }
  // Will be saved in one transaction, in this order: the one after those that are under way now.
  std::deque<Writer*> gather(PostgresStores& process, std::vector<TurnRecord> records) {
    const std::int64_t before = waiting();
    for (int i = 0; i < kMostAtOnce; ++i) begin(process, turn("early", std::to_string(i)));
    while (waiting() < before + kMostAtOnce) std::this_thread::yield();
    std::deque<Writer*> begun;
    for (auto& record : records) {
      begun.push_back(&begin(process, std::move(record)));
      begun.back()->clock.wait();
    }
    return begun;
  }
  Writer& begin(PostgresStores& process, TurnRecord record) {
    Writer& one = writers.emplace_back();
    one.record = std::move(record);
    const Deadline deadline = Deadline::after(one.clock, std::chrono::seconds(60));
    one.clock.forget();
    one.thread = std::thread([&one, &process, deadline] {
      one.given = process.turns().commit_turn(one.record, Principal::of(one.record.turn.user), deadline);
    });
    return one;
  }
  void let_go() { must(counters->commit()); }
  void join() {
    for (auto& one : writers)
      if (one.thread.joinable()) one.thread.join();
  }
  std::int64_t waiting() {
    return must(watch->query("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"))
        .integer(0, 0);
  }
  std::int64_t transactions_of(const std::deque<Writer*>& those) {
    std::vector<Uuid> uids;
    for (const Writer* one : those) uids.push_back(one->record.turn.uid);
    return must(watch->query("SELECT count(DISTINCT xmin::text) FROM pandora.turns WHERE turn_uid = ANY ($1::uuid[])",
                             uids))
        .integer(0, 0);
  }

  const std::unique_ptr<PostgresConnection> counters = must(PostgresConnection::open(options, kNever)),
                                            watch = must(PostgresConnection::open(options, kNever));
  std::deque<Writer> writers;
};

TEST_F(TurnsTogetherCase, WhatEachBringsIsItsOwn) {
  const Uuid elsewhere = ids.next();
  std::vector<TurnRecord> records;
  std::size_t made = 0;
  for (const std::size_t count : {0, 3, 1, 1'000, 0, 1'001, 2, 2'001}) {
    TurnRecord one = turn("s", std::string("a\0b\xff", 4) + std::to_string(count));
    one.turn.keywords.clear();
    for (std::size_t i = 0; i < records.size() % 4; ++i) one.turn.keywords.push_back("word" + std::to_string(i));
    for (std::size_t i = 0; i < count; ++i) {
      Observation seen{one.turn.uid,
                       i % 2 == 0 ? ObservationKind::kTool : ObservationKind::kPhase,
                       "name \"" + std::to_string(++made) + "\", {}",
                       clock.now() - Duration(made),
                       0,
                       0,
                       0,
                       i % 3 == 0,
                       "",
                       {}};
      seen.micros = static_cast<std::int64_t>(made), seen.tokens_in = -seen.micros, seen.tokens_out = 1LL << 40;
      if (i % 4 == 1) seen.confidence = 1.0 / static_cast<double>(made);
      if (i % 5 == 2) seen.detail = "NULL";
      one.observations.push_back(seen);
    }
    records.push_back(std::move(one));
  }
  records[1].observations[1].turn_uid = records[3].turn.uid;  // of another one of them
  records[6].observations[0].turn_uid = elsewhere;
  hold();
  const auto those = gather(*processes[0], records);
  let_go();
  join();
  EXPECT_EQ(transactions_of(those), 1);
  std::vector<Observation> wanted, kept;
  TurnNumber last;
  for (const Writer* one : those) {
    ASSERT_TRUE(*one->given) << one->given->error().to_line();
    EXPECT_LT(last, **one->given) << "in the order in which they came";
    last = **one->given;
    const Turn there = must(processes[1]->turns().find(**one->given, ana, kNever));
    EXPECT_EQ(there.uid, one->record.turn.uid);
    EXPECT_EQ(there.keywords, one->record.turn.keywords);
    EXPECT_EQ(there.message.text, std::string("a\0b\uFFFD", 6) + std::to_string(one->record.observations.size()));
    for (const auto& seen : one->record.observations) wanted.push_back(seen);
  }
  Principal everyone = ana;
  everyone.access = Access::kSystem;
  for (ObservationQuery query{.limit = 1'000};;) {
    const auto page = must(processes[1]->observations().list(query, everyone, kNever));
    if (page.empty()) break;
    for (const auto& row : page) kept.push_back(row.observation);
    query.after_row = page.back().row;
  }
  EXPECT_EQ(kept, wanted);
  EXPECT_EQ(
      must(processes[1]->turns().keyword_counts(std::vector<std::string>{"word0", "word1", "word2"}, ana, kNever)),
      (std::vector<std::int64_t>{6, 4, 2}));
}

TEST_F(TurnsTogetherCase, OneUidOfTwoUsersIsThatOfTheFirstAndTheOtherIsRefused) {
  const Principal ben = Principal::of(must(UserId::parse("ben")));
  std::vector<TurnRecord> records = {turn("s", "hers"), turn("s", "his")};
  records[1].turn.uid = records[0].turn.uid;
  records[1].turn.user = ben.user;
  hold();
  const auto those = gather(*processes[0], records);
  let_go();
  join();
  ASSERT_TRUE(*those[0]->given) << those[0]->given->error().to_line();
  EXPECT_EQ(must(processes[0]->turns().find(**those[0]->given, ana, kNever)).message.text, "hers");
  EXPECT_FAILS(kPermissionDenied, *those[1]->given);
  EXPECT_EQ(must(processes[0]->turns().count(ben, kNever)), 0);
}

// Each of two transactions would hold the session that the other needs next, behind somebody who waits to have it
// alone.
TEST_F(TurnsTogetherCase, TransactionsWithTheSameSessionsAndThoseWhoRemoveTurnsOfThemDoNotWaitInACircle) {
  const std::vector<std::string> sessions = {"a", "b"};
  std::vector<TurnNumber> gone;
  for (const auto& session : sessions)
    gone.push_back(must(processes[0]->turns().commit_turn(turn(session, "goes"), ana, kNever)));
  const auto alone = must(PostgresConnection::open(options, kNever));
  alone->begin();
  for (const auto& session : sessions)
    must(alone->query("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", "ana/" + session));
  hold();
  std::vector<std::deque<Writer*>> those = {gather(*processes[0], {turn("a", "one"), turn("b", "two")}),
                                            gather(*processes[1], {turn("b", "three"), turn("a", "four")})};
  let_go();
  while (waiting() < 2) std::this_thread::yield();
  std::vector<std::thread> removers;
  for (const TurnNumber number : gone) {
    const std::int64_t before = waiting();
    removers.emplace_back([&, number] { must(processes[2]->turns().remove(number, ana, kNever)); });
    while (waiting() == before) std::this_thread::yield();
  }
  must(alone->commit());
  join();
  for (auto& remover : removers) remover.join();
  for (const auto& some : those) {
    for (const Writer* one : some) EXPECT_TRUE(*one->given) << one->given->error().to_line();
    EXPECT_EQ(transactions_of(some), 1);
  }
}

}  // namespace
}  // namespace pandora::testing
