// Outbox: entries, leases, versions.
#include <set>
#include <thread>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

constexpr Duration kLease = std::chrono::seconds(30);

class OutboxContract : public RowsContract {
 protected:
  Outbox& outbox() { return rows->outbox(); }
  static OutboxItem item(const std::string& key) { return {OutboxKind::kSourceFile, key}; }
  void ask(const std::vector<std::string>& keys) {
    std::vector<OutboxItem> items;
    for (const auto& key : keys) items.push_back(item(key));
    ASSERT_TRUE(outbox().enqueue(items, kNever));
  }
  std::vector<OutboxEntry> claim(const std::string& owner, std::size_t n = kMaxClaim, Duration lease = kLease) {
    return outbox().claim(owner, lease, n, kNever).value();
  }
  OutboxEntry claim_one(const std::string& owner) { return claim(owner, 1).at(0); }
  bool ack(const OutboxEntry& entry) { return outbox().ack(entry.id, entry.version, kNever).value(); }
  void retry(const OutboxEntry& entry, Duration delay, const std::string& error = "away") {
    ASSERT_TRUE(outbox().retry(entry.id, entry.version, delay, error, kNever));
  }
  std::int64_t size() { return outbox().size(kNever).value(); }
  static std::vector<std::string> keys(const std::vector<OutboxEntry>& entries) {
    std::vector<std::string> found;
    for (const auto& entry : entries) found.push_back(entry.item.key);
    return found;
  }
};
using Keys = std::vector<std::string>;

TEST_P(OutboxContract, EveryKindIsKeptAndOneEntryAKindAndKey) {
  std::vector<OutboxItem> items;
  for (const auto kind :
       {OutboxKind::kTurnDirectory, OutboxKind::kTurnPoint, OutboxKind::kMemoryFile, OutboxKind::kMemoryPoint,
        OutboxKind::kResearchFile, OutboxKind::kResearchPoint, OutboxKind::kSourceFile})
    items.push_back({kind, "the same key"});
  ASSERT_TRUE(outbox().enqueue(items, kNever));
  ASSERT_TRUE(outbox().enqueue(joined(items, items), kNever));
  ASSERT_TRUE(outbox().enqueue({}, kNever));
  EXPECT_EQ(size(), 7);
  rows->reopen();
  EXPECT_EQ(take_outbox(), items);
  EXPECT_EQ(size(), 0);
}

TEST_P(OutboxContract, WhatWasAskedForFirstIsClaimedFirst) {
  ask({"c", "a", "b"});
  ask({"a", "d"});  // asking again keeps the place
  rows->reopen();
  EXPECT_EQ(keys(claim("one", 2)), (Keys{"c", "a"}));
  EXPECT_EQ(keys(claim("one", 1)), Keys{"b"});
  EXPECT_EQ(keys(claim("one", 10)), Keys{"d"});
  EXPECT_TRUE(claim("one").empty());
}

TEST_P(OutboxContract, WhatWasRemovedAndIsAskedForAgainComesLast) {
  ask({"a", "b"});
  ASSERT_TRUE(ack(claim_one("one")));
  ask({"a"});
  EXPECT_EQ(keys(claim("one")), (Keys{"b", "a"}));
}

TEST_P(OutboxContract, AClaimTakesAtMostItsMaximum) {
  std::vector<std::string> many;
  for (std::size_t i = 0; i <= kMaxClaim; ++i) many.push_back(std::to_string(i));
  ask(many);
  EXPECT_TRUE(claim("one", 0).empty());
  const auto most = claim("one", kMaxClaim);
  EXPECT_EQ(most.size(), kMaxClaim);
  EXPECT_EQ(outbox().ack_all(most, kNever).value(), kMaxClaim);
  ask(many);
  EXPECT_EQ(claim("one", kMaxClaim + 1).size(), kMaxClaim);
  EXPECT_EQ(size(), static_cast<std::int64_t>(kMaxClaim) + 1);
}

