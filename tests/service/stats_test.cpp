#include "service/stats.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

Uuid uid(std::uint8_t n) {
  Uuid id;
  id.bytes[15] = n;
  return id;
}
Observation observed(ObservationKind kind, const std::string& name, std::int64_t micros, bool ok = true) {
  return {uid(1), kind, name, Timestamp{micros}, micros, 0, 0, ok, ok ? "" : "why", std::nullopt};
}
Turn turn(std::uint8_t n, double quality, bool rejected, const std::string& at) {
  Turn turn;
  turn.uid = uid(n);
  turn.quality = quality;
  turn.rejected = rejected;
  turn.created_at = parse_iso8601(at).value();
  return turn;
}

TEST(Stats, PercentilesAndFailuresOfEachPhase) {
  StatsBuilder builder;
  for (int i = 1; i <= 100; ++i) builder.add(observed(ObservationKind::kPhase, "phase 2", i, i != 7));
  const Stats stats = builder.finish();
  const TimedGroup& group = stats.phases.at("phase 2");
  EXPECT_EQ(group.count, 100);
  EXPECT_EQ(group.failures, 1);
  EXPECT_EQ(group.p50_micros, 51);
  EXPECT_EQ(group.p95_micros, 95);
  EXPECT_EQ(group.total_micros, 5050);
  EXPECT_TRUE(stats.tools.empty());
}

TEST(Stats, TurnsAreAGroupAndModelsHaveTokens) {
  StatsBuilder builder;
  builder.add(observed(ObservationKind::kTurn, "turn", 30));
  builder.add(observed(ObservationKind::kTurn, "turn", 50, false));
  for (int i = 0; i < 2; ++i) {
    Observation call = observed(ObservationKind::kModel, "m", 10);
    call.tokens_in = 100, call.tokens_out = 7;
    builder.add(call);
  }
  const Stats stats = builder.finish();
  EXPECT_EQ(stats.turns.at("turn").count, 2);
  EXPECT_EQ(stats.turns.at("turn").failures, 1);
  EXPECT_EQ(stats.models.at("m").tokens_in, 200);
  EXPECT_EQ(stats.models.at("m").tokens_out, 14);
}

TEST(Stats, TheLatestFailuresAreShownAtMostTwenty) {
  StatsBuilder builder;
  for (int i = 1; i <= 21; ++i) builder.add(observed(ObservationKind::kTool, "web", i, false));
  const Stats stats = builder.finish();
  ASSERT_EQ(stats.failures.size(), kMaxShownFailures);
  EXPECT_EQ(stats.failures.front().at.micros, 21);
  EXPECT_EQ(stats.failures.front().why, "why");
}

TEST(Stats, QualityIsAMeanOfEachDay) {
  StatsBuilder builder;
  builder.add(turn(1, 0.2, false, "2026-01-05T10:00:00Z"));
  builder.add(turn(2, 0.6, false, "2026-01-05T23:59:59Z"));
  builder.add(turn(3, 0.9, false, "2026-01-06T00:00:00Z"));
  const Stats stats = builder.finish();
  ASSERT_EQ(stats.quality.size(), 2u);
  EXPECT_EQ(stats.quality[0].day, "2026-01-05");
  EXPECT_DOUBLE_EQ(stats.quality[0].quality, 0.4);
  EXPECT_EQ(stats.quality[1].turns, 1);
}

TEST(Stats, OnlyTurnsThatTheUserJudgedCalibrate) {
  StatsBuilder builder;
  for (std::uint8_t n = 1; n <= 3; ++n) {
    Observation validation = observed(ObservationKind::kPhase, "phase 6", 1);
    validation.turn_uid = uid(n);
    validation.confidence = 0.9;
    builder.add(validation);
  }
  builder.add(turn(1, kContinuedQuality, false, "2026-01-05"));
  builder.add(turn(2, kRejectedQuality, true, "2026-01-05"));
  builder.add(turn(3, kUnknownQuality, false, "2026-01-05"));
  const Stats stats = builder.finish();
  EXPECT_EQ(stats.calibration_pairs, 2);
  EXPECT_NEAR(stats.calibration_error, 0.4, 1e-12) << "confident of 0.9, right in one of two";
}

}  // namespace
}  // namespace pandora
