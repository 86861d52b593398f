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
std::vector<Uuid> order(const std::vector<Candidate>& candidates) {
  std::vector<Uuid> ids;
  for (const auto& candidate : candidates) ids.push_back(candidate.id);
  return ids;
}
Candidate turn(std::uint8_t n, double score, const std::string& session, Timestamp at = {0}, double quality = 0.5) {
  return {id(n), score, 1, 1, {{"session_id", session}, {"timestamp", at}, {"quality", quality}}};
}

TEST(Fusion, WhatBothLegsBringComesFirst) {
  const std::vector<ScoredPoint> dense = {{id(1), 0.9F, {}}, {id(2), 0.8F, {}}, {id(3), 0.1F, {}}};
  const std::vector<ScoredPoint> lexical = {{id(2), 9.0F, {}}, {id(4), 2.0F, {}}, {id(3), 1.0F, {}}};
  EXPECT_EQ(fuse(dense, lexical).front().id, id(2));
}

TEST(Fusion, AMissingScoreCountsAsTheLastOfThatLeg) {
  const std::vector<ScoredPoint> dense = {{id(1), 0.9F, {}}, {id(2), 0.5F, {}}};
  const std::vector<ScoredPoint> lexical = {{id(1), 3.0F, {}}, {id(3), 1.0F, {}}};
  const auto fused = fuse(dense, lexical);
  ASSERT_EQ(fused.size(), 3u);
  EXPECT_EQ(fused.front().id, id(1));
  EXPECT_DOUBLE_EQ(fused[1].score, fused[2].score) << "each is last in one leg and missing in the other";
  EXPECT_THAT(order(fused), ElementsAre(id(1), id(2), id(3))) << "ties by id";
}

TEST(Fusion, OneLegAloneKeepsItsOrderAndNoneGivesNone) {
  const std::vector<ScoredPoint> dense = {{id(3), 0.9F, {}}, {id(1), 0.5F, {}}};
  EXPECT_THAT(order(fuse(dense, {})), ElementsAre(id(3), id(1)));
  EXPECT_THAT(order(fuse({}, dense)), ElementsAre(id(3), id(1)));
  EXPECT_TRUE(fuse({}, {}).empty());
}

TEST(Ranking, ASessionWithSeveralGoodTurnsLiftsThem) {
  std::vector<Candidate> turns = {turn(1, 1.1, "other"), turn(2, 1.0, "right"), turn(3, 0.9, "right"), turn(4, 0.8, "right"),
                                  turn(5, -2, "other"), turn(6, -2, "other")};
  rank_turns(turns, "", {0});
  EXPECT_EQ(turns.front().id, id(2));
}

TEST(Ranking, OfTwoEqualsTheNewerAndTheBetterLikedComesFirst) {
  const Timestamp now{400LL * 86'400'000'000};
  std::vector<Candidate> aged = {turn(1, 1, "a", {0}), turn(2, 1, "b", now)};
  rank_turns(aged, "", now);
  EXPECT_EQ(aged.front().id, id(2));
  std::vector<Candidate> liked = {turn(1, 1, "a", now, kRejectedQuality), turn(2, 1, "b", now, kContinuedQuality)};
  rank_turns(liked, "", now);
  EXPECT_EQ(liked.front().id, id(2));
}

TEST(Ranking, WhatOnlyAsksComesBehindWhatTells) {
  std::vector<Candidate> turns = {turn(1, 1.5, "a"), turn(2, 1, "b")};
  turns[0].payload["asks"] = true;
  turns[1].payload["asks"] = false;
  rank_turns(turns, "", {0});
  EXPECT_EQ(turns.front().id, id(2));
}

TEST(Ranking, WhoIsNamedInTheQuestionIsHeardFirst) {
  std::vector<Candidate> turns = {turn(1, 1.2, "a"), turn(2, 1, "b")};
  turns[0].payload["speaker"] = std::string("Ben Ash");
  turns[1].payload["speaker"] = std::string("Ana Lee");
  auto unnamed = turns;
  rank_turns(turns, "What did ana lee buy?", {0});
  EXPECT_EQ(turns.front().id, id(2));
  rank_turns(unnamed, "What did Ana and Ben buy?", {0});
  EXPECT_EQ(unnamed.front().id, id(1)) << "a part of a name is another name";
}

TEST(Ranking, BehindTheFirstTenEverySessionIsHeardBeforeOneIsHeardAgain) {
  std::vector<Candidate> turns;
  for (std::uint8_t n = 0; n < 14; ++n) turns.push_back(turn(n, 50 - n, "a"));
  turns.push_back(turn(100, 1, "b"));
  turns.push_back(turn(101, 0.5, "c"));
  spread_over_sessions(turns);
  std::vector<Uuid> expected;
  for (std::uint8_t n = 0; n < 10; ++n) expected.push_back(id(n));
  for (const std::uint8_t n : {100, 101, 10, 11, 12, 13}) expected.push_back(id(n));
  EXPECT_EQ(order(turns), expected);
}

TEST(Ranking, OnlyTenSessionsAreSpreadOver) {
  std::vector<Candidate> turns;
  for (std::uint8_t n = 0; n < 11; ++n) turns.push_back(turn(n, 50 - n, std::string(1, static_cast<char>('a' + n / 2))));  // six sessions
  for (std::uint8_t n = 11; n < 20; ++n) turns.push_back(turn(n, 30 - n, std::string(1, static_cast<char>('k' + n))));
  spread_over_sessions(turns);
  EXPECT_EQ(turns[10].id, id(10)) << "the sixth session";
  EXPECT_EQ(turns[14].id, id(14)) << "the tenth";
  EXPECT_EQ(turns.back().id, id(19));
}

TEST(Ranking, NoiseIsWhatNeitherLegFindsNear) {
  EXPECT_TRUE(is_noise({id(1), 0, kDenseFloor - 0.01, 0, {}}));
  EXPECT_FALSE(is_noise({id(1), 0, kDenseFloor, 0, {}}));
  EXPECT_FALSE(is_noise({id(1), 0, 0, 0.1, {}}));
}

}  // namespace
}  // namespace pandora
