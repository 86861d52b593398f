#include "domain/source.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

Source attempts(std::int64_t good, std::int64_t bad, std::int64_t recent_good = 0, std::int64_t recent_bad = 0) {
  Source source;
  source.successes = good, source.failures = bad;
  source.recent_successes = recent_good, source.recent_failures = recent_bad;
  return source;
}

TEST(SourceScore, IsTheSmoothedShareOfSuccesses) {
  EXPECT_EQ(source_score(attempts(0, 0)), 0.5);
  EXPECT_EQ(source_score(attempts(1, 0)), 2.0 / 3);
  EXPECT_EQ(source_score(attempts(8, 0)), 0.9);
  EXPECT_EQ(source_score(attempts(0, 8)), 0.1);
}

TEST(SourceScore, TheLastThirtyDaysCountWhenThereAreAny) {
  EXPECT_EQ(source_score(attempts(1000, 0, 0, 8)), 0.1);
  EXPECT_EQ(source_score(attempts(8, 0, 0, 0)), 0.9);
}

TEST(WeighedConfidence, IsLinearBetweenTheTwoBoundaries) {
  EXPECT_NEAR(weighed_confidence(0.5, 0.85), 0.55, 1e-12);
  EXPECT_NEAR(weighed_confidence(0.5, 1.0), 0.55, 1e-12);
  EXPECT_NEAR(weighed_confidence(0.5, 0.50), 0.40, 1e-12);
  EXPECT_NEAR(weighed_confidence(0.5, 0.0), 0.40, 1e-12);
  EXPECT_NEAR(weighed_confidence(0.5, 0.675), 0.475, 1e-12);  // halfway: × 0.95
  EXPECT_LT(weighed_confidence(0.5, 0.849), 0.55);
  EXPECT_GT(weighed_confidence(0.5, 0.501), 0.40);
  EXPECT_EQ(weighed_confidence(0.95, 0.9), 0.99);
}

TEST(NormaliseDomain, LeavesTheDomainOfAnAddress) {
  const std::pair<std::string_view, std::string_view> examples[] = {
      {"HTTPS://Www.Example.COM:443/x", "www.example.com"},
      {"example.com", "example.com"},
      {" example.com. ", "example.com"},
      {"http://user:pw@example.com/a@b", "example.com"},
      {"example.com?q=1", "example.com"},
      {"a-b.example", "a-b.example"},
      {"10.0.0.1:80", "10.0.0.1"},
      {"localhost", "localhost"},
  };
  for (const auto& [text, domain] : examples) {
    const auto result = normalise_domain(text);
    ASSERT_TRUE(result) << text;
    EXPECT_EQ(*result, domain);
  }
}

TEST(NormaliseDomain, RefusesWhatNamesNone) {
  for (const std::string_view text : {"", " ", "https://", "/path", "a b.com", "-a.com", "a-.com", "a..b",
                                      "ex_ample.com", "a-", "[::1]", "\xFF.com"}) {
    const auto result = normalise_domain(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(NormaliseDomain, KeepsToTheLengthsOfTheDomainNameSystem) {
  EXPECT_TRUE(normalise_domain(std::string(63, 'a') + ".com"));
  EXPECT_FALSE(normalise_domain(std::string(64, 'a') + ".com"));
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_TRUE(normalise_domain(longest + "a"));    // 253
  EXPECT_FALSE(normalise_domain(longest + "aa"));  // 254
}

}  // namespace
}  // namespace pandora
