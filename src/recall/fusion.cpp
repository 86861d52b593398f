#include "recall/fusion.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace pandora {
namespace {

class Scale {
 public:
  explicit Scale(std::vector<float> leg) : empty_(leg.empty()) {
    if (empty_) return;
    std::ranges::sort(leg, std::greater());  // sums of floats depend on their order
    double sum = 0, squares = 0;
    for (const double score : leg) sum += score;
    mean_ = sum / static_cast<double>(leg.size());
    for (const double score : leg) squares += (score - mean_) * (score - mean_);
    deviation_ = std::sqrt(squares / static_cast<double>(leg.size())) + 1e-9;
    last_ = leg.back();
  }
  double z(const std::optional<float>& score) const {
    return empty_ ? 0 : (static_cast<double>(score.value_or(last_)) - mean_) / deviation_;
  }

 private:
  bool empty_;
  float last_ = 0;
  double mean_ = 0, deviation_ = 1;
};

Scale scale_of(std::span<const RecallCandidate> candidates, std::optional<float> RecallCandidate::* leg) {
  std::vector<float> scores;
  for (const auto& candidate : candidates)
    if (candidate.*leg) scores.push_back(*(candidate.*leg));
  return Scale(std::move(scores));
}

}  // namespace

std::vector<FusedScore> fuse(std::span<const RecallCandidate> candidates) {
  const Scale dense = scale_of(candidates, &RecallCandidate::dense);
  const Scale lexical = scale_of(candidates, &RecallCandidate::lexical);
  std::vector<FusedScore> scores;
  scores.reserve(candidates.size());
  for (const auto& candidate : candidates) scores.push_back({dense.z(candidate.dense), lexical.z(candidate.lexical)});
  return scores;
}

}  // namespace pandora
