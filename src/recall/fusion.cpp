#include "recall/fusion.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace pandora {
namespace {

struct Scale {
  double mean = 0, deviation = 1, last = 0;
  double z(double score) const { return (score - mean) / deviation; }
};

Scale scale_of(std::span<const ScoredPoint> leg) {
  Scale scale;
  if (leg.empty()) return scale;
  double sum = 0, squares = 0;
  for (const auto& point : leg) sum += point.score;
  scale.mean = sum / static_cast<double>(leg.size());
  for (const auto& point : leg) squares += (point.score - scale.mean) * (point.score - scale.mean);
  scale.deviation = std::sqrt(squares / static_cast<double>(leg.size())) + 1e-9;
  scale.last = leg.back().score;
  return scale;
}

}  // namespace

std::vector<Candidate> fuse(std::span<const ScoredPoint> dense, std::span<const ScoredPoint> lexical) {
  std::vector<Candidate> candidates;
  std::unordered_map<Uuid, std::size_t> at;
  const auto slot = [&](const ScoredPoint& point) -> Candidate& {
    const auto [entry, added] = at.try_emplace(point.id, candidates.size());
    if (added) candidates.push_back({point.id, 0, 0, 0, point.payload});
    return candidates[entry->second];
  };
  const Scale dense_scale = scale_of(dense), lexical_scale = scale_of(lexical);
  std::vector<char> has_dense, has_lexical;
  for (const auto& point : dense) slot(point).dense = point.score;
  for (const auto& point : lexical) slot(point).lexical = point.score;
  has_dense.resize(candidates.size());
  has_lexical.resize(candidates.size());
  for (const auto& point : dense) has_dense[at[point.id]] = 1;
  for (const auto& point : lexical) has_lexical[at[point.id]] = 1;

  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (!dense.empty())
      candidate.score += dense_scale.z(has_dense[i] ? candidate.dense : dense_scale.last);
    if (!lexical.empty())
      candidate.score += lexical_scale.z(has_lexical[i] ? candidate.lexical : lexical_scale.last);
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  return candidates;
}

}  // namespace pandora
