// ObservationStore and InstanceStore.
#include <limits>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

class ObservationStoreContract : public RowsContract {
 protected:
  ObservationStore& store() { return rows->observations(); }
  std::vector<std::string> listed(const ObservationQuery& query, const Principal& who) {
    std::vector<std::string> names;
    for (const auto& row : got(store().list(query, who, kNever))) names.push_back(row.observation.name);
    return names;
  }
};
using Names = std::vector<std::string>;

TEST_P(ObservationStoreContract, ObservationsComeBackAsTheyWereInAscendingRows) {
  const Turn turn = commit("s", "one");
  Observation full = observation(turn.uid, "phase 2"), bare;
  bare.turn_uid = turn.uid;
  ASSERT_TRUE(store().add({full, bare}, kNever));
  ASSERT_TRUE(store().add({}, kNever));
  rows->reopen();
  const auto found = store().list({}, ana, kNever).value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].observation, full);
  EXPECT_EQ(found[1].observation, bare);
  EXPECT_GT(found[0].row, 0);
  EXPECT_LT(found[0].row, found[1].row);
}

TEST_P(ObservationStoreContract, AnObservationBelongsToTheUserOfItsTurnOrToTheInstallation) {
  const Turn mine = commit("s", "mine"), theirs = commit(record("s", "theirs", bea));
  ASSERT_TRUE(store().add(
      {observation(mine.uid, "mine"), observation(theirs.uid, "theirs"), observation(ids.next(), "of no turn")},
      kNever));
  EXPECT_EQ(listed({}, ana), Names{"mine"});
  EXPECT_EQ(listed({}, bea), Names{"theirs"});
  EXPECT_EQ(listed({.turn = theirs.uid}, ana), Names{});
  EXPECT_EQ(listed({}, everyone), (Names{"mine", "theirs", "of no turn"}));
}

TEST_P(ObservationStoreContract, AListHoldsWhatTheQueryTakes) {
  const Turn first = commit("s", "one"), second = commit("s", "two");
  Observation a = observation(first.uid, "a"), b = observation(second.uid, "b"), c = observation(second.uid, "c");
  a.kind = ObservationKind::kModel;
  b.at = a.at + Duration(1);
  c.at = a.at - Duration(1);
  ASSERT_TRUE(store().add({a, b, c}, kNever));
  EXPECT_EQ(listed({.kind = ObservationKind::kModel}, ana), Names{"a"});
  EXPECT_EQ(listed({.turn = second.uid}, ana), (Names{"b", "c"}));
  EXPECT_EQ(listed({.turn = ids.next()}, ana), Names{});
  EXPECT_EQ(listed({.since = a.at}, ana), (Names{"a", "b"})) << "the bound itself is in";
  EXPECT_EQ(listed({.until = a.at}, ana), Names{"c"}) << "the bound itself is out";
  EXPECT_EQ(listed({.kind = ObservationKind::kTool, .since = a.at, .until = b.at + Duration(1)}, ana), Names{"b"});
  EXPECT_EQ(listed({.limit = 2}, ana), (Names{"a", "b"}));
  EXPECT_EQ(listed({.limit = 0}, ana), Names{});
}

TEST_P(ObservationStoreContract, PagesFollowOneAnotherAndEndAtTheirMaximum) {
  const Turn turn = commit("s", "one");
  std::vector<Observation> many;
  for (std::size_t i = 0; i <= kMaxPage; ++i) many.push_back(observation(turn.uid, std::to_string(i)));
  ASSERT_TRUE(store().add(many, kNever));
  EXPECT_EQ(listed({.limit = kMaxPage}, ana).size(), kMaxPage);
  const auto page = store().list({.limit = kMaxPage + 1}, ana, kNever).value();
  ASSERT_EQ(page.size(), kMaxPage);
  EXPECT_EQ(page.back().observation, many[kMaxPage - 1]);
  EXPECT_EQ(listed({.after_row = page.back().row}, ana), Names{std::to_string(kMaxPage)});
}

