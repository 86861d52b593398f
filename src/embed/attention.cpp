#include "embed/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

// The loops run over columns, never reduce across them, and multiply-adds are not contracted: the width of the vector
// unit does not change a result.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define PANDORA_FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PANDORA_FOR_EACH_CPU
#endif

namespace pandora {
namespace {

// e^x for x ≤ 0, to 2 units in the last place: 2^n · p(r), Cody and Waite's reduction, Cephes' polynomial.
inline float fast_exp(float x) {
  x = x < -87.0F ? -87.0F : x;
  const float n = std::nearbyint(x * 1.44269504F);
  const float r = x - n * 0.693359375F + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

// Scores of one query against every key (transposed: kt[dimension][token]).
PANDORA_FOR_EACH_CPU
void scores_of(const float* q, const float* kt, std::size_t tokens, std::size_t width, float* scores) {
  std::fill(scores, scores + tokens, 0.0F);
  for (std::size_t d = 0; d < width; ++d) {
    const float value = q[d];
    const float* row = kt + d * tokens;
    for (std::size_t j = 0; j < tokens; ++j) scores[j] += value * row[j];
  }
}

PANDORA_FOR_EACH_CPU
void exponentials(float* scores, std::size_t tokens, float most) {
  for (std::size_t j = 0; j < tokens; ++j) scores[j] = fast_exp(scores[j] - most);
}

PANDORA_FOR_EACH_CPU
void weighted_sum(const float* weights, const float* v, std::size_t tokens, std::size_t stride, std::size_t width,
                  float scale, float* out) {
  std::fill(out, out + width, 0.0F);
  for (std::size_t j = 0; j < tokens; ++j) {
    const float weight = weights[j] * scale;
    const float* row = v + j * stride;
    for (std::size_t d = 0; d < width; ++d) out[d] += weight * row[d];
  }
}

}  // namespace

void self_attention(const float* qkv, std::size_t tokens, std::size_t hidden, std::size_t heads, float* out,
                    std::vector<float>& scratch) {
  const std::size_t width = hidden / heads, stride = 3 * hidden;
  scratch.resize(width * tokens + tokens);
  float* kt = scratch.data();
  float* scores = kt + width * tokens;
  for (std::size_t head = 0; head < heads; ++head) {
    const float* q = qkv + head * width;
    const float* k = q + hidden;
    const float* v = k + hidden;
    for (std::size_t j = 0; j < tokens; ++j)
      for (std::size_t d = 0; d < width; ++d) kt[d * tokens + j] = k[j * stride + d];
    for (std::size_t i = 0; i < tokens; ++i) {
      scores_of(q + i * stride, kt, tokens, width, scores);
      exponentials(scores, tokens, *std::max_element(scores, scores + tokens));
      float sum = 0;
      for (std::size_t j = 0; j < tokens; ++j) sum += scores[j];
      weighted_sum(scores, v, tokens, stride, width, 1.0F / sum, out + i * hidden + head * width);
    }
  }
}

void add_and_normalise(float* x, const float* add, std::size_t rows, std::size_t hidden, const float* gain,
                       const float* bias) {
  constexpr float kEpsilon = 1e-12F;
  const auto n = static_cast<float>(hidden);
  for (std::size_t i = 0; i < rows; ++i, x += hidden) {
    if (add)
      for (std::size_t d = 0; d < hidden; ++d) x[d] += add[i * hidden + d];
    float sum = 0, squares = 0;
    for (std::size_t d = 0; d < hidden; ++d) sum += x[d];
    const float mean = sum / n;
    for (std::size_t d = 0; d < hidden; ++d) squares += (x[d] - mean) * (x[d] - mean);
    const float scale = 1.0F / std::sqrt(squares / n + kEpsilon);
    for (std::size_t d = 0; d < hidden; ++d) x[d] = (x[d] - mean) * scale * gain[d] + bias[d];
  }
}

}  // namespace pandora
