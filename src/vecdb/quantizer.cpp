#include "vecdb/quantizer.h"

#include <algorithm>
#include <cmath>

namespace pandora {
namespace {

constexpr float kNothing =
    1e-30F;  // a vector without a larger value counts as zero: its step would not be a normal number

struct TwoBits {
  float step = 0;
  double scale = 0, cosine = -1;
};
// Levels ±½ within `step` of zero, ±1½ beyond.
TwoBits try_step(const float* x, std::size_t n, float step, double all, double square) {
  float beyond = 0;
  int count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    const bool large = magnitude >= step;
    beyond += large ? magnitude : 0.0F;
    count += large;
  }
  const double product = 0.5 * all + static_cast<double>(beyond);
  const double length = 0.25 * static_cast<double>(n) + 2.0 * count;
  return {step, square / product, product / std::sqrt(length)};
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
  TwoBits best;
  for (const double factor : {0.85, 0.9957, 1.14}) {
    const TwoBits tried = try_step(x, n, static_cast<float>(deviation * factor), all, square);
    if (tried.cosine > best.cosine) best = tried;
  }
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
  double square = 0;
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    square += static_cast<double>(x[i]) * x[i];
    largest = std::max(largest, std::fabs(x[i]));
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
  // κ = |l(c)|/√n · sin(x, l(c)). For the signs of normal values ½·√(1 − 2/π); for the best two bits 0.942·0.345; eight
  // bits have the error of rounding, 1/√12, and beside it that of the query's bytes, whose step is `unit`, against a
  // code whose values have a deviation of at most kByteSpread.
  constexpr double kKappa1 = 0.3014, kKappa2 = 0.325, kByteSpread = 64;
  const double norm = std::max(std::sqrt(square), least_norm);
  const double of_query = kByteSpread * static_cast<double>(query.unit) * std::sqrt(static_cast<double>(n));
  query.slack1 = static_cast<float>(kSigmas * kKappa1 * norm);
  query.slack2 = static_cast<float>(kSigmas * kKappa2 * norm);
  query.slack8 = static_cast<float>(kSigmas * std::sqrt((norm * norm + of_query * of_query) / 12));
  return query;
}

}  // namespace pandora
