// TurnStore: numbers, commits, reading. What changes a turn: turn_store_changes_contract.cpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "base/random.h"
#include "contract/rows_contract.h"
#include "domain/sparse_weights.h"
#include "ports/row_checks.h"

namespace pandora::testing {
namespace {

class TurnStoreContract : public RowsContract {
 protected:
  TurnStore& turns() { return rows->turns(); }
  std::int64_t reserve() { return turns().reserve_number(ana, kNever).value().value; }
  // A refused commit must have left nothing behind.
  void expect_nothing_written() {
    EXPECT_EQ(turns().count(everyone, kNever).value(), 0);
    EXPECT_TRUE(rows->memories().list({.include_superseded = true}, everyone, kNever).value().empty());
    EXPECT_TRUE(rows->research().list({}, everyone, kNever).value().empty());
    EXPECT_TRUE(rows->sources().list(clock.now(), kNever).value().empty());
    EXPECT_TRUE(rows->observations().list({}, everyone, kNever).value().empty());
    EXPECT_EQ(rows->outbox().size(kNever).value(), 0);
  }
  std::optional<ErrorCode> refused(const TurnRecord& record) {
    return error_of(turns().commit_turn(record, Principal::of(record.turn.user), kNever));
  }
};

// ── numbers ──

TEST_P(TurnStoreContract, NumbersBeginAtOneAndAreNeverGivenTwice) {
  EXPECT_EQ(reserve(), 1);
  EXPECT_EQ(reserve(), 2);
  rows->reopen();
  EXPECT_EQ(reserve(), 3);
  EXPECT_EQ(commit("s", "takes the next").number.value, 4);
  EXPECT_EQ(reserve(), 5);
}

TEST_P(TurnStoreContract, ANumberThatIsGivenRaisesTheNextOneAndRemovingGivesNoneBack) {
  TurnRecord restored = record("s", "restored");
  restored.turn.number = {10};
  EXPECT_EQ(commit(restored).number.value, 10);
  EXPECT_EQ(reserve(), 11);
  TurnRecord older = record("s", "older, restored later");
  older.turn.number = {5};
  EXPECT_EQ(commit(older).number.value, 5);
  const Turn last = commit("s", "the last");
  EXPECT_EQ(last.number.value, 12);
  ASSERT_TRUE(turns().remove(last.number, ana, kNever));
  rows->reopen();
  EXPECT_EQ(reserve(), 13);
}

TEST_P(TurnStoreContract, NumbersUpToOneThatIsReservedThroughAreNotGiven) {
  ASSERT_TRUE(turns().reserve_through({5}, everyone, kNever));
  EXPECT_EQ(reserve(), 6);
  ASSERT_TRUE(turns().reserve_through({3}, everyone, kNever));
  ASSERT_TRUE(turns().reserve_through({0}, everyone, kNever));
  rows->reopen();
  EXPECT_EQ(reserve(), 7);
}

TEST_P(TurnStoreContract, NumbersEndAtTheirMaximum) {
  EXPECT_EQ(error_of(turns().reserve_through({-1}, everyone, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of(turns().reserve_through({kMaxTurnNumber + 1}, everyone, kNever)), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(turns().reserve_through({kMaxTurnNumber - 1}, everyone, kNever));
  EXPECT_EQ(reserve(), kMaxTurnNumber);
  EXPECT_EQ(error_of(turns().reserve_number(ana, kNever)), ErrorCode::kResourceExhausted);
  TurnRecord late = record("s", "too late");
  late.memories.push_back(memory("not kept"));
  EXPECT_EQ(refused(late), ErrorCode::kResourceExhausted);
  expect_nothing_written();
}

TEST_P(TurnStoreContract, ThreadsThatReserveGetDistinctNumbers) {
  constexpr int kThreads = 8, kEach = 25;
  std::vector<std::vector<std::int64_t>> given(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : given)
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) mine.push_back(reserve());
    });
  for (auto& thread : threads) thread.join();
  std::set<std::int64_t> all;
  for (const auto& mine : given) {
    EXPECT_TRUE(std::ranges::is_sorted(mine));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), kThreads * kEach);
  EXPECT_EQ(*all.begin(), 1);
  EXPECT_EQ(*all.rbegin(), kThreads * kEach);
}

// ── commits ──

TEST_P(TurnStoreContract, ACommittedTurnComesBackAsItWas) {
  TurnRecord first = record("s", "What is a \"panda\"?\n'); DROP TABLE turns; -- 🐼");
  first.turn.rejected = first.turn.archived = true;
  const Turn turn = commit(first);
  TurnRecord bare;
  bare.turn = {ids.next(), {}, session_id("s"), ana.user, clock.now() + Duration(1), {}, {}, {}, "", "", "", {}, {}};
  bare.turn.quality = 1;
  const Turn empty = commit(bare);
  rows->reopen();
  EXPECT_EQ(turns().find(turn.number, ana, kNever).value(), turn);
  EXPECT_EQ(turns().find(empty.number, ana, kNever).value(), empty);
  const std::vector both = {turn, empty};
  EXPECT_EQ(turns().scan({0}, 10, ana, kNever).value(), both);
  EXPECT_EQ(turns().find_all(std::vector{turn.uid, empty.uid}, ana, kNever).value(), both);
  EXPECT_EQ(turns().list({}, ana, kNever).value(), (std::vector{empty, turn}));
}

TEST_P(TurnStoreContract, ACommitKeepsAllOfARecordAndAsksForAllThatFollows) {
  TurnRecord whole = record("s", "whole");
  whole.memories = {memory("I like tea."), memory("I live in Porto.")};
  whole.memories[0].source_turn = whole.turn.uid;
  whole.memories[0].expires_at = clock.now() + Duration(5);
  whole.research = {research("trains")};
  whole.fetches = {{"example.com", clock.now(), true, "GET"}, {"example.org", clock.now(), false, "404"}};
  whole.observations = {observation(whole.turn.uid, "one"), observation(whole.turn.uid, "two")};
  const Turn turn = commit(whole);
  rows->reopen();
  for (const Memory& one : whole.memories) EXPECT_EQ(rows->memories().find(one.id, ana, kNever).value(), one);
  EXPECT_EQ(rows->research().find(whole.research[0].id, ana, kNever).value(), whole.research[0]);
  EXPECT_EQ(rows->sources().find("example.com", clock.now(), kNever).value().successes, 1);
  EXPECT_EQ(rows->sources().find("example.org", clock.now(), kNever).value().failures, 1);
  const auto seen = rows->observations().list({}, ana, kNever).value();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].observation, whole.observations[0]);
  EXPECT_EQ(seen[1].observation, whole.observations[1]);

  auto expected = of_turn(turn);
  for (const Memory& one : whole.memories) expected = joined(expected, of_memory(one.id));
  expected = joined(expected, of_research(whole.research[0].id));
  expected.push_back({OutboxKind::kSourceFile, "example.com"});
  expected.push_back({OutboxKind::kSourceFile, "example.org"});
  EXPECT_EQ(take_outbox(), sorted(expected));
}

