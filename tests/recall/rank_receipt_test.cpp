#include "recall/rank_receipt.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include <gmock/gmock.h>

#include "domain/confidence.h"
#include "recall/ranking.h"
#include "recall/replay.h"
#include "support/random_receipt.h"
#include "wire/receipt_codec.h"

namespace pandora {
namespace {

using pandora::testing::RandomReceipts;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Rows that a seed makes up; the same row is always the same.
class MadeUpRows final : public RowReader {
 public:
  explicit MadeUpRows(std::uint64_t seed) : made_(seed) {}
  void read_turns(std::span<RecallCandidate* const> turns) override {
    ++calls;
    for (auto* turn : turns) read(*turn);
  }
  void read_memory(RecallCandidate& memory) override { ++calls, read(memory); }
  void read_research(RecallCandidate& research) override { ++calls, read(research); }
  void count_tokens(const Uuid&, RowFacts& row) override {
    ++calls;
    if (!down) row.tokens = static_cast<std::int64_t>(made_.below(80));
  }
  int calls = 0;
  bool down = false;

 private:
  void read(RecallCandidate& candidate) {
    if (!down && !made_.chance(3)) candidate.row = made_.row();
  }
  RandomReceipts made_;
};

// Every row is as it should be, and of one token.
class PlainRows final : public RowReader {
 public:
  void read_turns(std::span<RecallCandidate* const> turns) override {
    for (auto* turn : turns) turn->row = RowFacts{};
    read += turns.size();
  }
  void read_memory(RecallCandidate& memory) override { memory.row = RowFacts{}, ++read; }
  void read_research(RecallCandidate& research) override { research.row = RowFacts{}, ++read; }
  void count_tokens(const Uuid&, RowFacts& row) override { row.tokens = 1; }
  std::size_t read = 0;
};

RecallCandidate candidate(std::uint8_t n, float dense = 0.9F) {
  RecallCandidate one;
  one.uid.bytes[15] = n;
  one.dense = dense;
  return one;
}
RecallReceipt request(std::int64_t budget = 1'000, std::int64_t limit = 10) {
  RecallReceipt receipt;
  receipt.token_budget = budget;
  receipt.limit = limit;
  receipt.analyzer = 1;
  return receipt;
}
RecallReceipt ranked(RecallReceipt receipt) {
  PlainRows rows;
  rank(receipt, rows);
  return receipt;
}
template <class List>
std::vector<RecallFate> fates(const List& list) {
  std::vector<RecallFate> all;
  for (const auto& one : list) all.push_back(one.fate);
  return all;
}

TEST(RankedReceipt, IsTheSameWhenItIsRankedAgainFromItsBytes) {
  std::map<RecallFate, int> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomReceipts made(seed);
    RecallReceipt live = made.next();
    MadeUpRows rows(seed);
    rank(live, rows);
    for (const auto fate : fates(live.turns)) ++seen[fate];
    for (const auto fate : fates(live.memories)) ++seen[fate];
    for (const auto fate : fates(live.given)) ++seen[fate];

    auto kept = decode_receipt(encode_receipt(live));
    ASSERT_TRUE(kept) << kept.error().to_line();
    const Replay again = replay(*kept);
    EXPECT_EQ(again.verdict, ReplayVerdict::kSame) << again.difference;

    // In whatever order the candidates come, and whatever the outcome was.
    std::mt19937_64 shuffling(seed);
    RecallReceipt shuffled = *kept;
    for (auto* list : {&shuffled.turns, &shuffled.memories, &shuffled.research}) {
      std::ranges::shuffle(*list, shuffling);
      for (auto& one : *list) one.score = 77, one.place = 3, one.fate = RecallFate::kGone;
    }
    MadeUpRows nobody(0);
    nobody.down = true;
    rank(shuffled, nobody);
    EXPECT_EQ(encode_receipt(shuffled), encode_receipt(live));
  }
  for (int fate = 0; fate <= static_cast<int>(RecallFate::kOverLimit); ++fate)
    EXPECT_GT(seen[static_cast<RecallFate>(fate)], 0) << to_string(static_cast<RecallFate>(fate)) << " never happened";
}

// A receipt that was kept when this formula was new. Its scores are compared with room for another C library's exp.
TEST(RankedReceipt, AChangedFormulaHasAnotherNumber) {
  const std::string path = std::string(PANDORA_GOLDEN) + "/formula-" + std::to_string(kRankingFormula) + ".receipt";
  std::ifstream file(path, std::ios::binary);
  const auto kept = decode_receipt(std::string{std::istreambuf_iterator<char>(file), {}});
  ASSERT_TRUE(kept) << "keep a ranked receipt of the new formula: " << path << ": " << kept.error().to_line();
  ASSERT_EQ(kept->formula, kRankingFormula);
  RecallReceipt again = *kept;
  MadeUpRows nobody(0);
  nobody.down = true;
  rank(again, nobody);
  const std::string remedy = "the ranking gives another outcome: raise kRankingFormula, and keep a receipt of it";
  EXPECT_EQ(again.tokens, kept->tokens) << remedy;
  for (const auto list : {&RecallReceipt::turns, &RecallReceipt::memories, &RecallReceipt::research})
    for (std::size_t i = 0; i < ((*kept).*list).size(); ++i) {
      const auto &then = ((*kept).*list)[i], &now = (again.*list)[i];
      EXPECT_EQ(now.uid, then.uid) << remedy;
      EXPECT_EQ(now.fate, then.fate) << remedy;
      EXPECT_EQ(now.place, then.place) << remedy;
      EXPECT_NEAR(now.score, then.score, 1e-9) << remedy;
    }
}

TEST(RankedReceipt, KeepsItsBoundsInEveryRandomWorld) {
  for (std::uint64_t seed = 1'000; seed < 1'200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RecallReceipt receipt = RandomReceipts(seed).next();
    MadeUpRows rows(seed);
    rank(receipt, rows);
    EXPECT_LE(receipt.tokens, receipt.token_budget);
    std::int64_t tokens = 0, turns = 0;
    std::vector<std::int64_t> places;
    const auto count = [&](const auto& one, const RowFacts* row) {
      EXPECT_EQ(one.place > 0, one.fate == RecallFate::kInjected);
      if (one.place == 0) return;
      places.push_back(one.place);
      tokens += row->tokens.value();
    };
    for (const auto& one : receipt.given) count(one, &one.row);
    for (const auto& one : receipt.turns) count(one, one.row ? &*one.row : nullptr), turns += one.place > 0 ? 1 : 0;
    for (const auto* list : {&receipt.memories, &receipt.research})
      for (const auto& one : *list) count(one, one.row ? &*one.row : nullptr);
    EXPECT_EQ(tokens, receipt.tokens);
    EXPECT_LE(turns, receipt.limit);
    std::ranges::sort(places);
    for (std::size_t i = 0; i < places.size(); ++i) EXPECT_EQ(places[i], static_cast<std::int64_t>(i) + 1);
  }
}

TEST(RankedReceipt, NothingIsAskedForThatItHolds) {
  RecallReceipt receipt = RandomReceipts(5).next();
  MadeUpRows rows(5);
  rank(receipt, rows);
  ASSERT_GT(rows.calls, 0);
  const int calls = rows.calls;
  for (auto* list : {&receipt.turns, &receipt.memories, &receipt.research})
    for (auto& one : *list)
      if (one.fate == RecallFate::kUnread) one.row = RowFacts{.tokens = 1};
  rank(receipt, rows);
  EXPECT_EQ(rows.calls, calls);
}

TEST(RankedReceipt, AsManyTurnsAsTheLimitAreInjectedAndTwiceAsManyRead) {
  for (const std::int64_t limit : {0, 1, 3}) {
    RecallReceipt receipt = request(1'000, limit);
    for (std::uint8_t n = 1; n <= 9; ++n) receipt.turns.push_back(candidate(n, 0.9F - 0.01F * n));
    PlainRows rows;
    rank(receipt, rows);
    const auto all = fates(receipt.turns);
    EXPECT_EQ(std::ranges::count(all, RecallFate::kInjected), limit);
    EXPECT_EQ(std::ranges::count(all, RecallFate::kOverLimit), 9 - limit);
    EXPECT_EQ(rows.read, static_cast<std::size_t>(2 * limit));
  }
}

TEST(RankedReceipt, FiveMemoriesAndThreeResearchAreInjected) {
  RecallReceipt receipt = request();
  for (std::uint8_t n = 1; n <= kMaxMemories + 1; ++n) receipt.memories.push_back(candidate(n));
  for (std::uint8_t n = 101; n <= 101 + kMaxResearch; ++n) receipt.research.push_back(candidate(n));
  PlainRows rows;
  rank(receipt, rows);
  EXPECT_EQ(std::ranges::count(fates(receipt.memories), RecallFate::kInjected),
            static_cast<std::ptrdiff_t>(kMaxMemories));
  EXPECT_EQ(receipt.memories.back().fate, RecallFate::kOverLimit);
  EXPECT_EQ(std::ranges::count(fates(receipt.research), RecallFate::kInjected),
            static_cast<std::ptrdiff_t>(kMaxResearch));
  EXPECT_EQ(receipt.research.back().fate, RecallFate::kOverLimit);
  EXPECT_EQ(rows.read, kMaxMemories + kMaxResearch) << "one after the other, and no further";
}

TEST(RankedReceipt, TwentyPreferencesAreInjectedAndNotOneMore) {
  RecallReceipt receipt = request();
  for (std::uint8_t n = 1; n <= kMaxPreferences + 1; ++n)
    receipt.given.push_back({GatheredKind::kPreference, candidate(n).uid, {}});
  const auto all = fates(ranked(receipt).given);
  EXPECT_EQ(std::ranges::count(all, RecallFate::kInjected), static_cast<std::ptrdiff_t>(kMaxPreferences));
  EXPECT_EQ(all.back(), RecallFate::kOverLimit);
}

TEST(RankedReceipt, PreferencesTakeAQuarterOfTheBudgetAndThePreviousTurnAHalf) {
  RecallReceipt receipt = request(40);
  receipt.given = {{GatheredKind::kPreference, candidate(1).uid, {.tokens = 10}},
                   {GatheredKind::kPreference, candidate(2).uid, {.tokens = 1}},
                   {GatheredKind::kPreviousTurn, candidate(3).uid, {.tokens = 10}},
                   {GatheredKind::kTurn, candidate(4).uid, {.tokens = 20}},
                   {GatheredKind::kTurn, candidate(5).uid, {.tokens = 1}}};
  using enum RecallFate;
  EXPECT_THAT(fates(ranked(receipt).given), ElementsAre(kInjected, kOverBudget, kInjected, kInjected, kOverBudget));
  receipt.given[0].row.tokens = 11;
  receipt.given[2].row.tokens = 20;
  EXPECT_THAT(fates(ranked(receipt).given), ElementsAre(kOverBudget, kInjected, kOverBudget, kInjected, kInjected));
}

TEST(RankedReceipt, WhatARowSaysKeepsItOut) {
  const std::vector<std::pair<RowState, RecallFate>> cases = {
      {RowState::kGone, RecallFate::kGone},       {RowState::kRejected, RecallFate::kRejected},
      {RowState::kExpired, RecallFate::kExpired}, {RowState::kSuperseded, RecallFate::kSuperseded},
      {RowState::kBlocked, RecallFate::kBlocked}, {RowState::kHeld, RecallFate::kAlreadyThere},
      {RowState::kHolds, RecallFate::kInjected}};
  for (const auto& [state, fate] : cases) {
    RecallReceipt receipt = request();
    receipt.turns = receipt.memories = receipt.research = {candidate(1)};
    receipt.memories[0].uid.bytes[0] = 1;
    receipt.research[0].uid.bytes[0] = 2;
    for (auto* list : {&receipt.turns, &receipt.memories, &receipt.research}) (*list)[0].row = RowFacts{.state = state};
    receipt = ranked(receipt);
    EXPECT_THAT(fates(receipt.turns), ElementsAre(fate));
    EXPECT_THAT(fates(receipt.memories), ElementsAre(fate));
    EXPECT_THAT(fates(receipt.research), ElementsAre(fate));
  }
}

TEST(RankedReceipt, WhatHasDecayedBelowTheLeastConfidenceIsLeftOut) {
  RecallReceipt receipt = request();
  receipt.memories = {candidate(1), candidate(2)};
  receipt.memories[0].row = RowFacts{.confidence = kMinConfidence};
  receipt.memories[1].row = RowFacts{.confidence = kMinConfidence - 1e-9};
  EXPECT_THAT(fates(ranked(receipt).memories), ElementsAre(RecallFate::kInjected, RecallFate::kDecayed));
}

TEST(RankedReceipt, WhatWasOnlyAskedComesBehindWhatAddsAFact) {
  RecallReceipt receipt = request();
  receipt.turns = {candidate(1, 0.9F), candidate(2, 0.8F)};
  receipt.turns[0].row = RowFacts{.only_asked = true};
  receipt.turns[1].row = RowFacts{};
  receipt = ranked(receipt);
  EXPECT_EQ(receipt.turns[0].place, 2);
  EXPECT_EQ(receipt.turns[1].place, 1);
}

TEST(RankedReceipt, WhatIsGivenIsNotInjectedAgainAndTakesNobodysPlace) {
  RecallReceipt receipt = request(1'000, 1);
  receipt.given = {{GatheredKind::kTurn, candidate(1).uid, {}}, {GatheredKind::kTurn, candidate(1).uid, {}}};
  receipt.turns = {candidate(1, 0.9F), candidate(2, 0.8F)};
  receipt = ranked(receipt);
  EXPECT_THAT(fates(receipt.given), ElementsAre(RecallFate::kInjected, RecallFate::kAlreadyThere));
  EXPECT_THAT(fates(receipt.turns), ElementsAre(RecallFate::kAlreadyThere, RecallFate::kInjected));
}

TEST(Replay, NamesTheFirstDifference) {
  RecallReceipt receipt = request();
  receipt.turns = {candidate(1, 0.9F), candidate(2, 0.8F), candidate(3, 0.7F)};
  receipt = ranked(receipt);
  ASSERT_EQ(replay(receipt).verdict, ReplayVerdict::kSame) << replay(receipt).difference;
  EXPECT_THAT(replay(receipt).difference, IsEmpty());

  RecallReceipt other = receipt;
  other.turns[1].score = std::nextafter(other.turns[1].score, 10);  // one bit
  EXPECT_EQ(replay(other).verdict, ReplayVerdict::kDiffers);
  EXPECT_THAT(replay(other).difference, HasSubstr("turns, rank 2"));
  EXPECT_THAT(replay(other).difference, HasSubstr("score"));

  other = receipt;
  std::swap(other.turns[0], other.turns[1]);
  EXPECT_THAT(replay(other).difference, HasSubstr("turns, rank 1"));

  other = receipt;
  other.turns[2].fate = RecallFate::kOverBudget;
  EXPECT_THAT(replay(other).difference, HasSubstr("it was over budget, and is injected now"));

  other = receipt;
  other.turns[2].place = 7;
  EXPECT_THAT(replay(other).difference, HasSubstr("place 7"));

  other = receipt;
  other.tokens += 1;
  EXPECT_THAT(replay(other).difference, HasSubstr("tokens"));
}

TEST(Replay, SaysWhyItCannotTell) {
  RecallReceipt receipt = request();
  receipt.turns = {candidate(1, 0.9F), candidate(2, 0.8F)};
  receipt = ranked(receipt);

  RecallReceipt other = receipt;
  other.formula = kRankingFormula + 1;
  EXPECT_EQ(replay(other).verdict, ReplayVerdict::kOtherFormula);
  other = receipt;
  other.analyzer += 1;
  EXPECT_EQ(replay(other).verdict, ReplayVerdict::kOtherFormula);
  other = receipt;
  const Uuid gone = other.turns[0].uid;
  EXPECT_EQ(forget(other, {&gone, 1}), 1);
  EXPECT_EQ(replay(other).verdict, ReplayVerdict::kForgotten);
}

TEST(Replay, ExplainsEachScore) {
  RecallReceipt receipt = RandomReceipts(11).next();
  MadeUpRows rows(11);
  rank(receipt, rows);
  const auto terms = explain(receipt);
  for (const auto& [list, of_list] :
       {std::pair(&receipt.turns, &terms.turns), std::pair(&receipt.memories, &terms.memories),
        std::pair(&receipt.research, &terms.research)}) {
    const auto heard = std::ranges::count_if(*list, [](const auto& one) { return one.fate != RecallFate::kNoise; });
    ASSERT_EQ(of_list->size(), static_cast<std::size_t>(heard));
    for (std::size_t i = 0; i < of_list->size(); ++i) EXPECT_EQ((*of_list)[i].sum(), (*list)[i].score);
  }
}

TEST(Replay, TellsWhatIsNewMovedAndGoneToday) {
  RecallReceipt then = request(1'000, 2), now = request(1'000, 2);
  then.turns = {candidate(1, 0.9F), candidate(2, 0.8F), candidate(3, 0.7F)};
  now.turns = {candidate(4, 0.95F), candidate(1, 0.9F), candidate(3, 0.7F)};
  now.turns[2].row = RowFacts{.state = RowState::kRejected};
  then = ranked(then);
  now = ranked(now);
  using enum RecallChangeKind;
  EXPECT_THAT(changes_since(then, now),
              ElementsAre(RecallChange{kNew, GatheredKind::kTurn, candidate(4).uid, 0, 1, std::nullopt},
                          RecallChange{kMoved, GatheredKind::kTurn, candidate(1).uid, 1, 2, std::nullopt},
                          RecallChange{kGone, GatheredKind::kTurn, candidate(2).uid, 2, 0, std::nullopt}));
  EXPECT_THAT(changes_since(then, then), IsEmpty());
  now.turns[0].uid = candidate(3).uid;
  now.turns[2].uid = candidate(2).uid;
  now = ranked(now);
  const auto changes = changes_since(then, now);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].why, RecallFate::kOverLimit) << "why it was not there then";
  EXPECT_EQ(changes[2].why, RecallFate::kRejected) << "why it is not there now";
}

TEST(Receipt, ForgetsARowWhereverItNamesIt) {
  RecallReceipt receipt = request();
  receipt.turns = {candidate(1), candidate(2)};
  receipt.turns[1].follows = candidate(1).uid;
  receipt.memories = {candidate(3)};
  receipt.research = {candidate(4)};
  receipt.given = {{GatheredKind::kTurn, candidate(1).uid, {}}};
  receipt.turn = candidate(5).uid;
  for (const std::uint8_t n : {1, 2, 3, 4, 5}) EXPECT_TRUE(names(receipt, candidate(n).uid)) << int(n);
  EXPECT_FALSE(names(receipt, candidate(6).uid));
  const std::vector<Uuid> gone = {candidate(1).uid, candidate(3).uid, candidate(4).uid, candidate(6).uid};
  EXPECT_EQ(forget(receipt, gone), 4);
  EXPECT_EQ(receipt.forgotten, 4);
  for (const Uuid& uid : gone) EXPECT_FALSE(names(receipt, uid));
  EXPECT_TRUE(names(receipt, candidate(2).uid));
  EXPECT_EQ(receipt.turns.at(0).follows, std::nullopt);
  EXPECT_EQ(forget(receipt, gone), 0);
  EXPECT_EQ(receipt.forgotten, 4);
}

}  // namespace
}  // namespace pandora
