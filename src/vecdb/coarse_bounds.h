// What a part of each code says of a range of slots: a bound for each block of 16, above what any of them reaches.
// Internal to vecdb.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "vecdb/kernels.h"

namespace pandora {

class CoarseBounds {
 public:
  static constexpr std::size_t kNone = ~std::size_t{0};

  // `first` and `count`: multiples of 64.
  CoarseBounds(std::size_t first, std::size_t count)
      : first_(first), bounds_(count / CodeBlocks::kSlots, -std::numeric_limits<float>::infinity()) {}
  float* of(std::size_t slot) { return bounds_.data() + (slot - first_) / CodeBlocks::kSlots; }
  std::size_t size() const { return bounds_.size(); }  // blocks
  std::size_t count_reaching(float least) const {
    return static_cast<std::size_t>(std::ranges::count_if(bounds_, [&](float bound) { return bound >= least; }));
  }
  // One bit a slot, 64 from `slot` on: those of blocks with a bound of at least `least`.
  std::uint64_t reaching(std::size_t slot, float least) const {
    const float* bound = bounds_.data() + (slot - first_) / CodeBlocks::kSlots;
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 4; ++i)
      bits |= static_cast<std::uint64_t>(bound[i] >= least ? 0xffff : 0) << (CodeBlocks::kSlots * i);
    return bits;
  }

 private:
  std::size_t first_;
  std::vector<float> bounds_;
};

}  // namespace pandora
