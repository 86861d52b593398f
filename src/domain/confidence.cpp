#include "domain/confidence.h"

#include <algorithm>
#include <cmath>

namespace pandora {

DecayRule decay_rule(ContentType type) {
  switch (type) {
    case ContentType::kAvailability:
      return {0.20, 0.10};
    case ContentType::kPrice:
      return {0.10, 0.20};
    case ContentType::kProductSpec:
      return {0.03, 0.50};
    case ContentType::kVendor:
      return {0.02, 0.60};
    case ContentType::kStrategy:
      return {0.02, 0.50};
    case ContentType::kSitePattern:
      return {0.01, 0.70};
    case ContentType::kPreference:
      return {0.005, 0.80};
    case ContentType::kGeneralFact:
      return {0.005, 0.80};
    case ContentType::kOther:
      return {0.02, 0.30};
  }
  return {0.02, 0.30};
}

double decayed_confidence(double c0, ContentType type, Duration age) {
  if (age <= Duration::zero()) return c0;
  const DecayRule rule = decay_rule(type);
  const double days = static_cast<double>(age.count()) / 86'400e6;
  return std::min(c0, rule.floor + (c0 - rule.floor) * std::exp(-rule.lambda_per_day * days));
}

}  // namespace pandora
