#include "domain/research.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

using std::chrono::hours;

Finding finding(std::string claim, double confidence, std::vector<std::string> domains,
                ContentType type = ContentType::kPrice) {
  return {std::move(claim), type, confidence, std::move(domains)};
}

TEST(ResearchQuality, WeighsItsThreeParts) {
  EXPECT_NEAR(research_quality(5, 1, 1), 1.0, 1e-12);
  EXPECT_NEAR(research_quality(0, 0, 0), 0.0, 1e-12);
  EXPECT_NEAR(research_quality(5, 0, 0), 0.40, 1e-12);
  EXPECT_NEAR(research_quality(0, 1, 0), 0.35, 1e-12);
  EXPECT_NEAR(research_quality(0, 0, 1), 0.25, 1e-12);
  EXPECT_EQ(research_completeness(4), 0.8);
  EXPECT_EQ(research_completeness(5), 1);
  EXPECT_EQ(research_completeness(6), 1);
}

TEST(ResearchLifetime, FollowsKindAndType) {
  EXPECT_EQ(research_lifetime(ResearchKind::kTransactional), hours(6));
  EXPECT_EQ(research_lifetime(ResearchKind::kInformational), hours(24));
  EXPECT_EQ(fact_lifetime(ContentType::kAvailability), hours(2));
  EXPECT_EQ(fact_lifetime(ContentType::kPrice), hours(6));
  EXPECT_EQ(fact_lifetime(ContentType::kVendor), hours(168));
  EXPECT_EQ(fact_lifetime(ContentType::kGeneralFact), hours(720));
  EXPECT_EQ(fact_lifetime(ContentType::kOther), hours(720));
}

TEST(AgreeingConfidence, AddsALittleToTheHigherUpToItsCap) {
  EXPECT_NEAR(agreeing_confidence(0.6, 0.7), 0.75, 1e-12);
  EXPECT_NEAR(agreeing_confidence(0.94, 0.2), 0.99, 1e-12);
  EXPECT_EQ(agreeing_confidence(0.97, 0.97), 0.99);
}

TEST(MergeFindings, EqualClaimsOfTwoSourcesAgree) {
  const auto merged = merge_findings({finding("The X1 costs 900 euros.", 0.6, {"a.com"})},
                                     {finding("the x1  costs 900 euros", 0.7, {"b.com"})});
  ASSERT_EQ(merged.findings.size(), 1U);
  EXPECT_NEAR(merged.findings[0].confidence, 0.75, 1e-12);
  EXPECT_EQ(merged.findings[0].domains, (std::vector<std::string>{"a.com", "b.com"}));
  EXPECT_TRUE(merged.conflicts.empty());
}

TEST(MergeFindings, TheSameSourceTwiceIsNoAgreement) {
  const auto merged = merge_findings({finding("x is y", 0.6, {"a.com"})}, {finding("x is y", 0.7, {"a.com"})});
  ASSERT_EQ(merged.findings.size(), 1U);
  EXPECT_EQ(merged.findings[0].confidence, 0.7);
}

TEST(MergeFindings, OnConflictTheHigherConfidenceWinsAndTheConflictIsRecorded) {
  const auto incoming_wins =
      merge_findings({finding("The price is 900.", 0.6, {"a.com"})}, {finding("The price is 950.", 0.7, {"b.com"})});
  ASSERT_EQ(incoming_wins.findings.size(), 1U);
  EXPECT_EQ(incoming_wins.findings[0].claim, "The price is 950.");
  EXPECT_EQ(incoming_wins.conflicts,
            std::vector<std::string>{"\"The price is 950.\" (0.70) against \"The price is 900.\" (0.60)"});
  const auto known_wins =
      merge_findings({finding("The price is 900.", 0.7, {})}, {finding("The price is 950.", 0.7, {})});
  EXPECT_EQ(known_wins.findings[0].claim, "The price is 900.");
  EXPECT_EQ(known_wins.conflicts.size(), 1U);
}

TEST(MergeFindings, DifferentSubjectsAndTypesStandSideBySide) {
  const auto merged = merge_findings(
      {finding("The price is 900.", 0.6, {})},
      {finding("The colour is red.", 0.7, {}), finding("The price is 950.", 0.7, {}, ContentType::kOther)});
  EXPECT_EQ(merged.findings.size(), 3U);
  EXPECT_TRUE(merged.conflicts.empty());
}

TEST(ResearchTopicKey, CollapsesSpaceAndTheCaseOfAsciiLettersOnly) {
  EXPECT_EQ(research_topic_key(" Blue \t ThinkPads\n"), "blue thinkpads");
  EXPECT_EQ(research_topic_key("ÄPFEL"), "Äpfel");
}

TEST(MergeFindings, HoldsItsMaximumAndNotOneMore) {
  std::vector<Finding> many;
  for (std::size_t i = 0; i < kMaxFindings; ++i) many.push_back(finding("claim " + std::to_string(i), 0.5, {}));
  EXPECT_EQ(merge_findings({}, many).findings.size(), kMaxFindings);
  many.push_back(finding("one more", 0.5, {}));
  EXPECT_EQ(merge_findings({}, many).findings.size(), kMaxFindings);
}

}  // namespace
}  // namespace pandora
