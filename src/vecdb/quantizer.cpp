#include "vecdb/quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

constexpr float kNothing =
    1e-30F;  // a vector without a larger value counts as zero: its step would not be a normal number

struct TwoBits {
  float step = 0;
  double scale = 0, cosine = -1;
};
// Levels ±½ within a step of zero, ±1½ beyond; the best of three steps. All in one pass: each sum waits for its last
// addition, so three of them cost what one does.
TwoBits best_step(const float* x, std::size_t n, const std::array<float, 3>& steps, double all, double square) {
  std::array<float, 3> beyond{};
  std::array<int, 3> count{};
  for (std::size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const bool large = magnitude >= steps[s];
      beyond[s] += large ? magnitude : 0.0F;
      count[s] += large;
    }
  }
  TwoBits best;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const double product = 0.5 * all + static_cast<double>(beyond[s]);
    const double length = 0.25 * static_cast<double>(n) + 2.0 * count[s];
    const TwoBits tried{steps[s], square / product, product / std::sqrt(length)};
    if (tried.cosine > best.cosine) best = tried;
  }
  return best;
}

}  // namespace

void encode(const float* x, std::size_t n, VectorCode& code) {
  code.two_bits.assign(n, 0);
  code.byte.assign(n, 0);
  code.scale1 = code.scale2 = code.scale8 = 0;
  double square = 0, all = 0;
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    square += static_cast<double>(x[i]) * x[i];
    all += std::fabs(x[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (largest < kNothing) return;

  // 0.9957 σ is the best step for a normal distribution (Max 1960); real vectors are near it, not on it.
  const double deviation = std::sqrt(square / static_cast<double>(n));
  const TwoBits best = best_step(x, n,
                                 {static_cast<float>(deviation * 0.85), static_cast<float>(deviation * 0.9957),
                                  static_cast<float>(deviation * 1.14)},
                                 all, square);
  const float inverse = 127.5F / largest;
  double product8 = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const bool positive = x[i] >= 0, large = std::fabs(x[i]) >= best.step;
    code.two_bits[i] = static_cast<std::uint8_t>(2 * positive + (large == positive));
    const int byte = std::clamp(static_cast<int>(x[i] * inverse + 128.0F), 0, 255);
    code.byte[i] = static_cast<std::uint8_t>(byte);
    product8 += (byte - 127.5) * static_cast<double>(x[i]);
  }
  code.scale1 = static_cast<float>(square / (0.5 * all));
  code.scale2 = static_cast<float>(best.scale);
  code.scale8 = static_cast<float>(square / product8);
}

QueryCode encode_query(const float* x, std::size_t n, double least_norm) {
  QueryCode query;
  query.code.assign(n, 0);
  std::array<double, 4> squares{};  // n is a multiple of so many; one sum would wait for each of its additions
  float largest = 0;
  for (std::size_t i = 0; i < n; i += squares.size())
    for (std::size_t lane = 0; lane < squares.size(); ++lane) {
      squares[lane] += static_cast<double>(x[i + lane]) * x[i + lane];
      largest = std::max(largest, std::fabs(x[i + lane]));
    }
  if (largest >= kNothing) {
    const float inverse = 127.0F / largest;
    int sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const int value = static_cast<int>(x[i] * inverse + 128.5F) - 128;
      query.code[i] = static_cast<std::int8_t>(value);
      sum += value;
    }
    query.unit = largest / 127.0F;
    query.sum = static_cast<float>(sum);
  }
  // κ = |l(c)|/√n · sin(x, l(c)). For the best two bits of normal values 0.942·0.345; eight bits have the error of
  // rounding, 1/√12, and beside it that of the query's bytes, whose step is `unit`, against a code whose values have a
  // deviation of at most kByteSpread. Four bits round sixteen times as coarsely.
  constexpr double kKappa2 = 0.325, kByteSpread = 64;
  query.norm = std::max(std::sqrt((squares[0] + squares[1]) + (squares[2] + squares[3])), least_norm);
  const double of_code = query.norm * query.norm;
  const double of_query = kByteSpread * static_cast<double>(query.unit) * std::sqrt(static_cast<double>(n));
  query.slack2 = static_cast<float>(kSigmas * kKappa2 * query.norm);
  query.slack8 = static_cast<float>(kSigmasOfMany * std::sqrt((of_code + of_query * of_query) / 12));
  query.slack4 = static_cast<float>(kSigmas * std::sqrt((256 * of_code + of_query * of_query) / 12));
  return query;
}

NarrowCode encode_narrowly(const float* x, std::size_t n, double norm) {
  constexpr std::size_t kStride = 4,
                        kFour = 16;  // dimensions whose signs stand in half a byte: z, z + 4, z + 8, z + 12
  constexpr float kRounding = 2;     // what four values may gain by it
  NarrowCode narrow;
  narrow.code.assign(n, 0);
  float most = 0;  // that the amounts of four add up to: theirs is the unit
  for (std::size_t first = 0; first < n; first += kFour)
    for (std::size_t z = first; z < first + kStride; ++z)
      most = std::max(most, std::fabs(x[z]) + std::fabs(x[z + kStride]) + std::fabs(x[z + 2 * kStride]) +
                                std::fabs(x[z + 3 * kStride]));
  if (most >= kNothing) {
    const float inverse = (kNarrowSum - kRounding) / most;
    int sum = 0, coarse_sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const int value = static_cast<int>(x[i] * inverse + 128.5F) - 128;
      narrow.code[i] = static_cast<std::int8_t>(value);
      sum += value;
      if (i < kCoarseDimensions) coarse_sum += value;
    }
    narrow.unit = 1 / inverse;
    narrow.sum = static_cast<float>(sum);
    narrow.coarse_sum = static_cast<float>(coarse_sum);
  }
  // As in encode_query; of the signs of normal values κ is ½·√(1 − 2/π). Narrow values have an error of rounding, too:
  // 1/√12 of their unit each, times levels of ½.
  constexpr double kKappa1 = 0.3014;
  const double of_narrow = static_cast<double>(narrow.unit) * narrow.unit * static_cast<double>(n) / 48;
  narrow.slack = static_cast<float>(kSigmas * std::sqrt(kKappa1 * kKappa1 * norm * norm + of_narrow));
  // Of the signs of m dimensions, times n/m: κ = ½·√(2/π)·√(π/2·n/m − 1), at m = n the κ of one bit. It covers as well
  // that the m carry more or less than their share of the vector.
  const double share = static_cast<double>(n) / kCoarseDimensions;
  const double kappa_square = std::max(0.0, std::numbers::pi / 2 * share - 1) / (2 * std::numbers::pi);
  narrow.coarse_slack = static_cast<float>(kCoarseSigmas * std::sqrt(kappa_square * norm * norm + of_narrow * share));
  return narrow;
}

}  // namespace pandora