TEST_P(TurnStoreContract, ASecondCommitOfAUidChangesNothingButTheOutbox) {
  commit("s", "before");
  TurnRecord once = record("s", "once");
  once.memories = {memory("I like tea.")};
  once.research = {research("trains")};
  once.fetches = {{"example.com", clock.now(), true, "GET"}};
  once.observations = {observation(once.turn.uid, "one")};
  const Turn turn = commit(once);
  take_outbox();
  rows->reopen();

  TurnRecord again = once;
  again.turn.message.text = "changed";
  again.turn.session = session_id("another");
  again.turn.number = {77};
  again.memories[0].content = "changed";
  EXPECT_EQ(turns().commit_turn(again, ana, kNever).value(), turn.number);
  EXPECT_EQ(turns().find(turn.number, ana, kNever).value(), turn);
  EXPECT_EQ(turns().count(ana, kNever).value(), 2);
  EXPECT_EQ(rows->memories().find(once.memories[0].id, ana, kNever).value(), once.memories[0]);
  EXPECT_EQ(rows->sources().find("example.com", clock.now(), kNever).value().successes, 1);
  EXPECT_EQ(rows->observations().list({}, ana, kNever).value().size(), 1U);
  auto expected = joined(of_turn(turn), joined(of_memory(once.memories[0].id), of_research(once.research[0].id)));
  expected.push_back({OutboxKind::kSourceFile, "example.com"});
  EXPECT_EQ(take_outbox(), sorted(expected));
  EXPECT_EQ(reserve(), turn.number.value + 1) << "the number that was not used is not taken";
}