TEST_P(ObservationStoreContract, ThoseOfACommitStayInTheirOrderHoweverManyAndOfWhateverTurn) {
  const Turn other = commit("s", "other");
  for (const std::size_t own : {0, 1, 1000, 1001, 2001}) {
    TurnRecord made = record("s", "one");
    for (std::size_t i = 0; i < own; ++i) made.observations.push_back(observation(made.turn.uid, std::to_string(i)));
    const Turn turn = commit(made);
    std::vector<Observation> kept;
    for (ObservationQuery query{.turn = made.turn.uid};;) {
      const auto page = got(store().list(query, everyone, kNever));
      if (page.empty()) break;
      for (const auto& row : page) kept.push_back(row.observation);
      query.after_row = page.back().row;
    }
    EXPECT_EQ(kept, made.observations);
    EXPECT_EQ(got(rows->turns().remove(turn.number, ana, kNever)).observations, static_cast<std::int64_t>(own));
  }
  TurnRecord mixed = record("s", "mixed");
  for (const std::size_t i : {0, 1, 2, 3})
    mixed.observations.push_back(observation(i == 1 ? other.uid : mixed.turn.uid, std::to_string(i)));
  commit(mixed);
  EXPECT_EQ(listed({}, ana), (Names{"0", "1", "2", "3"}));
  EXPECT_EQ(listed({.turn = other.uid}, ana), Names{"1"});
}

TEST_P(ObservationStoreContract, ARowIsNotReusedSoThatAPageMissesNothing) {
  const Turn kept = commit("s", "kept"), gone = commit("s", "gone");
  ASSERT_TRUE(store().add({observation(kept.uid, "a"), observation(gone.uid, "b")}, kNever));
  const auto last = store().list({}, ana, kNever).value().back().row;
  ASSERT_TRUE(rows->turns().remove(gone.number, ana, kNever));
  rows->reopen();
  ASSERT_TRUE(store().add({observation(kept.uid, "c")}, kNever));
  EXPECT_EQ(listed({.after_row = last}, ana), Names{"c"});
}

TEST_P(ObservationStoreContract, ADurationBelowNothingIsNothingAndAnImpossibleConfidenceAddsNone) {
  const Turn turn = commit("s", "one");
  Observation odd = observation(turn.uid, "odd");
  odd.micros = -1;
  odd.confidence = 1;
  ASSERT_TRUE(store().add({odd}, kNever));
  odd.micros = 0;
  EXPECT_EQ(store().list({}, ana, kNever).value().at(0).observation, odd);
  for (const double bad : {-0.001, 1.001, std::numeric_limits<double>::quiet_NaN()}) {
    odd.confidence = bad;
    EXPECT_EQ(error_of(store().add({observation(turn.uid, "fine"), odd}, kNever)), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(listed({}, everyone), Names{"odd"}) << "all or none";
}

TEST_P(ObservationStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(store().add({observation(ids.next(), "late")}, passed())), late);
  EXPECT_EQ(error_of(store().list({}, ana, passed())), late);
  EXPECT_EQ(listed({}, everyone), Names{});
}

INSTANTIATE_ROWS_CONTRACT(ObservationStoreContract);

class InstanceStoreContract : public RowsContract {
 protected:
  InstanceStore& store() { return rows->instance(); }
};

TEST_P(InstanceStoreContract, AFactIsKeptAndReplaced) {
  EXPECT_EQ(store().get("encoder", kNever).value(), std::nullopt);
  ASSERT_TRUE(store().put("encoder", "a \"model\"@1\n", kNever));
  ASSERT_TRUE(store().put("empty", "", kNever));
  rows->reopen();
  EXPECT_EQ(store().get("encoder", kNever).value(), "a \"model\"@1\n");
  EXPECT_EQ(store().get("empty", kNever).value(), "");
  ASSERT_TRUE(store().put("encoder", "another", kNever));
  EXPECT_EQ(store().get("encoder", kNever).value(), "another");
}

TEST_P(InstanceStoreContract, NamesAndValuesHaveTheirAlphabetAndTheirMaximum) {
  const std::string longest(kMaxInstanceName, 'z'), largest(kMaxInstanceValueBytes, 'v');
  for (const std::string& name : {std::string("a"), std::string("a_z.b"), longest}) {
    ASSERT_TRUE(store().put(name, largest, kNever)) << name;
    EXPECT_EQ(store().get(name, kNever).value(), largest);
  }
  for (const std::string& name : {std::string(), std::string("A"), std::string("a1"), std::string("a-b"),
                                  std::string("a b"), std::string("é"), longest + "z"}) {
    EXPECT_EQ(error_of(store().put(name, "v", kNever)), ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(error_of(store().get(name, kNever)), ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(error_of(store().put("a", largest + "v", kNever)), ErrorCode::kTooLarge);
  EXPECT_EQ(store().get("a", kNever).value(), largest);
}

TEST_P(InstanceStoreContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  EXPECT_EQ(error_of(store().put("late", "v", passed())), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(store().get("late", passed())), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(store().get("late", kNever).value(), std::nullopt);
}

INSTANTIATE_ROWS_CONTRACT(InstanceStoreContract);

}  // namespace
}  // namespace pandora::testing
