#include "recall/fusion.h"

#include <gmock/gmock.h>

#include "domain/turn.h"
#include "recall/ranking.h"

namespace pandora {
namespace {

using testing::ElementsAre;

Uuid id(std::uint8_t n) {
  Uuid uuid;
  uuid.bytes[15] = n;
  return uuid;
}
RecallCandidate brought(std::uint8_t n, std::optional<float> dense, std::optional<float> lexical) {
  RecallCandidate candidate;
  candidate.uid = id(n);
  candidate.dense = dense;
  candidate.lexical = lexical;
  return candidate;
}
// Turns whose words alone put them in the order in which they are given.
std::vector<RecallCandidate> turns(const std::vector<std::string>& sessions) {
  std::vector<RecallCandidate> all;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    all.push_back(brought(static_cast<std::uint8_t>(i + 1), 0.95F - 0.01F * static_cast<float>(i), std::nullopt));
    all.back().session = sessions[i];
  }
  return all;
}
std::vector<Uuid> order(const std::vector<Ranked>& ranked, const std::vector<RecallCandidate>& candidates) {
  std::vector<Uuid> ids;
  for (const auto& one : ranked) ids.push_back(candidates[one.index].uid);
  return ids;
}
std::vector<Uuid> order(const std::vector<RecallCandidate>& all, std::string_view question = "", Timestamp now = {0}) {
  return order(rank_turns(all, {question, now, {}}), all);
}

TEST(Fusion, WhatBothLegsBringComesFirst) {
  const std::vector<RecallCandidate> found = {brought(1, 0.9F, {}), brought(2, 0.8F, 9.0F), brought(3, 0.1F, 1.0F),
                                              brought(4, {}, 2.0F)};
  EXPECT_EQ(order(found).front(), id(2));
}

TEST(Fusion, AMissingScoreCountsAsTheLastOfThatLeg) {
  const std::vector<RecallCandidate> found = {brought(1, 0.9F, 3.0F), brought(2, 0.5F, {}), brought(3, {}, 1.0F)};
  const auto fused = fuse(found);
  ASSERT_EQ(fused.size(), 3u);
  EXPECT_DOUBLE_EQ(fused[1].sum(), fused[2].sum()) << "each is last in one leg and missing in the other";
  EXPECT_THAT(order(found), ElementsAre(id(1), id(2), id(3))) << "ties by uid";
}

TEST(Fusion, OneLegAloneKeepsItsOrderAndNoneGivesNone) {
  const std::vector<RecallCandidate> dense = {brought(3, 0.9F, {}), brought(1, 0.5F, {})};
  EXPECT_THAT(order(dense), ElementsAre(id(3), id(1)));
  const std::vector<RecallCandidate> lexical = {brought(1, {}, 0.5F), brought(3, {}, 0.9F)};
  EXPECT_THAT(order(lexical), ElementsAre(id(3), id(1)));
  EXPECT_TRUE(fuse({}).empty());
}

TEST(Ranking, ASessionWithSeveralGoodTurnsLiftsThem) {
  auto all = turns({"other", "right", "right", "right", "other"});
  all.back().dense = 0.5F;
  const auto ranked = rank_turns(all, {"", {0}, {}});
  EXPECT_EQ(all[ranked.front().index].uid, id(2));
  EXPECT_DOUBLE_EQ(ranked[0].terms.session, ranked[1].terms.session) << "all turns of a session get the same";
}

TEST(Ranking, ATurnOfNoSessionGetsNothingOfOne) {
  for (const auto& one : rank_turns(turns({"", "", ""}), {"", {0}, {}})) EXPECT_EQ(one.terms.session, 0);
}

TEST(Ranking, OfTwoEqualsTheNewerComesFirst) {
  const Timestamp now{400LL * 86'400'000'000};
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {})};
  all[0].at = Timestamp{0};
  all[1].at = now;
  EXPECT_THAT(order(all, "", now), ElementsAre(id(2), id(1)));
}

TEST(Ranking, OfTwoEqualsTheBetterLikedComesFirst) {
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {})};
  all[0].quality = kRejectedQuality;
  all[1].quality = kContinuedQuality;
  EXPECT_THAT(order(all), ElementsAre(id(2), id(1)));
}

TEST(Ranking, WhatOnlyAsksComesBehindWhatTells) {
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {})};
  all[0].asks = true;
  EXPECT_THAT(order(all), ElementsAre(id(2), id(1)));
}

TEST(Ranking, WhatAnswersAMatchingQuestionIsBetter) {
  // 1 asks and is near; 2 and 3 are alike, and 2 is the answer.
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(3, 0.6F, {}), brought(2, 0.6F, {}),
                                      brought(4, 0.5F, {})};
  all[0].asks = true;
  all[2].follows = all[0].uid;
  EXPECT_EQ(order(all).at(1), id(2));
  EXPECT_GT(rank_turns(all, {"", {0}, {}}).at(1).terms.answering, 0);

  all[0].asks = false;
  for (const auto& one : rank_turns(all, {"", {0}, {}})) EXPECT_EQ(one.terms.answering, 0) << "it asked nothing";
  all[0].asks = true;
  all[0].dense = 0.5F;
  all[3].dense = 0.9F;
  for (const auto& one : rank_turns(all, {"", {0}, {}}))
    EXPECT_EQ(one.terms.answering, 0) << "the question has nothing to do with it";
}