TEST_P(TurnStoreContract, ANumberOfAnotherTurnIsAConflictAndNothingIsWritten) {
  const Turn first = commit("s", "first");
  take_outbox();
  TurnRecord second = record("s", "second");
  second.turn.number = first.number;
  second.memories = {memory("not kept")};
  second.fetches = {{"example.com", clock.now(), true, ""}};
  EXPECT_EQ(refused(second), ErrorCode::kConflict);
  EXPECT_EQ(turns().find(first.number, ana, kNever).value(), first);
  EXPECT_TRUE(rows->memories().list({}, ana, kNever).value().empty());
  EXPECT_TRUE(rows->sources().list(clock.now(), kNever).value().empty());
  EXPECT_TRUE(take_outbox().empty());
}

TEST_P(TurnStoreContract, ARecordOfAnotherUserIsRefused) {
  TurnRecord of_bea = record("s", "mine", bea);
  EXPECT_EQ(error_of(turns().commit_turn(of_bea, ana, kNever)), ErrorCode::kPermissionDenied);
  TurnRecord mixed = record("s", "mixed");
  mixed.memories = {memory("fine"), memory("not yours", bea)};
  EXPECT_EQ(refused(mixed), ErrorCode::kPermissionDenied);
  mixed.memories.clear();
  mixed.research = {research("not yours", bea)};
  EXPECT_EQ(refused(mixed), ErrorCode::kPermissionDenied);
  expect_nothing_written();
  EXPECT_TRUE(turns().commit_turn(of_bea, everyone, kNever)) << "maintenance may";
}

TEST_P(TurnStoreContract, WhatAnotherUserHasIsNotTakenOverByItsId) {
  TurnRecord of_bea = record("s", "mine", bea);
  of_bea.memories = {memory("mine", bea)};
  of_bea.research = {research("mine", bea)};
  const Turn turn = commit(of_bea);

  TurnRecord same_uid = record("s", "a guess");
  same_uid.turn.uid = turn.uid;
  EXPECT_EQ(refused(same_uid), ErrorCode::kPermissionDenied);
  TurnRecord same_memory = record("s", "a guess");
  same_memory.memories = {memory("taken")};
  same_memory.memories[0].id = of_bea.memories[0].id;
  EXPECT_EQ(refused(same_memory), ErrorCode::kPermissionDenied);
  TurnRecord same_research = record("s", "a guess");
  same_research.research = {research("taken")};
  same_research.research[0].id = of_bea.research[0].id;
  EXPECT_EQ(refused(same_research), ErrorCode::kPermissionDenied);

  EXPECT_EQ(turns().count(ana, kNever).value(), 0);
  EXPECT_EQ(rows->memories().find(of_bea.memories[0].id, bea, kNever).value(), of_bea.memories[0]);
  EXPECT_EQ(rows->research().find(of_bea.research[0].id, bea, kNever).value(), of_bea.research[0]);
}

TEST_P(TurnStoreContract, MemoriesAndResearchOfACommitReplaceThoseOfTheSameId) {
  const Memory old_memory = memory("old");
  const Research old_research = research("old");
  ASSERT_TRUE(rows->memories().put(old_memory, {}, ana, kNever));
  ASSERT_TRUE(rows->research().put(old_research, ana, kNever));
  TurnRecord record = this->record("s", "again");
  record.memories = {memory("new")};
  record.memories[0].id = old_memory.id;
  record.research = {research("new")};
  record.research[0].id = old_research.id;
  commit(record);
  EXPECT_EQ(rows->memories().list({}, ana, kNever).value(), record.memories);
  EXPECT_EQ(rows->research().list({}, ana, kNever).value(), record.research);
}

