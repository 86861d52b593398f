// MemoryStore, ResearchStore, SourceStore.
#include <limits>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

class MemoryStoreContract : public RowsContract {
 protected:
  MemoryStore& memories() { return rows->memories(); }
  Memory kept(Memory memory, std::vector<Uuid> supersedes = {}) {
    EXPECT_TRUE(memories().put(memory, supersedes, Principal::of(memory.user), kNever));
    return memory;
  }
  std::vector<Uuid> listed(const MemoryQuery& query, const Principal& who) {
    return ids_of(memories().list(query, who, kNever).value());
  }
};

TEST_P(MemoryStoreContract, AMemoryComesBackAsItWasAndIsReplacedById) {
  Memory full = memory("I take my tea with \"milk\"\n🐼");
  full.scope = Scope::kSession;
  full.source_turn = ids.next();
  full.expires_at = clock.now() + Duration(1);
  full.superseded_by = ids.next();
  kept(full);
  Memory bare = memory("");
  bare.session.reset();
  bare.topic.clear();
  bare.keywords.clear();
  kept(bare);
  rows->reopen();
  EXPECT_EQ(memories().find(full.id, ana, kNever).value(), full);
  EXPECT_EQ(memories().find(bare.id, ana, kNever).value(), bare);
  bare.content = "changed";
  kept(bare);
  EXPECT_EQ(memories().list({}, ana, kNever).value(), std::vector{bare});
  EXPECT_EQ(error_of(memories().find(ids.next(), ana, kNever)), ErrorCode::kNotFound);
}

TEST_P(MemoryStoreContract, EveryWriteAsksForFileAndPoint) {
  const Memory one = kept(memory("one"));
  EXPECT_EQ(take_outbox(), sorted(of_memory(one.id)));
  kept(one);
  EXPECT_EQ(take_outbox(), sorted(of_memory(one.id)));
  const Memory two = kept(memory("two"), {one.id});
  EXPECT_EQ(take_outbox(), sorted(joined(of_memory(one.id), of_memory(two.id))));
  ASSERT_TRUE(memories().remove(two.id, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_memory(two.id)));
}

