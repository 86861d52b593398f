// A fixed random rotation, so that every dimension of a vector carries about the same.
//
// Codes of a few bits spend the same on every dimension; embeddings do not. Three rounds of sign flips, a permutation
// and Hadamard transforms of 128 spread each component over all (Ailon & Chazelle 2006, "fast Johnson–Lindenstrauss");
// dot products stay. A dimension that is no multiple of 128 is padded with zeros to the next one. The rotation depends
// on the dimension alone and its sums have one fixed order: the same codes on every machine.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pandora {

class Rotation {
 public:
  static constexpr std::size_t kBlock = 128;

  explicit Rotation(std::size_t dimension);
  std::size_t dimension() const { return dimension_; }
  std::size_t padded() const { return order_[0].size(); }
  static constexpr std::size_t padded(std::size_t dimension) { return (dimension + kBlock - 1) / kBlock * kBlock; }
  // out: padded() values; `in`: dimension().
  void apply(const float* in, float* out) const;

 private:
  static constexpr std::size_t kRounds = 3;
  std::size_t dimension_;
  std::array<std::vector<std::uint32_t>, kRounds> order_;
  std::array<std::vector<float>, kRounds> sign_;  // ± 1/√128
};

}  // namespace pandora
