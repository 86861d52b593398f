#include "vectors/dense_space.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

constexpr std::size_t kLanes = 16;         // of a sum, so that its order is fixed and a processor can do many at once
constexpr std::size_t kEuclidSpare = 16;   // more candidates than asked for: their products are rounded
constexpr double kRounding = 0x1p-24;      // of a float, relative
constexpr std::size_t kScanAtOnce = 1024;  // slots between two looks at the clock
constexpr double kLengthTolerance = 1e-6;  // a squared length this near to one is left as it is

template <class Term>
float sum(std::span<const float> a, const float* b, Term term) {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(a[i + lane], b[i + lane]);
  for (std::size_t lane = 0; i + lane < a.size(); ++lane) sums[lane] += term(a[i + lane], b[i + lane]);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

float negative_manhattan(std::span<const float> a, const float* b) {
  return -sum(a, b, [](float x, float y) { return std::fabs(x - y); });
}
float negative_euclid(std::span<const float> a, const float* b) {
  return -std::sqrt(sum(a, b, [](float x, float y) { return (x - y) * (x - y); }));
}

// Whether no vector whose product with the query is at most `product`, as floats add it up, can be nearer than
// `distance`: one that is has the product (|q|² − d²)/2 and a length of at most |q| + d. Twice the rounding of a sum of
// such terms, for the distance is rounded as well.
bool all_are_farther(std::span<const float> query, double distance, double product) {
  double square = 0;
  for (const float value : query) square += static_cast<double>(value) * value;
  const double length = std::sqrt(square), far = length + distance;
  const double additions = static_cast<double>(query.size()) / kLanes + 6;
  return (square - distance * distance) / 2 - 2 * kRounding * additions * (length * far + far * far / 2) > product;
}

}  // namespace

Outcome<void> DenseSpace::check(const DenseInput& input, const DenseParams& params) {
  if (input.values.size() != params.size)
    return fail(
        wrong_input(fmt::format("Vector dimension error: expected dim: {}, got {}", params.size, input.values.size())));
  if (params.distance != Distance::kCosine && input.too_large)
    return fail(wrong_input(fmt::format("a component of a vector is beyond ±{:g}", kMaxVectorComponent)));
  return {};
}

Outcome<std::vector<float>> DenseSpace::prepare(const DenseInput& input, const DenseParams& params) {
  PANDORA_CHECK(check(input, params));
  std::vector<float> values = input.values;
  if (params.distance != Distance::kCosine) return values;
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * value;
  if (square < static_cast<double>(std::numeric_limits<float>::epsilon()) || std::fabs(square - 1) <= kLengthTolerance)
    return values;
  const double length = std::sqrt(square);
  for (float& value : values) value = static_cast<float>(value / length);
  return values;
}

std::size_t DenseSpace::indexed_size(const DenseParams& params) {
  return params.size + (params.distance == Distance::kEuclid ? 1 : 0);
}

void DenseSpace::extend(std::vector<float>& prepared, const DenseParams& params) {
  if (params.distance != Distance::kEuclid) return;
  double square = 0;
  for (const float value : prepared) square += static_cast<double>(value) * value;
  prepared.push_back(std::max(static_cast<float>(-square / 2), -kMaxComponent));
}

std::span<const float> DenseSpace::vector(Slot slot) const {
  const auto row = index_.dense(number_, slot);
  return row && !row->empty() ? row->first(params_.size) : std::span<const float>();
}

float DenseSpace::score(std::span<const float> query, Slot slot) const {
  const std::span<const float> stored = vector(slot);
  if (stored.empty()) return std::numeric_limits<float>::lowest();
  if (params_.distance == Distance::kManhattan) return negative_manhattan(query, stored.data());
  if (params_.distance == Distance::kEuclid) return negative_euclid(query, stored.data());
  return best_kernels().dot(query.data(), stored.data(), query.size());
}

Result<std::vector<Hit>> DenseSpace::search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                            const Deadline& deadline) const {
  k = std::min(k, index_.size());
  if (params_.distance == Distance::kManhattan) return scan(query, k, filter, deadline);
  if (params_.distance != Distance::kEuclid) return index_.nearest(number_, query, k, filter, deadline);
  if (k == 0) return std::vector<Hit>();
  std::vector<float> longer(query.begin(), query.end());
  longer.push_back(1);
  PANDORA_TRY(hits, index_.nearest(number_, longer, k + kEuclidSpare, filter, deadline));
  const bool is_all = hits.size() < k + kEuclidSpare;
  const double least_product = is_all ? 0 : hits.back().score;
  TopHits best(k);
  for (Hit& hit : hits) {
    hit.score = score(query, hit.slot);
    if (best.wants(hit.score)) best.offer(hit);
  }
  std::vector<Hit> nearest = best.take();
  if (is_all || all_are_farther(query, -nearest.back().score, least_product)) return nearest;
  return scan(query, k, filter, deadline);  // far from the origin products differ by less than their rounding
}

Result<std::vector<Hit>> DenseSpace::scan(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                          const Deadline& deadline) const {
  TopHits best(k);
  if (k == 0) return best.take();
  SlotSet slots = index_.with_dense(number_);
  if (filter) slots &= *filter;
  std::size_t seen = 0;
  Status in_time;
  slots.for_each([&](Slot slot) {
    if (seen++ % kScanAtOnce == 0 && in_time) in_time = deadline.check("searching");
    if (!in_time) return;
    const float score = this->score(query, slot);
    if (best.wants(score)) best.offer({slot, index_.id(slot), score});
  });
  PANDORA_CHECK(std::move(in_time));
  return best.take();
}

}  // namespace pandora::qdrant