TEST_P(MemoryStoreContract, OnesOwnAndWhatIsGlobalIsVisible) {
  Memory mine = memory("mine"), in_session = memory("in a session"), theirs = memory("theirs", bea),
         global = memory("global", bea);
  in_session.scope = Scope::kSession;
  global.scope = Scope::kGlobal;
  for (const auto& one : {mine, in_session, theirs, global}) kept(one);
  EXPECT_EQ(listed({}, ana), (std::vector{mine.id, in_session.id, global.id}));
  EXPECT_EQ(listed({}, bea), (std::vector{theirs.id, global.id}));
  EXPECT_EQ(listed({}, everyone), (std::vector{mine.id, in_session.id, theirs.id, global.id}));
  EXPECT_EQ(error_of(memories().find(theirs.id, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(memories().find(global.id, ana, kNever).value(), global);
  EXPECT_EQ(memories().find(theirs.id, everyone, kNever).value(), theirs);
}

TEST_P(MemoryStoreContract, WhatIsAnotherUsersIsNotWritten) {
  Memory theirs = memory("theirs", bea), global = memory("global", bea);
  global.scope = Scope::kGlobal;
  kept(theirs), kept(global);
  take_outbox();
  const auto denied = std::optional(ErrorCode::kPermissionDenied);
  EXPECT_EQ(error_of(memories().put(memory("for bea", bea), {}, ana, kNever)), denied);
  Memory taken = memory("taken over");
  taken.id = theirs.id;
  EXPECT_EQ(error_of(memories().put(taken, {}, ana, kNever)), denied);
  EXPECT_EQ(error_of(memories().put(taken, {}, everyone, kNever)), denied) << "an id keeps its owner";
  EXPECT_EQ(error_of(memories().put(memory("better"), std::vector{global.id}, ana, kNever)), denied);
  EXPECT_EQ(error_of(memories().put(memory("better"), std::vector{theirs.id}, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(memories().remove(global.id, ana, kNever)), denied);
  EXPECT_EQ(error_of(memories().remove(theirs.id, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(memories().list({.include_superseded = true}, everyone, kNever).value(), (std::vector{theirs, global}));
  EXPECT_TRUE(take_outbox().empty());
}

TEST_P(MemoryStoreContract, ANewerMemorySupersedesAndBothStay) {
  const Memory red = kept(memory("red")), blue = kept(memory("blue"));
  const Memory green = kept(memory("green"), {red.id, blue.id});
  rows->reopen();
  EXPECT_EQ(listed({}, ana), std::vector{green.id});
  EXPECT_EQ(listed({.include_superseded = true}, ana), (std::vector{red.id, blue.id, green.id}));
  Memory expected = red;
  expected.superseded_by = green.id;
  EXPECT_EQ(memories().find(red.id, ana, kNever).value(), expected);
  EXPECT_EQ(memories().remove(green.id, ana, kNever).value(), green);
  EXPECT_EQ(memories().find(red.id, ana, kNever).value(), expected) << "it stays superseded";
}

TEST_P(MemoryStoreContract, AFailedSupersessionWritesNothing) {
  const Memory red = kept(memory("red"));
  take_outbox();
  const Memory green = memory("green");
  EXPECT_EQ(error_of(memories().put(green, std::vector{red.id, ids.next()}, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(memories().put(green, std::vector{red.id, green.id}, ana, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(memories().list({.include_superseded = true}, ana, kNever).value(), std::vector{red});
  EXPECT_TRUE(take_outbox().empty());
}

TEST_P(MemoryStoreContract, AListHoldsWhatTheQueryTakes) {
  Memory preference = memory("preference"), note = memory("note"), expiring = memory("expiring");
  preference.kind = MemoryKind::kPreference;
  note.kind = MemoryKind::kNote;
  expiring.expires_at = clock.now() + std::chrono::seconds(1);
  // The order is that of ids, whatever the order of the calls.
  kept(expiring), kept(note), kept(preference);
  EXPECT_EQ(listed({}, ana), (std::vector{preference.id, note.id, expiring.id}));
  EXPECT_EQ(listed({.kind = MemoryKind::kPreference}, ana), std::vector{preference.id});
  EXPECT_EQ(listed({.kind = MemoryKind::kFact}, ana), std::vector{expiring.id});
  EXPECT_EQ(listed({.valid_at = *expiring.expires_at - Duration(1)}, ana).size(), 3U);
  EXPECT_EQ(listed({.valid_at = *expiring.expires_at}, ana), (std::vector{preference.id, note.id}));
  EXPECT_EQ(listed({.after = preference.id}, ana), (std::vector{note.id, expiring.id}));
  EXPECT_EQ(listed({.after = preference.id, .limit = 1}, ana), std::vector{note.id});
  EXPECT_EQ(listed({.after = expiring.id}, ana), std::vector<Uuid>{});
  EXPECT_EQ(listed({.limit = 0}, ana), std::vector<Uuid>{});
}

TEST_P(MemoryStoreContract, APageEndsAtItsMaximum) {
  TurnRecord all = record("s", "many");
  for (std::size_t i = 0; i <= kMaxPage; ++i) all.memories.push_back(memory(std::to_string(i)));
  commit(all);
  EXPECT_EQ(listed({.limit = kMaxPage}, ana).size(), kMaxPage);
  const auto page = listed({.limit = kMaxPage + 1}, ana);
  EXPECT_EQ(page.size(), kMaxPage);
  EXPECT_EQ(listed({.after = page.back(), .limit = kMaxPage}, ana), std::vector{all.memories.back().id});
}

TEST_P(MemoryStoreContract, WhatNoRowMayHoldIsRefused) {
  Memory one = memory(std::string(kMaxMemoryBytes, 'm'));
  one.confidence = 1;
  kept(one);
  one.content += 'm';
  EXPECT_EQ(error_of(memories().put(one, {}, ana, kNever)), ErrorCode::kTooLarge);
  one = memory("x");
  one.confidence = 1.001;
  EXPECT_EQ(error_of(memories().put(one, {}, ana, kNever)), ErrorCode::kInvalidArgument);
  one = memory("x");
  one.user = {};
  EXPECT_EQ(error_of(memories().put(one, {}, everyone, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(listed({}, everyone).size(), 1U);
}

TEST_P(MemoryStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const Memory one = kept(memory("one"));
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(memories().put(memory("late"), {}, ana, passed())), late);
  EXPECT_EQ(error_of(memories().find(one.id, ana, passed())), late);
  EXPECT_EQ(error_of(memories().list({}, ana, passed())), late);
  EXPECT_EQ(error_of(memories().remove(one.id, ana, passed())), late);
  EXPECT_EQ(listed({}, ana), std::vector{one.id});
}

INSTANTIATE_ROWS_CONTRACT(MemoryStoreContract);

class ResearchStoreContract : public RowsContract {
 protected:
  ResearchStore& store() { return rows->research(); }
  Research kept(const Research& research) {
    EXPECT_TRUE(store().put(research, Principal::of(research.user), kNever));
    return research;
  }
  std::vector<Uuid> listed(const ResearchQuery& query, const Principal& who) {
    return ids_of(store().list(query, who, kNever).value());
  }
};

TEST_P(ResearchStoreContract, ResearchComesBackAsItWasAndIsReplacedById) {
  Research full = research("Trains to \"Porto\" 🚆");
  full.source_turn = ids.next();
  full.scope = Scope::kSession;
  full.findings.push_back({"no sources", ContentType::kOther, 0, {}});
  kept(full);
  Research bare = research("");
  bare.session.reset();
  bare.findings.clear();
  bare.conflicts.clear();
  kept(bare);
  rows->reopen();
  EXPECT_EQ(store().find(full.id, ana, kNever).value(), full);
  EXPECT_EQ(store().find(bare.id, ana, kNever).value(), bare);
  bare.primary_topic = "changed";
  bare.uses = 9;
  kept(bare);
  EXPECT_EQ(store().list({}, ana, kNever).value(), (std::vector{full, bare}));
  EXPECT_EQ(listed({.topic = "changed"}, ana), std::vector{bare.id});
  EXPECT_EQ(listed({.topic = ""}, ana), std::vector<Uuid>{});
  EXPECT_EQ(store().remove(full.id, ana, kNever).value(), full);
  EXPECT_EQ(error_of(store().find(full.id, ana, kNever)), ErrorCode::kNotFound);
}

TEST_P(ResearchStoreContract, EveryWriteAsksForFileAndPoint) {
  const Research one = kept(research("one"));
  EXPECT_EQ(take_outbox(), sorted(of_research(one.id)));
  kept(one);
  EXPECT_EQ(take_outbox(), sorted(of_research(one.id)));
  ASSERT_TRUE(store().remove(one.id, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_research(one.id)));
}

TEST_P(ResearchStoreContract, OnesOwnAndWhatIsGlobalIsVisibleAndOnlyOnesOwnIsWritten) {
  Research mine = research("mine"), theirs = research("theirs", bea), global = research("global", bea);
  global.scope = Scope::kGlobal;
  for (const auto& one : {mine, theirs, global}) kept(one);
  take_outbox();
  EXPECT_EQ(listed({}, ana), (std::vector{mine.id, global.id}));
  EXPECT_EQ(listed({}, everyone), (std::vector{mine.id, theirs.id, global.id}));
  EXPECT_EQ(error_of(store().find(theirs.id, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(store().find(global.id, ana, kNever).value(), global);
  const auto denied = std::optional(ErrorCode::kPermissionDenied);
  EXPECT_EQ(error_of(store().put(theirs, ana, kNever)), denied);
  Research taken = research("taken over");
  taken.id = global.id;
  EXPECT_EQ(error_of(store().put(taken, ana, kNever)), denied);
  EXPECT_EQ(error_of(store().put(taken, everyone, kNever)), denied) << "an id keeps its owner";
  EXPECT_EQ(error_of(store().remove(global.id, ana, kNever)), denied);
  EXPECT_EQ(error_of(store().remove(theirs.id, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(store().list({}, everyone, kNever).value(), (std::vector{mine, theirs, global}));
  EXPECT_TRUE(take_outbox().empty());
}

TEST_P(ResearchStoreContract, AListHoldsWhatTheQueryTakes) {
  Research first = research("Blue  ThinkPads"), second = research("blue thinkpads "), third = research("red");
  third.expires_at = clock.now() + std::chrono::hours(7);
  kept(third), kept(second), kept(first);
  EXPECT_EQ(listed({}, ana), (std::vector{first.id, second.id, third.id}));
  EXPECT_EQ(listed({.topic = "\tBLUE thinkpads"}, ana), (std::vector{first.id, second.id}));
  EXPECT_EQ(listed({.topic = "bluethinkpads"}, ana), std::vector<Uuid>{});
  EXPECT_EQ(listed({.valid_at = first.expires_at - Duration(1)}, ana).size(), 3U);
  EXPECT_EQ(listed({.valid_at = first.expires_at}, ana), std::vector{third.id});
  EXPECT_EQ(listed({.topic = "blue thinkpads", .after = first.id}, ana), std::vector{second.id});
  EXPECT_EQ(listed({.limit = 2}, ana), (std::vector{first.id, second.id}));
  EXPECT_EQ(listed({.limit = 0}, ana), std::vector<Uuid>{});
}

TEST_P(ResearchStoreContract, APageEndsAtItsMaximum) {
  TurnRecord all = record("s", "many");
  for (std::size_t i = 0; i <= kMaxPage; ++i) all.research.push_back(research(std::to_string(i)));
  commit(all);
  EXPECT_EQ(listed({.limit = kMaxPage}, ana).size(), kMaxPage);
  const auto page = listed({.limit = kMaxPage + 1}, ana);
  EXPECT_EQ(page.size(), kMaxPage);
  EXPECT_EQ(listed({.after = page.back(), .limit = kMaxPage}, ana), std::vector{all.research.back().id});
}

TEST_P(ResearchStoreContract, WhatNoRowMayHoldIsRefused) {
  Research one = research("x");
  one.findings.resize(kMaxFindings);
  kept(one);
  one.findings.resize(kMaxFindings + 1);
  EXPECT_EQ(error_of(store().put(one, ana, kNever)), ErrorCode::kTooLarge);
  one = research("x");
  one.quality = -0.001;
  EXPECT_EQ(error_of(store().put(one, ana, kNever)), ErrorCode::kInvalidArgument);
  one = research("x");
  one.findings[0].confidence = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error_of(store().put(one, ana, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(listed({}, everyone).size(), 1U);
}

TEST_P(ResearchStoreContract, AChangeIsOfTheRowAsItIsAndMakesNoneThatIsGone) {
  const auto use = [](Research& row) { ++row.uses; };
  const Research one = kept(research("one"));
  take_outbox();
  EXPECT_EQ(store().change(one.id, use, ana, kNever).value().uses, one.uses + 1);
  EXPECT_EQ(store().change(one.id, use, everyone, kNever).value().uses, one.uses + 2);
  EXPECT_EQ(store().find(one.id, ana, kNever).value().uses, one.uses + 2);
  EXPECT_EQ(take_outbox(), sorted(of_research(one.id)));
  Research global = research("global", bea);
  global.scope = Scope::kGlobal;
  kept(global);
  take_outbox();
  EXPECT_EQ(error_of(store().change(global.id, use, ana, kNever)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(error_of(store().change(one.id, use, bea, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(store().change(
                one.id, [](Research& row) { row.confidence = 2; }, ana, kNever)),
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(store().remove(one.id, ana, kNever));
  EXPECT_EQ(error_of(store().change(one.id, use, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(take_outbox(), sorted(of_research(one.id))) << "of the removal alone";
  EXPECT_EQ(error_of(store().find(one.id, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(store().find(global.id, ana, kNever).value(), global);
}

TEST_P(ResearchStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const Research one = kept(research("one"));
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(store().put(research("late"), ana, passed())), late);
  EXPECT_EQ(error_of(store().find(one.id, ana, passed())), late);
  EXPECT_EQ(error_of(store().list({}, ana, passed())), late);
  EXPECT_EQ(error_of(store().change(one.id, [](Research& row) { ++row.uses; }, ana, passed())), late);
  EXPECT_EQ(error_of(store().remove(one.id, ana, passed())), late);
  EXPECT_EQ(listed({}, ana), std::vector{one.id});
}

INSTANTIATE_ROWS_CONTRACT(ResearchStoreContract);

class SourceStoreContract : public RowsContract {
 protected:
  SourceStore& sources() { return rows->sources(); }
  void record(const std::string& domain, Timestamp at, bool ok, const std::string& detail = "") {
    ASSERT_TRUE(sources().record({domain, at, ok, detail}, kNever));
  }
  Source found(const std::string& domain) { return sources().find(domain, clock.now(), kNever).value(); }
};

TEST_P(SourceStoreContract, AttemptsAreCountedWithTheirLatestTimes) {
  const Timestamp now = clock.now();
  record("example.com", now - Duration(5), true);
  record("example.com", now - Duration(9), true);
  record("example.com", now - Duration(3), false);
  record("example.com", now - Duration(1), true);
  record("example.com", now - Duration(7), false);
  rows->reopen();
  Source expected;
  expected.domain = "example.com";
  expected.successes = expected.recent_successes = 3;
  expected.failures = expected.recent_failures = 2;
  expected.last_success = now - Duration(1);
  expected.last_failure = now - Duration(3);
  EXPECT_EQ(found("example.com"), expected);
  EXPECT_EQ(error_of(sources().find("example.org", now, kNever)), ErrorCode::kNotFound);
}

TEST_P(SourceStoreContract, ATimeBeforeTheEpochIsATimeToo) {
  record("example.com", {-5}, true);
  record("example.com", {-9}, false);
  EXPECT_EQ(found("example.com").last_success, Timestamp{-5});
  EXPECT_EQ(found("example.com").last_failure, Timestamp{-9});
}

TEST_P(SourceStoreContract, RecentIsAfterThirtyDaysAgoAndUpToNow) {
  const Timestamp now = clock.now();
  record("example.com", now - kRecentAttempts, true);
  record("example.com", now - kRecentAttempts + Duration(1), true);
  record("example.com", now, true);
  record("example.com", now, false);
  record("example.com", now + Duration(1), false);
  Source source = found("example.com");
  EXPECT_EQ(source.successes, 3);
  EXPECT_EQ(source.failures, 2);
  EXPECT_EQ(source.recent_successes, 2);
  EXPECT_EQ(source.recent_failures, 1);
  clock.advance(Duration(1));
  source = sources().list(clock.now(), kNever).value().at(0);
  EXPECT_EQ(source.recent_successes, 1);
  EXPECT_EQ(source.recent_failures, 2);
  clock.advance(kRecentAttempts);
  record("example.com", clock.now(), true);
  source = found("example.com");
  EXPECT_EQ(source.successes, 4) << "what is no longer recent still counts";
  EXPECT_EQ(source.recent_successes, 1);
  EXPECT_EQ(source.recent_failures, 0);
}

TEST_P(SourceStoreContract, WhatWorkedAndFailedIsKeptNewestFirstAndOnce) {
  using Patterns = std::vector<std::string>;
  record("example.com", clock.now(), true, "GET");
  record("example.com", clock.now(), true, "a browser \"window\"");
  record("example.com", clock.now(), true, "GET");
  record("example.com", clock.now(), true, "");
  record("example.com", clock.now(), false, "GET");
  EXPECT_EQ(found("example.com").worked, (Patterns{"GET", "a browser \"window\""}));
  EXPECT_EQ(found("example.com").failed, Patterns{"GET"});
  Patterns expected;
  for (std::size_t i = 0; i < kMaxSitePatterns; ++i) {
    record("example.com", clock.now(), false, "way " + std::to_string(i));
    expected.insert(expected.begin(), "way " + std::to_string(i));
  }
  EXPECT_EQ(found("example.com").failed, expected) << "the oldest has gone";
  record("example.com", clock.now(), false, "way 0");
  expected.pop_back();
  expected.insert(expected.begin(), "way 0");
  EXPECT_EQ(found("example.com").failed, expected);
}

TEST_P(SourceStoreContract, SourcesAreListedByDomain) {
  for (const char* domain : {"b.example", "a.example", "a-b.example", "c.example"}) record(domain, clock.now(), true);
  std::vector<std::string> domains;
  for (const auto& source : got(sources().list(clock.now(), kNever))) domains.push_back(source.domain);
  EXPECT_EQ(domains, (std::vector<std::string>{"a-b.example", "a.example", "b.example", "c.example"}));
}

TEST_P(SourceStoreContract, AnOverrideStandsBesideTheCountsAndCreatesASource) {
  record("example.com", clock.now(), true, "GET");
  Source expected = found("example.com");
  expected.manual = SourceOverride::kBlock;
  EXPECT_EQ(sources().set_override("example.com", SourceOverride::kBlock, clock.now(), kNever).value(), expected);
  rows->reopen();
  EXPECT_EQ(found("example.com"), expected);
  record("example.com", clock.now(), true);
  EXPECT_EQ(found("example.com").manual, SourceOverride::kBlock);
  sources().set_override("example.com", SourceOverride::kNone, clock.now(), kNever).value();
  EXPECT_EQ(found("example.com").manual, SourceOverride::kNone);
  EXPECT_EQ(found("example.com").successes, 2);
  Source unknown;
  unknown.domain = "example.org";
  unknown.manual = SourceOverride::kAllow;
  EXPECT_EQ(sources().set_override("example.org", SourceOverride::kAllow, clock.now(), kNever).value(), unknown);
}

TEST_P(SourceStoreContract, ARestoredRowReplacesAllButTheAttempts) {
  record("example.com", clock.now(), true, "GET");
  sources().set_override("example.com", SourceOverride::kAllow, clock.now(), kNever).value();
  Source file{"example.com", 7, 8, 100, 200, std::nullopt, Timestamp{5}, SourceOverride::kBlock, {}, {"POST"}};
  ASSERT_TRUE(sources().restore(file, kNever));
  Source fresh{"example.org", 1, 0, 100, 200, Timestamp{5}, std::nullopt, SourceOverride::kNone, {"GET"}, {}};
  ASSERT_TRUE(sources().restore(fresh, kNever));
  rows->reopen();
  file.recent_successes = 1, file.recent_failures = 0;
  fresh.recent_successes = fresh.recent_failures = 0;
  EXPECT_EQ(found("example.com"), file);
  EXPECT_EQ(found("example.org"), fresh);
}

TEST_P(SourceStoreContract, EveryWriteAsksForTheFile) {
  const std::vector<OutboxItem> file = {{OutboxKind::kSourceFile, "example.com"}};
  record("example.com", clock.now(), true);
  EXPECT_EQ(take_outbox(), file);
  sources().set_override("example.com", SourceOverride::kAllow, clock.now(), kNever).value();
  EXPECT_EQ(take_outbox(), file);
  ASSERT_TRUE(sources().restore(found("example.com"), kNever));
  EXPECT_EQ(take_outbox(), file);
}

TEST_P(SourceStoreContract, WhatIsNoDomainOrACountBelowNothingIsNotKept) {
  const auto invalid = std::optional(ErrorCode::kInvalidArgument);
  for (const char* domain :
       {"", "Example.com", "https://example.com", "example.com/x", "example.com.", "../x", "a b"}) {
    EXPECT_EQ(error_of(sources().record({domain, clock.now(), true, ""}, kNever)), invalid) << domain;
    EXPECT_EQ(error_of(sources().set_override(domain, SourceOverride::kAllow, clock.now(), kNever)), invalid);
    EXPECT_EQ(error_of(sources().restore({.domain = domain, .worked = {}, .failed = {}}, kNever)), invalid);
    EXPECT_EQ(error_of(sources().find(domain, clock.now(), kNever)), ErrorCode::kNotFound);
  }
  EXPECT_EQ(error_of(sources().restore({.domain = "example.com", .successes = -1, .worked = {}, .failed = {}}, kNever)),
            invalid);
  EXPECT_TRUE(sources().list(clock.now(), kNever).value().empty());
  EXPECT_TRUE(take_outbox().empty());
}

TEST_P(SourceStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(sources().record({"example.com", clock.now(), true, ""}, passed())), late);
  EXPECT_EQ(error_of(sources().find("example.com", clock.now(), passed())), late);
  EXPECT_EQ(error_of(sources().list(clock.now(), passed())), late);
  EXPECT_EQ(error_of(sources().set_override("example.com", SourceOverride::kAllow, clock.now(), passed())), late);
  EXPECT_EQ(error_of(sources().restore({.domain = "example.com", .worked = {}, .failed = {}}, passed())), late);
  EXPECT_TRUE(sources().list(clock.now(), kNever).value().empty());
}

INSTANTIATE_ROWS_CONTRACT(SourceStoreContract);

}  // namespace
}  // namespace pandora::testing