TEST_P(OutboxContract, AClaimedEntryIsNobodyElsesUntilItsLeaseRunsOut) {
  ask({"a"});
  const auto first = claim_one("one");
  EXPECT_EQ(first.attempts, 1);
  EXPECT_EQ(first.last_error, "");
  clock.advance(kLease - Duration(1));
  rows->reopen();
  EXPECT_TRUE(claim("two").empty());
  EXPECT_TRUE(claim("one").empty()) << "nor twice one's own";
  EXPECT_EQ(size(), 1) << "leased ones count";
  clock.advance(Duration(1));
  const auto second = claim_one("two");
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.attempts, 2);
  EXPECT_GT(second.version, first.version);
}

TEST_P(OutboxContract, AnAckRemovesTheVersionThatWasClaimedOnce) {
  ask({"a", "b"});
  const auto entry = claim_one("one");
  EXPECT_FALSE(outbox().ack(entry.id, entry.version - 1, kNever).value());
  EXPECT_FALSE(outbox().ack(entry.id, entry.version + 1, kNever).value());
  EXPECT_EQ(size(), 2);
  EXPECT_TRUE(ack(entry));
  EXPECT_FALSE(ack(entry)) << "it is gone already";
  rows->reopen();
  EXPECT_EQ(size(), 1);
}

TEST_P(OutboxContract, WhatIsAskedForAgainWhileItIsLeasedIsDueAtOnceAndItsAckIsVoid) {
  ask({"a"});
  const auto first = claim_one("one");
  ask({"a"});
  EXPECT_FALSE(ack(first));
  const auto second = claim_one("two");
  EXPECT_EQ(second.id, first.id);
  EXPECT_GT(second.version, first.version);
  EXPECT_EQ(second.attempts, 1) << "attempts are of this request";
  EXPECT_TRUE(ack(second));
}

TEST_P(OutboxContract, WhoLostHisLeaseToAnotherCanNeitherAckNorRetry) {
  ask({"a"});
  const auto lost = claim_one("one");
  clock.advance(kLease);
  const auto held = claim_one("two");
  EXPECT_FALSE(ack(lost));
  retry(lost, Duration(0), "of one");
  EXPECT_TRUE(claim("three").empty()) << "the lease of two stands";
  EXPECT_TRUE(ack(held));
}

TEST_P(OutboxContract, ALeaseThatRanOutCanStillBeAckedUntilAnotherClaims) {
  ask({"a"});
  const auto late = claim_one("one");
  clock.advance(kLease * 2);
  EXPECT_TRUE(ack(late));
  EXPECT_EQ(size(), 0);
}

TEST_P(OutboxContract, AReleaseFreesTheEntriesOfItsOwnerOnly) {
  ask({"a", "b", "c"});
  const auto first = claim_one("dead");
  claim("alive", 1);
  claim("dead", 1);
  ASSERT_TRUE(outbox().release("dead", kNever));
  ASSERT_TRUE(outbox().release("nobody", kNever));
  rows->reopen();
  const auto again = claim("heir");
  EXPECT_EQ(keys(again), (Keys{"a", "c"}));
  EXPECT_EQ(again[0].attempts, 2);
  EXPECT_FALSE(ack(first));
  ASSERT_TRUE(outbox().release("dead", kNever));
  EXPECT_TRUE(claim("third").empty()) << "they are the heir's now";
}

TEST_P(OutboxContract, ARetryIsDueAfterItsDelayWithItsError) {
  ask({"a", "b"});
  const auto entry = claim_one("one");
  retry(entry, std::chrono::seconds(5), "the disk is \"full\"");
  EXPECT_EQ(keys(claim("one")), Keys{"b"});
  EXPECT_EQ(size(), 2) << "delayed ones count";
  clock.advance(std::chrono::seconds(5) - Duration(1));
  rows->reopen();
  EXPECT_TRUE(claim("one").empty());
  clock.advance(Duration(1));
  const auto again = claim_one("two");
  EXPECT_EQ(again.item, entry.item);
  EXPECT_EQ(again.attempts, 2);
  EXPECT_EQ(again.last_error, "the disk is \"full\"");
}

