// How confidence ages, and what a source does to it. Pure functions; figures: docs/rules.md.
#pragma once
#include "base/clock.h"
#include "domain/research.h"

namespace pandora {

// Below this an item is left out of §2.
inline constexpr double kMinConfidence = 0.30;

struct DecayRule {
  double lambda_per_day;
  double floor;
};
DecayRule decay_rule(ContentType type);

// floor + (c0 − floor)·e^(−λ·d), and never above c0; c0 below the floor stays c0. A negative age (a clock that jumped
// back) counts as 0.
double decayed_confidence(double c0, ContentType type, Duration age);

}  // namespace pandora
