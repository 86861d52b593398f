#include "eval/metrics.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(Metrics, RecallIsTheShareOfWhatIsWantedAmongTheFirstK) {
  const std::vector<std::string> wanted = {"a", "b"}, found = {"x", "a", "y", "b"};
  EXPECT_EQ(recall_at(1, wanted, found), 0);
  EXPECT_EQ(recall_at(2, wanted, found), 0.5);
  EXPECT_EQ(recall_at(4, wanted, found), 1);
  EXPECT_EQ(recall_at(9, wanted, found), 1);
  EXPECT_EQ(recall_at(5, wanted, {}), 0);
}

TEST(Metrics, PercentilesAreByTheNearestRank) {
  EXPECT_EQ(percentile({}, 0.5), 0);
  EXPECT_EQ(percentile({7}, 0.95), 7);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.5), 2);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.51), 3);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 1), 4);
}

TEST(Metrics, AnIntervalHoldsTheMeanIsTheSameEachTimeAndNarrowsWithMoreValues) {
  std::vector<double> few, many;
  for (int i = 0; i < 20; ++i) few.push_back(i % 2);
  for (int i = 0; i < 2'000; ++i) many.push_back(i % 2);
  const Interval wide = mean_interval(few), narrow = mean_interval(many), again = mean_interval(few);
  EXPECT_LT(wide.low, 0.5);
  EXPECT_GT(wide.high, 0.5);
  EXPECT_LT(narrow.high - narrow.low, (wide.high - wide.low) / 5);
  EXPECT_EQ(wide.low, again.low);
  EXPECT_EQ(wide.high, again.high);
  EXPECT_EQ(mean({}), 0);
  EXPECT_EQ(mean_interval({}).high, 0);
}

}  // namespace
}  // namespace pandora