TEST_P(OutboxContract, ARetryWithoutDelayIsDueAtOnceInItsOldPlace) {
  ask({"a", "b"});
  retry(claim_one("one"), Duration(0));
  EXPECT_EQ(keys(claim("two")), (Keys{"a", "b"}));
}

TEST_P(OutboxContract, AskingAgainEndsADelayAndForgetsTheError) {
  ask({"a"});
  retry(claim_one("one"), std::chrono::minutes(1));
  ask({"a"});
  const auto entry = claim_one("one");
  EXPECT_EQ(entry.attempts, 1);
  EXPECT_EQ(entry.last_error, "");
}

TEST_P(OutboxContract, ARetryOfWhatWasAskedForAgainMeanwhileDoesNotPutItOff) {
  ask({"a"});
  const auto entry = claim_one("one");
  ask({"a"});
  retry(entry, std::chrono::minutes(1));
  EXPECT_EQ(claim_one("one").last_error, "");
}

TEST_P(OutboxContract, ARetryOfNothingIsNothing) {
  ASSERT_TRUE(outbox().retry(99, 1, Duration(1), "x", kNever));
  EXPECT_EQ(size(), 0);
  EXPECT_FALSE(outbox().ack(99, 1, kNever).value());
}

TEST_P(OutboxContract, LeasesAndDelaysEndAtTheirMaximum) {
  ask({"a"});
  auto entry = claim("one", 1, kMaxOutboxWait * 10).at(0);
  clock.advance(kMaxOutboxWait - Duration(1));
  EXPECT_TRUE(claim("two").empty());
  clock.advance(Duration(1));
  entry = claim("two", 1, kMaxOutboxWait).at(0);
  retry(entry, kMaxOutboxWait * 10);
  clock.advance(kMaxOutboxWait - Duration(1));
  EXPECT_TRUE(claim("two").empty());
  clock.advance(Duration(1));
  EXPECT_EQ(claim("two").size(), 1U);
}

TEST_P(OutboxContract, AClockThatWasSetBackHoldsNothingUp) {
  ask({"leased", "delayed"});
  claim("one", 1);
  retry(claim_one("one"), std::chrono::minutes(1));
  clock.set_wall(clock.now() - std::chrono::hours(24 * 365));
  EXPECT_EQ(keys(claim("two")), (Keys{"leased", "delayed"}));
}

