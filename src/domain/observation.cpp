#include "domain/observation.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pandora {

double expected_calibration_error(const std::vector<CalibrationPair>& pairs) {
  constexpr std::size_t kBins = 10;
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::array<Bin, kBins> bins{};
  for (const auto& pair : pairs) {
    const double clamped = std::isnan(pair.confidence) ? 0 : std::clamp(pair.confidence, 0.0, 1.0);
    Bin& bin = bins[std::min(kBins - 1, static_cast<std::size_t>(clamped * kBins))];
    bin.confidence += clamped;
    bin.right += pair.right ? 1 : 0;
  }
  double error = 0;
  for (const Bin& bin : bins) error += std::abs(bin.confidence - bin.right);
  return pairs.empty() ? 0 : error / static_cast<double>(pairs.size());
}

}  // namespace pandora
