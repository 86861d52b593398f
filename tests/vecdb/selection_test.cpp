#include "vecdb/selection.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(Selection, keeps_exactly_what_could_be_among_the_best) {
  std::mt19937 random(17);
  std::uniform_real_distribution<float> value(0, 1);
  for (const std::size_t k : {1, 10, 300, 5'000}) {
    std::vector<Candidate> all;
    Selection best(k);
    for (std::uint32_t slot = 0; slot < 4'000; ++slot) {
      const float estimate = std::round(value(random) * 500) / 500;  // with ties
      all.push_back({estimate, estimate + value(random) / 10, slot});
      if (all.back().bound >= best.threshold()) best.offer(all.back());
    }
    const auto lower_bound = [](const Candidate& one) { return 2 * one.estimate - one.bound; };
    std::ranges::sort(all, std::greater<>(), lower_bound);
    const float kth = lower_bound(all[std::min(k, all.size()) - 1]);
    std::vector<std::uint32_t> expected, kept;
    for (const Candidate& one : all)
      if (k >= all.size() || one.bound >= kth) expected.push_back(one.slot);
    for (const Candidate& one : best.take()) kept.push_back(one.slot);
    std::ranges::sort(expected);
    std::ranges::sort(kept);
    EXPECT_EQ(kept, expected) << k;
  }
}

TEST(Selection, of_parts_is_a_selection_of_everything) {
  const unsigned seed = 19;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  std::uniform_real_distribution<float> value(0, 1);
  Selection whole(20), merged(20);
  for (int part = 0; part < 5; ++part) {
    Selection one(20);
    for (std::uint32_t i = 0; i < (part == 2 ? 3 : 1'000); ++i) {
      const float estimate = value(random);
      const Candidate candidate{estimate, estimate + value(random) / 10, 1'000U * static_cast<unsigned>(part) + i};
      whole.offer(candidate);
      one.offer(candidate);
    }
    merged.merge(std::move(one));
  }
  EXPECT_EQ(merged.offered(), whole.offered());
  std::vector<std::uint32_t> expected, kept;
  for (const Candidate& one : whole.take()) expected.push_back(one.slot);
  for (const Candidate& one : merged.take()) kept.push_back(one.slot);
  std::ranges::sort(expected);
  std::ranges::sort(kept);
  EXPECT_EQ(kept, expected);
}

TEST(Selection, keeps_every_duplicate_of_the_last_one) {
  Selection best(3);
  for (std::uint32_t slot = 0; slot < 10'000; ++slot) best.offer({1, 1, slot});
  EXPECT_EQ(best.take().size(), 10'000u);
}

}  // namespace
}  // namespace pandora
