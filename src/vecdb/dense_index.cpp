#include "vecdb/dense_index.h"

#include <algorithm>
#include <array>

namespace pandora {

bool better(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; }

void TopHits::offer(const Hit& hit) {
  if (k_ == 0) return;
  if (hits_.size() == k_) {
    if (!better(hit, hits_.front())) return;
    std::ranges::pop_heap(hits_, better);
    hits_.pop_back();
  }
  hits_.push_back(hit);
  std::ranges::push_heap(hits_, better);
}

std::vector<Hit> TopHits::take() {
  std::ranges::sort(hits_, better);
  return std::move(hits_);
}

float dot(const float* a, const float* b, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sum{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  for (std::size_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * b[i];
  for (std::size_t width = kLanes / 2; width > 0; width /= 2)
    for (std::size_t lane = 0; lane < width; ++lane) sum[lane] += sum[lane + width];
  return sum[0];
}

void DenseIndex::put(Slot slot, const Uuid& id, std::span<const float> vector) {
  if (slot >= present_.size()) {
    present_.resize(slot + 1);
    ids_.resize(slot + 1);
    data_.resize((slot + 1) * dimension_);
  }
  std::ranges::copy(vector, data_.begin() + static_cast<std::ptrdiff_t>(slot * dimension_));
  ids_[slot] = id;
  present_[slot] = 1;
}

void DenseIndex::remove(Slot slot) {
  if (has(slot)) present_[slot] = 0;
}

Result<std::vector<Hit>> DenseIndex::search(std::span<const float> query, std::size_t k, const SlotFilter& filter, const Deadline& deadline) const {
  constexpr Slot kLookEvery = 4096;  // slots between two looks at the clock
  TopHits best(k);
  for (Slot slot = 0; slot < present_.size(); ++slot) {
    if (slot % kLookEvery == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    if (!present_[slot] || (filter && !filter(slot))) continue;
    const float score = dot(query.data(), data_.data() + slot * dimension_, dimension_);
    if (best.wants(score)) best.offer({slot, ids_[slot], score});
  }
  return best.take();
}

}  // namespace pandora
