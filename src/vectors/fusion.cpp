#include "vectors/fusion.h"

#include <cmath>
#include <unordered_map>

namespace pandora::qdrant {
namespace {

class Sums {
 public:
  void add(const Ranked& one, float score) {
    const auto [place, added] = at_.try_emplace(one.slot, sums_.size());
    if (added) sums_.push_back({one.slot, 0, one.order});
    sums_[place->second].score += score;
  }
  std::vector<Ranked> take() { return std::move(sums_); }

 private:
  std::unordered_map<Slot, std::size_t> at_;
  std::vector<Ranked> sums_;
};

}  // namespace

float reciprocal_rank(float rank, float weight, float k) { return weight > 0 ? 1 / (rank / weight + k - 1) : 0; }

std::vector<Ranked> fuse(const std::vector<std::vector<Ranked>>& lists, const RankFusion& fusion) {
  Sums sums;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const float weight = fusion.weights ? fusion.weights->at(i) : 1;
    float rank = 0;
    for (const Ranked& one : lists[i]) sums.add(one, reciprocal_rank(++rank, weight, fusion.k));
  }
  return sums.take();
}

std::vector<Ranked> fuse(const std::vector<std::vector<Ranked>>& lists, const DistributionFusion&) {
  constexpr float kAlone = 0.5F;  // where nothing is distributed
  Sums sums;
  for (const auto& list : lists) {
    double mean = 0, square = 0;
    for (const Ranked& one : list) mean += one.score;
    mean /= static_cast<double>(list.size());
    for (const Ranked& one : list) square += (one.score - mean) * (one.score - mean);
    const double deviation = list.size() > 1 ? std::sqrt(square / static_cast<double>(list.size() - 1)) : 0;
    for (const Ranked& one : list)
      sums.add(one,
               deviation > 0 ? static_cast<float>((one.score - (mean - 3 * deviation)) / (6 * deviation)) : kAlone);
  }
  return sums.take();
}

}  // namespace pandora::qdrant
