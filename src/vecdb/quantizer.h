// Codes of 1, 2 and 8 bits for rotated vectors, and how wrong a dot product of a code may be.
//
// A value x becomes the code c whose level l(c) = c − (2^bits − 1)/2 is near x/step; the dot product with q is then
// scale · Σ l(cᵢ)·qᵢ with scale = |x|²/⟨x, l⟩, which is right on average (Gao & Long 2024, "RaBitQ"). One bit: the
// sign. Two bits: the step, of a few tried, whose code points most nearly the same way; their high bit is the one-bit
// code. Eight bits: the step that lets the largest value just fit; their upper half, with 7.5 for the other, is a code
// of four.
//
// The error of such a product spreads like a normal distribution with σ = κ · scale · |q|, κ of the code alone (the
// rotation makes all vectors alike). A search keeps whatever could still be among the best within kSigmas of that.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pandora {

inline constexpr double kSigmas = 3;
// Of the codes whose own k-th best says what may be dropped: there the largest of many errors counts, not one.
inline constexpr double kSigmasOfMany = 4;
// The signs of so many dimensions alone, of a vector of several times as many, are the coarsest code: after the
// rotation any of them are as good a sample. What it drops is looked at by no other code, so its bound is wider.
inline constexpr std::size_t kCoarseDimensions = 160;
inline constexpr double kCoarseSigmas = 3.5;

struct VectorCode {
  std::vector<std::uint8_t> two_bits;  // 0 to 3, one a dimension
  std::vector<std::uint8_t> byte;      // 0 to 255
  float scale1 = 0, scale2 = 0, scale8 = 0;
};
// `code` is written over; its vectors are reused.
void encode(const float* rotated, std::size_t n, VectorCode& code);

// A rotated query as signed bytes: q ≈ unit · code.
struct QueryCode {
  std::vector<std::int8_t> code;  // −127 to 127
  float unit = 0;
  float sum = 0;                             // of the codes, for the centre of the levels
  double norm = 0;                           // |q|, or the least that is taken for it
  float slack2 = 0, slack8 = 0, slack4 = 0;  // kSigmas · κ · norm: times scale2 or scale8 it bounds a product's error
};
// `least_norm` bounds |q| from below where it makes the slack: rounding stays within it.
QueryCode encode_query(const float* rotated, std::size_t n, double least_norm);

// The same query of fewer values, as one-bit codes are multiplied with: kNarrowSum (kernels.h).
struct NarrowCode {
  std::vector<std::int8_t> code;
  float unit = 0;
  float sum = 0, coarse_sum = 0;      // of the codes; of the first kCoarseDimensions
  float slack = 0, coarse_slack = 0;  // times scale1: of all dimensions, of those
};
NarrowCode encode_narrowly(const float* rotated, std::size_t n, double norm);

}  // namespace pandora