TEST(Ranking, WhoIsNamedInTheQuestionIsHeardFirst) {
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {})};
  all[0].speaker = "Ben Ash";
  all[1].speaker = "Ana Lee";
  EXPECT_EQ(order(all, "What did ana lee buy?").front(), id(2));
  EXPECT_EQ(order(all, "What did Ana and Ben buy?").front(), id(1)) << "a part of a name is another name";
}

TEST(Ranking, TheScoreIsTheSumOfTheTerms) {
  auto all = turns({"a", "b", "a"});
  all[1].speaker = "Ana";
  all[2].asks = true;
  all[0].follows = all[2].uid;
  for (const auto& one : rank_turns(all, {"ana", {0}, {}})) EXPECT_EQ(one.score, one.terms.sum());
}

TEST(Ranking, WhatWasSaidInTheNamedTimeOrSoonAfterIsBetter) {
  constexpr std::int64_t kDay = 86'400'000'000;
  const TimeRange named{{10 * kDay}, {11 * kDay}};
  const auto time_of = [&](std::int64_t micros) {
    std::vector all{brought(1, 0.9F, {})};
    all[0].at = Timestamp{micros};
    return rank_turns(all, {"", {100 * kDay}, named}).at(0).terms.time;
  };
  EXPECT_EQ(time_of(10 * kDay - 1), 0);
  EXPECT_EQ(time_of(10 * kDay), kTimeWeight);
  EXPECT_EQ(time_of(11 * kDay + kTimeSlack.count() - 1), kTimeWeight);
  EXPECT_EQ(time_of(11 * kDay + kTimeSlack.count()), 0);
  EXPECT_EQ(rank_turns(std::vector{brought(1, 0.9F, {})}, {"", {0}, named}).at(0).terms.time, 0) << "no one knows when";
}

TEST(Ranking, OfTwoEqualsWhatIsTrustedMoreComesFirst) {
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {}), brought(3, 0.9F, {})};
  all[0].quality = 0;
  all[1].quality = 1.0 / 3;
  all[2].quality = 1;
  EXPECT_THAT(order(rank_knowledge(all, {0}), all), ElementsAre(id(3), id(2), id(1)));
}

TEST(Ranking, KnowledgeThatOnlyAsksIsNoWorse) {
  std::vector<RecallCandidate> all = {brought(1, 0.9F, {}), brought(2, 0.9F, {})};
  all[0].asks = true;
  const auto ranked = rank_knowledge(all, {0});
  EXPECT_THAT(order(ranked, all), ElementsAre(id(1), id(2)));
  EXPECT_EQ(ranked[0].score, ranked[1].score);
}

TEST(Ranking, BehindTheFirstTenEverySessionIsHeardBeforeOneIsHeardAgain) {
  std::vector<std::string> sessions(14, "a");
  sessions.insert(sessions.end(), {"b", "c"});
  const auto all = turns(sessions);
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < all.size(); ++i) ranked.push_back({i, 50.0 - static_cast<double>(i), {}});
  EXPECT_THAT(spread_over_sessions(ranked, all, 100),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 10, 11, 12, 13));
  EXPECT_EQ(spread_over_sessions(ranked, all, 15).size(), 15u) << "the sixteenth is not looked at";
}

TEST(Ranking, OnlyTenSessionsAreSpreadOver) {
  std::vector<std::string> sessions;
  for (int n = 0; n < 11; ++n) sessions.emplace_back(1, static_cast<char>('a' + n / 2));  // six sessions
  for (int n = 11; n < 20; ++n) sessions.emplace_back(1, static_cast<char>('k' + n));
  const auto all = turns(sessions);
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < all.size(); ++i) ranked.push_back({i, 50.0 - static_cast<double>(i), {}});
  const auto spread = spread_over_sessions(ranked, all, all.size());
  EXPECT_EQ(spread[10], 10u) << "the sixth session";
  EXPECT_EQ(spread[14], 14u) << "the tenth";
  EXPECT_EQ(spread.back(), 19u);
}

TEST(Ranking, NoiseIsWhatNeitherLegFindsNear) {
  const float floor = kDenseFloor;
  EXPECT_TRUE(is_noise(brought(1, floor - 0.01F, 0.0F)));
  EXPECT_TRUE(is_noise(brought(1, {}, 0.0F)));
  EXPECT_FALSE(is_noise(brought(1, floor, {})));
  EXPECT_FALSE(is_noise(brought(1, {}, 0.1F)));
  EXPECT_TRUE(rank_turns(std::vector{brought(1, floor - 0.01F, {})}, {"", {0}, {}}).empty());
}

}  // namespace
}  // namespace pandora