TEST_P(TurnStoreContract, WhatNoRowMayHoldIsRefused) {
  // Of random letters and digits: an index cannot make it shorter.
  auto noise = [random = SeededRandom(1)](std::size_t bytes) mutable {
    std::string text(bytes, ' ');
    for (char& c : text) c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.below(64)];
    return text;
  };
  const auto refused_with = [&](auto change) {
    TurnRecord bad = record("s", "bad");
    bad.memories = {memory("fine")};
    bad.research = {research("fine")};
    bad.fetches = {{"example.com", clock.now(), true, ""}};
    bad.observations = {observation(bad.turn.uid, "fine")};
    change(bad);
    return error_of(turns().commit_turn(bad, everyone, kNever));
  };
  const auto invalid = std::optional(ErrorCode::kInvalidArgument), large = std::optional(ErrorCode::kTooLarge);
  constexpr double kAbove = 1.0000001, kBelow = -0.0000001, kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.uid = {}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.session = {}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.user = {}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.number = {-1}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.number = {kMaxTurnNumber + 1}; }), invalid);
  for (const double bad : {kAbove, kBelow, kNan}) {
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.turn.quality = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.memories[0].confidence = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.research[0].quality = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.research[0].confidence = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.research[0].findings[0].confidence = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.observations[0].confidence = bad; }), invalid);
  }
  for (const Timestamp bad : {Timestamp{kEarliestTime.micros - 1}, Timestamp{kLatestTime.micros + 1}}) {
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.turn.created_at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.memories[0].created_at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.memories[0].expires_at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.research[0].created_at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.research[0].expires_at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.observations[0].at = bad; }), invalid);
    EXPECT_EQ(refused_with([&](TurnRecord& r) { r.fetches[0].at = bad; }), invalid);
  }
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.memories[0].id = {}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.research[0].id = {}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.fetches[0].domain = "Example.com"; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.memories[0].content = std::string(kMaxMemoryBytes + 1, 'm'); }), large);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.research[0].findings.resize(kMaxFindings + 1); }), large);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.keywords = {"tea", std::string(kMaxKeywordBytes + 1, 'k')}; }),
            large);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.turn.keywords = {std::string("a\0b", 3)}; }), invalid);
  EXPECT_EQ(refused_with([](TurnRecord& r) { r.research[0].primary_topic.assign(kMaxResearchTopicBytes + 1, 't'); }),
            large);
  expect_nothing_written();

  EXPECT_EQ(refused_with([&](TurnRecord& r) {
              r.turn.number = {kMaxTurnNumber};
              r.turn.created_at = kEarliestTime, r.observations[0].at = kLatestTime;
              r.memories[0].created_at = kEarliestTime, r.memories[0].expires_at = kLatestTime;
              r.research[0].created_at = kEarliestTime, r.research[0].expires_at = kLatestTime;
              r.turn.quality = 0, r.memories[0].confidence = 1, r.observations[0].confidence = 0;
              r.memories[0].content = std::string(kMaxMemoryBytes, 'm');
              r.research[0].findings.resize(kMaxFindings);
              r.turn.keywords = {noise(kMaxKeywordBytes)};
              r.research[0].primary_topic = noise(kMaxResearchTopicBytes);
            }),
            std::nullopt)
      << "each at its maximum";
}

TEST_P(TurnStoreContract, ThreadsThatCommitLoseNothingAndAPageEndsAtItsMaximum) {
  constexpr int kThreads = 13, kEach = 77;
  static_assert(kThreads * kEach == kMaxPage + 1);
  std::vector<TurnRecord> records;
  for (int i = 0; i < kThreads * kEach; ++i) records.push_back(record("s" + std::to_string(i % 7), std::to_string(i)));
  std::vector<std::int64_t> given(records.size());
  std::vector<std::thread> threads;
  for (std::size_t first = 0; first < kThreads; ++first)
    threads.emplace_back([&, first] {
      for (std::size_t i = first; i < records.size(); i += kThreads)
        given[i] = turns().commit_turn(records[i], ana, kNever).value().value;
    });
  for (auto& thread : threads) thread.join();
  rows->reopen();

  std::map<std::int64_t, Uuid> expected;
  for (std::size_t i = 0; i < records.size(); ++i) expected[given[i]] = records[i].turn.uid;
  EXPECT_EQ(expected.size(), records.size()) << "no number was given twice";
  std::map<std::int64_t, Uuid> found;
  const auto page = turns().scan({0}, kMaxPage, ana, kNever).value();
  EXPECT_EQ(page.size(), kMaxPage);
  for (const auto& turn : page) found[turn.number.value] = turn.uid;
  const auto rest = turns().scan(page.back().number, kMaxPage, ana, kNever).value();
  EXPECT_EQ(rest.size(), 1U);
  for (const auto& turn : rest) found[turn.number.value] = turn.uid;
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(turns().scan(rest.back().number, kMaxPage, ana, kNever).value().empty());

  EXPECT_EQ(turns().scan({0}, kMaxPage + 1, ana, kNever).value(), page);
  EXPECT_EQ(turns().list({.limit = kMaxPage}, ana, kNever).value().size(), kMaxPage);
  EXPECT_EQ(turns().list({.limit = kMaxPage + 1}, ana, kNever).value().size(), kMaxPage);
  EXPECT_EQ(turns().list({.limit = std::numeric_limits<std::size_t>::max()}, ana, kNever).value().size(), kMaxPage);
  std::vector<Uuid> all;
  for (const auto& [number, uid] : expected) all.push_back(uid);
  EXPECT_EQ(turns().find_all(all, ana, kNever).value().size(), kMaxPage + 1) << "any number of uids";
  EXPECT_EQ(rows->outbox().size(kNever).value(), 2 * static_cast<std::int64_t>(records.size()));
}

