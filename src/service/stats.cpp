#include "service/stats.h"

#include <algorithm>

namespace pandora {
namespace {

std::int64_t percentile(const std::vector<std::int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(share * last + 0.5)];
}

template <class Series>
std::map<std::string, TimedGroup> grouped(std::map<std::string, Series>& series) {
  std::map<std::string, TimedGroup> groups;
  for (auto& [name, one] : series) {
    std::ranges::sort(one.micros);
    TimedGroup group{
        std::ssize(one.micros), one.failures,  0, percentile(one.micros, 0.5), percentile(one.micros, 0.95),
        one.tokens_in,          one.tokens_out};
    for (const auto micros : one.micros) group.total_micros += micros;
    groups[name] = group;
  }
  return groups;
}

}  // namespace

void StatsBuilder::add(const Observation& observation) {
  auto* series = observation.kind == ObservationKind::kPhase   ? &phases_
                 : observation.kind == ObservationKind::kTurn  ? &turns_
                 : observation.kind == ObservationKind::kTool  ? &tools_
                 : observation.kind == ObservationKind::kModel ? &models_
                                                               : nullptr;
  if (series) {
    (*series)[observation.name].micros.push_back(observation.micros);
    (*series)[observation.name].failures += observation.ok ? 0 : 1;
    (*series)[observation.name].tokens_in += observation.tokens_in;
    (*series)[observation.name].tokens_out += observation.tokens_out;
  }
  if (observation.confidence) predicted_[observation.turn_uid] = *observation.confidence;
  if (!observation.ok)
    stats_.failures.push_back({observation.turn_uid, observation.at, observation.name, observation.detail});
}

void StatsBuilder::add(const Turn& turn) {
  auto& [turns, quality] = days_[to_iso8601(turn.created_at).substr(0, 10)];
  ++turns;
  quality += turn.quality;
  // What the user thought of it is known once he went on from it or rejected it.
  const bool judged = turn.rejected || turn.quality >= kContinuedQuality;
  const auto predicted = predicted_.find(turn.uid);
  if (judged && predicted != predicted_.end()) pairs_.push_back({predicted->second, !turn.rejected});
}

Stats StatsBuilder::finish() {
  std::ranges::sort(stats_.failures, std::greater<>(), &FailedTurn::at);
  if (stats_.failures.size() > kMaxShownFailures) stats_.failures.resize(kMaxShownFailures);
  stats_.turns = grouped(turns_);
  stats_.phases = grouped(phases_);
  stats_.tools = grouped(tools_);
  stats_.models = grouped(models_);
  for (const auto& [day, sum] : days_)
    stats_.quality.push_back({day, sum.first, sum.second / static_cast<double>(sum.first)});
  stats_.calibration_error = expected_calibration_error(pairs_);
  stats_.calibration_pairs = std::ssize(pairs_);
  return std::move(stats_);
}

}  // namespace pandora
