// Observations: one row a turn, phase, tool call or model call, from which the five questions are answered (stats).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace pandora {

enum class ObservationKind { kTurn, kPhase, kTool, kModel, kSource };
std::string_view to_string(ObservationKind kind);
Result<ObservationKind> parse_observation_kind(std::string_view text);

struct Observation {
  Uuid turn_uid;
  ObservationKind kind = ObservationKind::kTurn;
  std::string name;  // "phase 2", "web.fetch", a model, a domain
  Timestamp at;
  std::int64_t micros = 0;  // how long it took
  std::int64_t tokens_in = 0, tokens_out = 0;
  bool ok = true;
  std::string detail;                // why it failed, what was decided; never user text
  std::optional<double> confidence;  // what was predicted (validation), for calibration
  bool operator==(const Observation&) const = default;
};

// Expected calibration error over pairs of (predicted confidence, was right), ten bins of equal width; below 0.10 is
// good. Guo et al. 2017, equation 3. 0 for no pairs.
struct CalibrationPair {
  double confidence;
  bool right;
};
double expected_calibration_error(const std::vector<CalibrationPair>& pairs);

}  // namespace pandora