TEST_P(TurnStoreContract, ThreadsThatCommitTheSameUidMakeOneTurn) {
  const TurnRecord same = record("s", "same");
  std::vector<std::int64_t> given(8);
  std::vector<std::thread> threads;
  for (auto& number : given)
    threads.emplace_back([&] { number = turns().commit_turn(same, ana, kNever).value().value; });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(given, std::vector<std::int64_t>(given.size(), 1));
  EXPECT_EQ(turns().count(ana, kNever).value(), 1);
}

// ── reading ──

TEST_P(TurnStoreContract, AnotherUsersTurnDoesNotExist) {
  const auto theirs = conversation("s", 2, bea);
  const Turn own = commit("s", "mine");
  EXPECT_EQ(error_of(turns().find(theirs[0].number, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().find({99}, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().neighbours(theirs[0].uid, 2, ana, kNever)), ErrorCode::kNotFound);
  const std::vector only_own = {own};
  EXPECT_EQ(turns().find_all(std::vector{theirs[0].uid, own.uid}, ana, kNever).value(), only_own);
  EXPECT_EQ(turns().list({}, ana, kNever).value(), only_own);
  EXPECT_EQ(turns().list({.session = session_id("s")}, ana, kNever).value(), only_own);
  EXPECT_EQ(turns().scan({0}, 10, ana, kNever).value(), only_own);
  EXPECT_EQ(turns().count(ana, kNever).value(), 1);
  EXPECT_EQ(turns().sessions(ana, kNever).value().size(), 1U);
  EXPECT_EQ(turns().keyword_counts(std::vector<std::string>{"café"}, ana, kNever).value(),
            std::vector<std::int64_t>{1});
  EXPECT_EQ(turns().find_content(theirs[0].content_sha256, session_id("s"), ana, kNever).value(), std::nullopt);

  EXPECT_EQ(turns().find(theirs[0].number, everyone, kNever).value(), theirs[0]);
  EXPECT_EQ(turns().neighbours(theirs[0].uid, 2, everyone, kNever).value().size(), 2U)
      << "not ana's in a session of that name";
  EXPECT_EQ(turns().scan({0}, 10, everyone, kNever).value().size(), 3U);
  EXPECT_EQ(turns().list({.session = session_id("s")}, everyone, kNever).value().size(), 3U);
  EXPECT_EQ(turns().count(everyone, kNever).value(), 3);
}

TEST_P(TurnStoreContract, WhatIsAskedForByUidComesInThatOrder) {
  const auto all = conversation("s", 3, ana);
  const std::vector<Uuid> asked = {all[2].uid, ids.next(), all[0].uid, all[2].uid};
  EXPECT_EQ(numbers_of(turns().find_all(asked, ana, kNever).value()), (std::vector<std::int64_t>{3, 1, 3}));
  EXPECT_TRUE(turns().find_all({}, ana, kNever).value().empty());
}

TEST_P(TurnStoreContract, AListIsNewestFirstAndHoldsWhatTheQueryTakes) {
  const auto all = conversation("s", 5, ana);
  const Turn elsewhere = commit("elsewhere", "6");
  ASSERT_TRUE(turns().change({2}, {.rejected = true}, ana, kNever));
  ASSERT_TRUE(turns().change({3}, {.archived = true}, ana, kNever));
  const auto listed = [&](const TurnQuery& query) { return numbers_of(turns().list(query, ana, kNever).value()); };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(listed({}), (Numbers{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(listed({.session = session_id("s")}), (Numbers{5, 4, 3, 2, 1}));
  EXPECT_EQ(listed({.session = session_id("unknown")}), Numbers{});
  EXPECT_EQ(listed({.before = all[3].number}), (Numbers{3, 2, 1}));
  EXPECT_EQ(listed({.before = TurnNumber{1}}), Numbers{});
  EXPECT_EQ(listed({.since = all[2].created_at}), (Numbers{6, 5, 4, 3})) << "the bound itself is in";
  EXPECT_EQ(listed({.until = all[2].created_at}), (Numbers{2, 1})) << "the bound itself is out";
  EXPECT_EQ(listed({.since = all[1].created_at, .until = all[1].created_at + Duration(1)}), Numbers{2});
  EXPECT_EQ(listed({.include_rejected = false}), (Numbers{6, 5, 4, 3, 1}));
  EXPECT_EQ(listed({.include_archived = false}), (Numbers{6, 5, 4, 2, 1}));
  EXPECT_EQ(listed({.limit = 2}), (Numbers{6, 5}));
  EXPECT_EQ(listed({.before = TurnNumber{5}, .include_rejected = false, .limit = 2}), (Numbers{4, 3}));
  EXPECT_EQ(listed({.limit = 0}), Numbers{});
}

TEST_P(TurnStoreContract, AListOfATopicOrOfKeywordsHoldsThoseWithEachOfTheWords) {
  const auto about = [&](const char* topic, std::vector<std::string> keywords, const Principal& who) {
    TurnRecord made = record("s", topic, who);
    made.turn.topic = topic;
    made.turn.keywords = std::move(keywords);
    ASSERT_TRUE(turns().commit_turn(made, who, kNever));
  };
  about("garden door", {"door", "garden", "o'neil"}, ana);
  about("keys of the cellar door", {"cellar", "door", "key"}, ana);
  about("garden door", {"door", "garden"}, bea);
  about("", {}, ana);
  const auto listed = [&](const TurnQuery& query, const Principal& who) {
    return numbers_of(turns().list(query, who, kNever).value());
  };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(listed({.topic_terms = {"door"}}, ana), (Numbers{2, 1}));
  EXPECT_EQ(listed({.topic_terms = {"key", "door"}}, ana), Numbers{2}) << "by terms: keys are a key";
  EXPECT_EQ(listed({.topic_terms = {"door"}, .limit = 1}, ana), Numbers{2});
  EXPECT_EQ(listed({.before = TurnNumber{2}, .topic_terms = {"door"}}, ana), Numbers{1});
  EXPECT_EQ(listed({.topic_terms = {"garden"}}, everyone), (Numbers{3, 1}));
  EXPECT_EQ(listed({.topic_terms = {"o'neil \\ & | ! :*"}}, ana), Numbers{}) << "nothing of it is a sign";
  EXPECT_EQ(listed({.keywords = {"door"}}, ana), (Numbers{2, 1}));
  EXPECT_EQ(listed({.keywords = {"door", "garden", "door"}}, ana), Numbers{1}) << "each of them";
  EXPECT_EQ(listed({.keywords = {"o'neil"}}, ana), Numbers{1});
  EXPECT_EQ(listed({.keywords = {"garden"}}, everyone), (Numbers{3, 1}));
  EXPECT_EQ(listed({.keywords = {"doo"}}, ana), Numbers{}) << "whole words";
  EXPECT_EQ(listed({.topic_terms = {"door"}, .keywords = {"cellar"}}, ana), Numbers{2});
}

TEST_P(TurnStoreContract, AScanWalksOverEverythingInOrder) {
  conversation("s", 4, ana);
  conversation("s", 1, bea);
  conversation("t", 2, ana);
  std::vector<std::int64_t> walked;
  TurnNumber after;
  for (;;) {
    const auto page = turns().scan(after, 2, ana, kNever).value();
    if (page.empty()) break;
    ASSERT_LE(page.size(), 2U);
    after = page.back().number;
    for (const auto number : numbers_of(page)) walked.push_back(number);
  }
  EXPECT_EQ(walked, (std::vector<std::int64_t>{1, 2, 3, 4, 6, 7}));
  EXPECT_TRUE(turns().scan({0}, 0, ana, kNever).value().empty());
}

TEST_P(TurnStoreContract, NeighboursAreNearerFirstAndOlderBeforeNewer) {
  for (std::int64_t number : {3, 10, 11, 50, 51, 90}) {
    TurnRecord restored = record("s", std::to_string(number));
    restored.turn.number = {number};
    commit(restored);
  }
  ASSERT_TRUE(turns().change({11}, {.rejected = true, .archived = true}, ana, kNever));
  const Uuid middle = turns().find({50}, ana, kNever).value().uid;
  const auto around = [&](const Uuid& uid, int radius) {
    std::vector<std::pair<int, std::int64_t>> found;
    for (const auto& [distance, turn] : got(turns().neighbours(uid, radius, ana, kNever)))
      found.emplace_back(distance, turn.number.value);
    return found;
  };
  using Found = std::vector<std::pair<int, std::int64_t>>;
  EXPECT_EQ(around(middle, 2), (Found{{0, 50}, {1, 11}, {1, 51}, {2, 10}, {2, 90}}));
  EXPECT_EQ(around(middle, 3), (Found{{0, 50}, {1, 11}, {1, 51}, {2, 10}, {2, 90}, {3, 3}})) << "one side ends earlier";
  EXPECT_EQ(around(middle, 0), (Found{{0, 50}}));
  EXPECT_EQ(around(middle, -1), (Found{{0, 50}}));
  EXPECT_EQ(around(turns().find({90}, ana, kNever).value().uid, 1), (Found{{0, 90}, {1, 51}}));
  EXPECT_EQ(error_of(turns().neighbours(ids.next(), 2, ana, kNever)), ErrorCode::kNotFound);
}

TEST_P(TurnStoreContract, ARadiusEndsAtItsMaximum) {
  const auto all = conversation("s", kMaxRadius + 2, ana);
  const std::size_t most = kMaxRadius + 1;  // with the turn itself
  EXPECT_EQ(turns().neighbours(all.front().uid, kMaxRadius, ana, kNever).value().size(), most);
  EXPECT_EQ(turns().neighbours(all.front().uid, kMaxRadius + 1, ana, kNever).value().size(), most);
  EXPECT_EQ(turns().neighbours(all.back().uid, std::numeric_limits<int>::max(), ana, kNever).value().size(), most);
}

TEST_P(TurnStoreContract, TheSameContentIsFoundInItsSessionByItsLowestNumber) {
  const Turn first = commit("s", "same"), second = commit("s", "same");
  commit("s", "different");
  commit("other", "only there");
  const auto found = [&](const Turn& turn, const std::string& session, const Principal& who) {
    return turns().find_content(turn.content_sha256, session_id(session), who, kNever).value();
  };
  ASSERT_EQ(first.content_sha256, second.content_sha256);
  EXPECT_EQ(found(second, "s", ana), first.number);
  EXPECT_EQ(found(first, "other", ana), std::nullopt);
  EXPECT_EQ(found(first, "s", bea), std::nullopt);
  EXPECT_EQ(found(first, "s", everyone), std::nullopt) << "only who.user's own count";
  ASSERT_TRUE(turns().remove(first.number, ana, kNever));
  EXPECT_EQ(found(first, "s", ana), second.number);
}

TEST_P(TurnStoreContract, SessionsAreSummedUpTheLatestFirst) {
  const Timestamp start = clock.now();
  conversation("old", 2, ana);
  conversation("s", 1, bea);
  const auto recent = conversation("s", 2, ana);
  TurnRecord imported = record("s", "imported, and said long ago");
  imported.turn.created_at = start - std::chrono::hours(1);
  const Turn last = commit(imported);
  const auto sessions = turns().sessions(ana, kNever).value();
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[0].session.str(), "s");
  EXPECT_EQ(sessions[0].user, ana.user);
  EXPECT_EQ(sessions[0].turns, 3);
  EXPECT_EQ(sessions[0].first_at, imported.turn.created_at);
  EXPECT_EQ(sessions[0].last_at, imported.turn.created_at) << "of the highest number";
  EXPECT_EQ(sessions[0].last_topic, last.topic);
  EXPECT_EQ(sessions[1].session.str(), "old");
  EXPECT_EQ(sessions[1].turns, 2);
  EXPECT_EQ(sessions[1].first_at, start);
  EXPECT_EQ(sessions[1].last_at, start + std::chrono::seconds(1));

  const auto all = turns().sessions(everyone, kNever).value();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].user, bea.user);
  EXPECT_EQ(all[1].turns, 1);
  ASSERT_TRUE(turns().remove(last.number, ana, kNever));
  EXPECT_EQ(turns().sessions(ana, kNever).value()[0].last_topic, recent[1].topic);
}

TEST_P(TurnStoreContract, KeywordsAreCountedByTheTurnsThatHaveThem) {
  const auto with = [&](std::vector<std::string> keywords, const Principal& who) {
    TurnRecord one = record("s", "x", who);
    one.turn.keywords = std::move(keywords);
    return commit(one);
  };
  with({"tea", "tea", "cup"}, ana);
  const Turn second = with({"tea"}, ana);
  with({"tea"}, bea);
  const std::vector<std::string> terms = {"cup", "tea", "Tea", "tea", ""};
  EXPECT_EQ(turns().keyword_counts(terms, ana, kNever).value(), (std::vector<std::int64_t>{1, 2, 0, 2, 0}));
  EXPECT_EQ(turns().keyword_counts(terms, everyone, kNever).value(), (std::vector<std::int64_t>{0, 0, 0, 0, 0}));
  EXPECT_TRUE(turns().keyword_counts({}, ana, kNever).value().empty());
  Turn rewritten = second;
  rewritten.keywords = {"cup"};
  ASSERT_TRUE(turns().rewrite(rewritten, ana, kNever));
  EXPECT_EQ(turns().keyword_counts(terms, ana, kNever).value(), (std::vector<std::int64_t>{2, 1, 0, 1, 0}));
  ASSERT_TRUE(turns().remove(second.number, ana, kNever));
  EXPECT_EQ(turns().keyword_counts(terms, ana, kNever).value(), (std::vector<std::int64_t>{1, 1, 0, 1, 0}));
}

TEST_P(TurnStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const Turn turn = commit("s", "there");
  take_outbox();
  const EmbedderIdentity embedder{"m", "1", 1};
  const std::vector<float> vector = {1};
  const std::vector<std::string> terms = {"café"};
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  const std::vector<Uuid> uids = {turn.uid};
  EXPECT_EQ(error_of(turns().reserve_number(ana, passed())), late);
  EXPECT_EQ(error_of(turns().reserve_through({100}, ana, passed())), late);
  EXPECT_EQ(error_of(turns().commit_turn(record("s", "late"), ana, passed())), late);
  EXPECT_EQ(error_of(turns().find(turn.number, ana, passed())), late);
  EXPECT_EQ(error_of(turns().find_all(uids, ana, passed())), late);
  EXPECT_EQ(error_of(turns().list({}, ana, passed())), late);
  EXPECT_EQ(error_of(turns().scan({0}, 1, ana, passed())), late);
  EXPECT_EQ(error_of(turns().neighbours(turn.uid, 1, ana, passed())), late);
  EXPECT_EQ(error_of(turns().find_content("", turn.session, ana, passed())), late);
  EXPECT_EQ(error_of(turns().sessions(ana, passed())), late);
  EXPECT_EQ(error_of(turns().count(ana, passed())), late);
  EXPECT_EQ(error_of(turns().keyword_counts(terms, ana, passed())), late);
  EXPECT_EQ(error_of(turns().change(turn.number, {.rejected = true}, ana, passed())), late);
  EXPECT_EQ(error_of(turns().rewrite(turn, ana, passed())), late);
  EXPECT_EQ(error_of(turns().remove(turn.number, ana, passed())), late);
  EXPECT_EQ(error_of(turns().put_vector(turn.uid, embedder, vector, passed())), late);
  EXPECT_EQ(error_of(turns().vectors_around(turn.uid, 1, embedder, passed())), late);
  EXPECT_EQ(error_of(turns().drop_other_vectors(embedder, {}, 1, passed())), late);
  EXPECT_EQ(turns().list({}, everyone, kNever).value(), std::vector{turn});
  EXPECT_TRUE(take_outbox().empty());
  EXPECT_TRUE(turns().vectors_around(turn.uid, 1, embedder, kNever).value().empty());
  EXPECT_EQ(reserve(), 2);
}

INSTANTIATE_ROWS_CONTRACT(TurnStoreContract);

}  // namespace
}  // namespace pandora::testing
