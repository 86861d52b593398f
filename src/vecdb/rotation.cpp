#include "vecdb/rotation.h"

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "vecdb/kernels.h"

namespace pandora {
namespace {

constexpr std::uint64_t kSeed = 0x70616e646f7261;  // any; a new one means new codes

}  // namespace

Rotation::Rotation(std::size_t dimension) : dimension_(dimension) {
  constexpr float kUnit = 0.08838834764831845F;  // 1/√128
  const std::size_t padded = (dimension + kBlock - 1) / kBlock * kBlock;
  SeededRandom random(kSeed);
  for (std::size_t round = 0; round < kRounds; ++round) {
    auto& order = order_[round];
    order.resize(padded);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = padded; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (std::size_t i = 0; i < padded; ++i) sign_[round].push_back(random.next() & 1 ? kUnit : -kUnit);
  }
}

void Rotation::apply(const float* in, float* out) const {
  const auto hadamard = best_kernels().hadamard;
  std::vector<float> from(padded());
  std::copy_n(in, dimension_, from.begin());
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < padded(); ++i) out[i] = from[order_[round][i]] * sign_[round][i];
    for (std::size_t block = 0; block < padded(); block += kBlock) hadamard(out + block);
    std::copy_n(out, padded(), from.begin());
  }
}

}  // namespace pandora
