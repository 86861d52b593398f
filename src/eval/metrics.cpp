#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"

namespace pandora {

double recall_at(std::size_t k, std::span<const std::string> wanted, std::span<const std::string> found) {
  const auto first = found.first(std::min(k, found.size()));
  const auto hits =
      std::ranges::count_if(wanted, [&](const auto& id) { return std::ranges::find(first, id) != first.end(); });
  return static_cast<double>(hits) / static_cast<double>(wanted.size());
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, values.size()) - 1);
  std::ranges::nth_element(values, at);
  return *at;
}

double mean(std::span<const double> values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Interval mean_interval(std::span<const double> values) {
  if (values.empty()) return {};
  SeededRandom random(kResampleSeed);
  std::vector<double> means;
  for (int i = 0; i < kResamples; ++i) {
    double sum = 0;
    for (std::size_t n = 0; n < values.size(); ++n) sum += values[random.below(values.size())];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return {percentile(means, 0.025), percentile(means, 0.975)};
}

}  // namespace pandora
