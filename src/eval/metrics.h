// How good retrieval was: recall at k, and how sure that figure is. Pure.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pandora {

// The share of `wanted` among the first k of `found` (Manning et al. 2008, 8.4). `wanted` is not empty, no repetition
// counts.
double recall_at(std::size_t k, std::span<const std::string> wanted, std::span<const std::string> found);

// Of `values` in any order, by the nearest rank; 0 when empty. share in [0, 1].
double percentile(std::vector<double> values, double share);

struct Interval {
  double low = 0, high = 0;
};
inline constexpr int kResamples = 2'000;
inline constexpr std::uint64_t kResampleSeed = 1;  // fixed: the same values give the same interval

double mean(std::span<const double> values);
// 95 % of the mean by the bootstrap (Efron 1979): kResamples draws with replacement, percentiles 2.5 and 97.5.
Interval mean_interval(std::span<const double> values);

}  // namespace pandora
