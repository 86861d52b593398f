// Exact nearest neighbours by dot product, over slots.
//
// A slot is a small number that its owner gives out and reuses. Vectors are f32 of one dimension; sums run in one fixed order
// (eight lanes, then pairwise), so a score is the same on every machine. Not thread-safe: guarded by its owner.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace pandora {

using Slot = std::uint32_t;

struct Hit {
  Slot slot = 0;
  Uuid id;
  float score = 0;
};
// Score descending, then id ascending.
bool better(const Hit& a, const Hit& b);

// The best k of what is offered, in order.
class TopHits {
 public:
  explicit TopHits(std::size_t k) : k_(k) {}
  bool wants(float score) const { return hits_.size() < k_ || (k_ > 0 && score >= hits_.front().score); }
  void offer(const Hit& hit);
  std::vector<Hit> take();

 private:
  std::size_t k_;
  std::vector<Hit> hits_;  // a heap, the worst in front
};

// True for the slots that count.
using SlotFilter = std::function<bool(Slot)>;

class DenseIndex {
 public:
  explicit DenseIndex(std::size_t dimension) : dimension_(dimension) {}
  void put(Slot slot, const Uuid& id, std::span<const float> vector);  // replaces
  void remove(Slot slot);
  bool has(Slot slot) const { return slot < present_.size() && present_[slot]; }
  std::span<const float> vector(Slot slot) const { return {data_.data() + slot * dimension_, dimension_}; }
  std::size_t dimension() const { return dimension_; }
  // kDeadlineExceeded when it takes too long. `filter` may be empty: every slot counts.
  Result<std::vector<Hit>> search(std::span<const float> query, std::size_t k, const SlotFilter& filter, const Deadline& deadline) const;

 private:
  std::size_t dimension_;
  std::vector<float> data_;
  std::vector<Uuid> ids_;
  std::vector<char> present_;
};

float dot(const float* a, const float* b, std::size_t n);

}  // namespace pandora
