#include "domain/confidence.h"

#include <gtest/gtest.h>

#include "domain/context_document.h"
#include "domain/observation.h"
#include "domain/scope_promotion.h"

namespace pandora {
namespace {

using std::chrono::hours;

Duration days(double count) { return Duration(static_cast<std::int64_t>(count * 86'400e6)); }

TEST(Decay, ThePriceFiguresOfTheRulesHold) {
  constexpr auto price = ContentType::kPrice;
  EXPECT_NEAR(decayed_confidence(0.90, price, days(3)), 0.719, 0.0005);
  EXPECT_NEAR(decayed_confidence(0.90, price, days(7)), 0.548, 0.0005);
  EXPECT_NEAR(decayed_confidence(0.90, price, days(14)), 0.373, 0.0005);
  EXPECT_NEAR(decayed_confidence(0.90, price, days(30)), 0.235, 0.0005);
}

TEST(Decay, EveryRowOfTheTableHasItsRateAndFloor) {
  const struct {
    ContentType type;
    double lambda, floor, after_ten_days;  // from 0.95
  } rows[] = {
      {ContentType::kAvailability, 0.20, 0.10, 0.2150}, {ContentType::kPrice, 0.10, 0.20, 0.4759},
      {ContentType::kProductSpec, 0.03, 0.50, 0.8334},  {ContentType::kVendor, 0.02, 0.60, 0.8866},
      {ContentType::kStrategy, 0.02, 0.50, 0.8684},     {ContentType::kSitePattern, 0.01, 0.70, 0.9262},
      {ContentType::kPreference, 0.005, 0.80, 0.9427},  {ContentType::kGeneralFact, 0.005, 0.80, 0.9427},
      {ContentType::kOther, 0.02, 0.30, 0.8322},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(decay_rule(row.type).lambda_per_day, row.lambda) << to_string(row.type);
    EXPECT_EQ(decay_rule(row.type).floor, row.floor) << to_string(row.type);
    EXPECT_NEAR(decayed_confidence(0.95, row.type, days(10)), row.after_ten_days, 0.00005) << to_string(row.type);
    EXPECT_NEAR(decayed_confidence(0.95, row.type, days(100'000)), row.floor, 1e-9) << to_string(row.type);
  }
}

TEST(Decay, NothingRisesAboveWhatItBeganWith) {
  EXPECT_EQ(decayed_confidence(0.9, ContentType::kPrice, days(0)), 0.9);
  EXPECT_EQ(decayed_confidence(0.1, ContentType::kPrice, days(5)), 0.1);   // below the floor it stays
  EXPECT_EQ(decayed_confidence(0.9, ContentType::kPrice, days(-5)), 0.9);  // a clock that jumped back
}

TEST(Decay, APriceFallsBelowWhatIsShownAfterTwentyDays) {
  EXPECT_GE(decayed_confidence(0.90, ContentType::kPrice, days(19)), kMinConfidence);
  EXPECT_LT(decayed_confidence(0.90, ContentType::kPrice, days(20)), kMinConfidence);
}

TEST(Verdict, EachBoundaryBelongsToTheBetterVerdict) {
  EXPECT_EQ(verdict_for(1), Verdict::kApprove);
  EXPECT_EQ(verdict_for(0.80), Verdict::kApprove);
  EXPECT_EQ(verdict_for(0.7999), Verdict::kRevise);
  EXPECT_EQ(verdict_for(0.50), Verdict::kRevise);
  EXPECT_EQ(verdict_for(0.4999), Verdict::kRetry);
  EXPECT_EQ(verdict_for(0.30), Verdict::kRetry);
  EXPECT_EQ(verdict_for(0.2999), Verdict::kFail);
  EXPECT_EQ(verdict_for(0), Verdict::kFail);
}

TEST(ScopePromotion, ASessionsBecomesTheUsersAtThreeUsesHalfTrustAndOneHour) {
  EXPECT_EQ(next_scope(Scope::kSession, 3, 0.50, hours(1)), Scope::kUser);
  EXPECT_EQ(next_scope(Scope::kSession, 2, 0.50, hours(1)), Scope::kSession);
  EXPECT_EQ(next_scope(Scope::kSession, 3, 0.4999, hours(1)), Scope::kSession);
  EXPECT_EQ(next_scope(Scope::kSession, 3, 0.50, hours(1) - Duration(1)), Scope::kSession);
}

TEST(ScopePromotion, AUsersBecomesGlobalAtTenUsesHighTrustAndOneDay) {
  EXPECT_EQ(next_scope(Scope::kUser, 10, 0.80, hours(24)), Scope::kGlobal);
  EXPECT_EQ(next_scope(Scope::kUser, 9, 0.80, hours(24)), Scope::kUser);
  EXPECT_EQ(next_scope(Scope::kUser, 10, 0.7999, hours(24)), Scope::kUser);
  EXPECT_EQ(next_scope(Scope::kUser, 10, 0.80, hours(24) - Duration(1)), Scope::kUser);
}

TEST(ScopePromotion, LostTrustDemotesAndOneCallGoesOneStep) {
  EXPECT_EQ(next_scope(Scope::kUser, 100, 0.4999, hours(1000)), Scope::kSession);
  EXPECT_EQ(next_scope(Scope::kGlobal, 100, 0.7999, hours(1000)), Scope::kUser);
  EXPECT_EQ(next_scope(Scope::kGlobal, 100, 0.1, hours(1000)), Scope::kUser);
  EXPECT_EQ(next_scope(Scope::kGlobal, 0, 0.80, hours(0)), Scope::kGlobal);
  EXPECT_EQ(next_scope(Scope::kSession, 100, 1, hours(1000)), Scope::kUser);
}

TEST(Calibration, IsTheMeanGapBetweenConfidenceAndTruth) {
  EXPECT_EQ(expected_calibration_error({}), 0);
  EXPECT_NEAR(expected_calibration_error({{1, true}, {1, true}}), 0, 1e-12);
  EXPECT_NEAR(expected_calibration_error({{0.9, false}}), 0.9, 1e-12);
  // One bin: mean confidence 0.75, half right.
  EXPECT_NEAR(expected_calibration_error({{0.74, true}, {0.76, false}}), 0.25, 1e-12);
  // Neighbours of different tenths do not even out.
  EXPECT_NEAR(expected_calibration_error({{0.65, true}, {0.75, false}}), 0.55, 1e-12);
  // Two bins of one and three: (0.05 + 3 · |0.95 − 2/3|) / 4.
  EXPECT_NEAR(expected_calibration_error({{0.05, false}, {0.95, true}, {0.95, true}, {0.95, false}}), 0.225, 1e-12);
}

}  // namespace
}  // namespace pandora