TEST_P(OutboxContract, VersionsRiseOverAllEntriesAndAreNotBelowTheTime) {
  std::int64_t last = clock.now().micros - 1;
  const auto expect_higher = [&](const std::vector<OutboxEntry>& entries) {
    ASSERT_FALSE(entries.empty());
    std::int64_t highest = last;
    for (const auto& entry : entries) {
      EXPECT_GT(entry.version, last);
      highest = std::max(highest, entry.version);
    }
    last = highest;
  };
  ask({"a", "b"});
  expect_higher(claim("one"));
  ask({"a"});
  expect_higher(claim("one"));
  clock.advance(std::chrono::hours(1));
  last = clock.now().micros - 1;
  rows->reopen();
  ask({"c"});
  expect_higher(claim("one", 1));
  clock.set_wall({1'000});  // an NTP step back must not make an old version new
  ask({"b"});
  expect_higher(claim("one", 1));
}

// Of a store that goes on with the points of another, whose clock was ahead.
TEST_P(OutboxContract, VersionsGoOnAboveThoseOfAnotherStore) {
  ask({"a"});
  const std::int64_t before = claim_one("one").version;
  EXPECT_EQ(outbox().last_version(kNever).value(), before);
  const std::int64_t ahead = before + 3 * kMaxOutboxWait.count();
  ASSERT_TRUE(outbox().versions_through(ahead, kNever));
  EXPECT_EQ(outbox().last_version(kNever).value(), ahead);
  ASSERT_TRUE(outbox().versions_through(before, kNever)) << "never back";
  rows->reopen();
  EXPECT_EQ(outbox().last_version(kNever).value(), ahead);
  ask({"b"});
  EXPECT_GT(claim_one("one").version, ahead);
}

TEST_P(OutboxContract, AckAllCountsWhatItRemoved) {
  ask({"a", "b", "c"});
  auto entries = claim("one");
  ask({"b"});
  entries.push_back(entries.front());
  EXPECT_EQ(outbox().ack_all(entries, kNever).value(), 2U);
  EXPECT_EQ(outbox().ack_all({}, kNever).value(), 0U);
  EXPECT_EQ(keys(claim("one")), Keys{"b"});
}

TEST_P(OutboxContract, AnEntryWaitsUntilItIsAckedWhateverHappensToItMeanwhile) {
  const auto waits = [&](const OutboxItem& one) { return outbox().is_waiting(one, kNever).value(); };
  EXPECT_FALSE(waits(item("a")));
  ask({"a"});
  EXPECT_TRUE(waits(item("a")));
  EXPECT_FALSE(waits(item("b")));
  EXPECT_FALSE(waits({OutboxKind::kMemoryFile, "a"})) << "another kind of the same key";
  retry(claim_one("one"), std::chrono::minutes(1));
  EXPECT_TRUE(waits(item("a"))) << "delayed";
  clock.advance(std::chrono::minutes(1));
  const auto entry = claim_one("one");
  EXPECT_TRUE(waits(item("a"))) << "leased";
  EXPECT_TRUE(ack(entry));
  EXPECT_FALSE(waits(item("a")));
}

TEST_P(OutboxContract, OwnersThatClaimAtOnceShareNothing) {
  constexpr int kOwners = 6;
  constexpr std::size_t kEntries = 120;
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kEntries; ++i) many.push_back(std::to_string(i));
  ask(many);
  std::vector<std::vector<std::string>> taken(kOwners);
  std::vector<std::thread> threads;
  for (int owner = 0; owner < kOwners; ++owner)
    threads.emplace_back([&, owner] {
      for (;;) {
        const auto entries = claim("owner " + std::to_string(owner), 7);
        if (entries.empty()) return;
        for (const auto& entry : entries) {
          taken[static_cast<std::size_t>(owner)].push_back(entry.item.key);
          EXPECT_TRUE(ack(entry));
        }
      }
    });
  for (auto& thread : threads) thread.join();
  std::multiset<std::string> all;
  for (const auto& mine : taken) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all, std::multiset<std::string>(many.begin(), many.end()));
  EXPECT_EQ(size(), 0);
}

TEST_P(OutboxContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  ask({"a"});
  const auto entry = claim_one("one");
  const std::vector<OutboxItem> more = {item("b")};
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(outbox().enqueue(more, passed())), late);
  EXPECT_EQ(error_of(outbox().claim("two", kLease, 1, passed())), late);
  EXPECT_EQ(error_of(outbox().release("one", passed())), late);
  EXPECT_EQ(error_of(outbox().ack(entry.id, entry.version, passed())), late);
  EXPECT_EQ(error_of(outbox().ack_all({&entry, 1}, passed())), late);
  EXPECT_EQ(error_of(outbox().retry(entry.id, entry.version, Duration(0), "x", passed())), late);
  EXPECT_EQ(error_of(outbox().size(passed())), late);
  EXPECT_EQ(error_of(outbox().is_waiting(item("a"), passed())), late);
  EXPECT_EQ(error_of(outbox().last_version(passed())), late);
  EXPECT_EQ(error_of(outbox().versions_through(entry.version + 1, passed())), late);
  EXPECT_TRUE(claim("two").empty());
  EXPECT_TRUE(ack(entry));
}

INSTANTIATE_ROWS_CONTRACT(OutboxContract);

}  // namespace
}  // namespace pandora::testing
