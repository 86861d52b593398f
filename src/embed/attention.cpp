#include "embed/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

// One copy of a function for each kind of vector unit, chosen when the program is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define PANDORA_FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PANDORA_FOR_EACH_CPU
#endif
#define PANDORA_INLINE [[gnu::always_inline]] inline

namespace pandora {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kRows = 4;  // of queries at a time: eight accumulators keep two multipliers busy

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(std::uint32_t))));
using Halves = std::uint16_t __attribute__((vector_size(kLanes * sizeof(std::uint16_t))));

// From and to any address.
PANDORA_INLINE Floats load(const float* from) {
  Floats values;
  std::memcpy(&values, from, sizeof values);
  return values;
}
template <class Vector, class Value>
PANDORA_INLINE void store(Value* to, const Vector& values) {
  std::memcpy(to, &values, sizeof values);
}

constexpr std::size_t padded(std::size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

PANDORA_INLINE float sum_of(const Floats& values) {
  float sum = 0;
  for (std::size_t i = 0; i < kLanes; ++i) sum += values[i];
  return sum;
}
PANDORA_INLINE float most_of(const Floats& values) {
  float most = values[0];
  for (std::size_t i = 1; i < kLanes; ++i) most = std::max(most, values[i]);
  return most;
}

// e^x for x ≤ 0, to 2 units in the last place: 2^n · p(r), Cody and Waite's reduction, Cephes' polynomial.
PANDORA_INLINE void exponential(Floats& x) {
  constexpr float kLeast = -87.0F;             // below it the result is as good as 0
  constexpr float kToInteger = 12'582'912.0F;  // 1.5 · 2^23: adding it rounds to the nearest integer
  x = x < kLeast ? Floats{} + kLeast : x;
  const Floats shifted = x * 1.44269504F + kToInteger;
  const Floats n = shifted - kToInteger;
  const Floats r = x - n * 0.693359375F + n * 2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Ints exponent = (std::bit_cast<Ints>(shifted) - std::bit_cast<std::int32_t>(kToInteger) + 127) << 23;
  x = p * std::bit_cast<Floats>(exponent);
}

// scores[row][j] of kRows queries against every key. kt: [dimension][columns], columns a multiple of kLanes.
PANDORA_FOR_EACH_CPU
void scores_of(const float* q, std::size_t stride, const float* kt, std::size_t columns, std::size_t width,
               float* scores) {
  std::size_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    Floats sums[kRows][2] = {};
    for (std::size_t d = 0; d < width; ++d) {
      const Floats first = load(kt + d * columns + j), second = load(kt + d * columns + j + kLanes);
      for (std::size_t row = 0; row < kRows; ++row) {
        sums[row][0] += first * q[row * stride + d];
        sums[row][1] += second * q[row * stride + d];
      }
    }
    for (std::size_t row = 0; row < kRows; ++row) {
      store(scores + row * columns + j, sums[row][0]);
      store(scores + row * columns + j + kLanes, sums[row][1]);
    }
  }
  for (; j < columns; j += kLanes) {
    Floats sums[kRows] = {};
    for (std::size_t d = 0; d < width; ++d)
      for (std::size_t row = 0; row < kRows; ++row) sums[row] += load(kt + d * columns + j) * q[row * stride + d];
    for (std::size_t row = 0; row < kRows; ++row) store(scores + row * columns + j, sums[row]);
  }
}

// Each row of scores becomes e^(score − most); totals: what they sum to. Columns past `tokens` become as good as 0.
PANDORA_FOR_EACH_CPU
void exponentials(float* scores, std::size_t tokens, std::size_t columns, float* totals) {
  constexpr float kNothing = -1e30F;
  for (std::size_t row = 0; row < kRows; ++row, scores += columns) {
    std::fill(scores + tokens, scores + columns, kNothing);
    Floats most = load(scores);
    for (std::size_t j = kLanes; j < columns; j += kLanes) {
      const Floats next = load(scores + j);
      most = most < next ? next : most;
    }
    const float highest = most_of(most);
    Floats total = {};
    for (std::size_t j = 0; j < columns; j += kLanes) {
      Floats value = load(scores + j) - highest;
      exponential(value);
      store(scores + j, value);
      total += value;
    }
    totals[row] = sum_of(total);
  }
}

// out[row] = Σ weights[row][j] · v[j] / totals[row]. v: [token][room], room a multiple of kLanes.
PANDORA_FOR_EACH_CPU
void weighted_sums(const float* weights, std::size_t columns, const float* totals, const float* v, std::size_t tokens,
                   std::size_t room, float* out) {
  std::size_t d = 0;
  for (; d + 2 * kLanes <= room; d += 2 * kLanes) {
    Floats sums[kRows][2] = {};
    for (std::size_t j = 0; j < tokens; ++j) {
      const Floats first = load(v + j * room + d), second = load(v + j * room + d + kLanes);
      for (std::size_t row = 0; row < kRows; ++row) {
        sums[row][0] += first * weights[row * columns + j];
        sums[row][1] += second * weights[row * columns + j];
      }
    }
    for (std::size_t row = 0; row < kRows; ++row) {
      store(out + row * room + d, sums[row][0] / totals[row]);
      store(out + row * room + d + kLanes, sums[row][1] / totals[row]);
    }
  }
  for (; d < room; d += kLanes) {
    Floats sums[kRows] = {};
    for (std::size_t j = 0; j < tokens; ++j)
      for (std::size_t row = 0; row < kRows; ++row) sums[row] += load(v + j * room + d) * weights[row * columns + j];
    for (std::size_t row = 0; row < kRows; ++row) store(out + row * room + d, sums[row] / totals[row]);
  }
}

// kt[d][j] = k[j][d].
PANDORA_FOR_EACH_CPU
void transpose(const float* k, std::size_t stride, std::size_t tokens, std::size_t width, std::size_t columns,
               float* kt) {
  for (std::size_t d = 0; d < width; ++d) {
    float* row = kt + d * columns;
    for (std::size_t j = 0; j < tokens; ++j) row[j] = k[j * stride + d];
    std::fill(row + tokens, row + columns, 0.0F);
  }
}

PANDORA_FOR_EACH_CPU
void normalise_row(float* x, const float* add, std::size_t hidden, const float* gain, const float* bias) {
  constexpr float kEpsilon = 1e-12F;
  const std::size_t whole = hidden / kLanes * kLanes;
  Floats parts = {};
  float rest = 0;
  for (std::size_t d = 0; d < whole; d += kLanes) {
    if (add) store(x + d, load(x + d) + load(add + d));
    parts += load(x + d);
  }
  for (std::size_t d = whole; d < hidden; ++d) rest += add ? x[d] += add[d] : x[d];
  const float mean = (sum_of(parts) + rest) / static_cast<float>(hidden);
  parts = Floats{}, rest = 0;
  for (std::size_t d = 0; d < whole; d += kLanes) {
    const Floats off = load(x + d) - mean;
    parts += off * off;
  }
  for (std::size_t d = whole; d < hidden; ++d) rest += (x[d] - mean) * (x[d] - mean);
  const float scale = 1.0F / std::sqrt((sum_of(parts) + rest) / static_cast<float>(hidden) + kEpsilon);
  for (std::size_t d = 0; d < whole; d += kLanes)
    store(x + d, (load(x + d) - mean) * scale * load(gain + d) + load(bias + d));
  for (std::size_t d = whole; d < hidden; ++d) x[d] = (x[d] - mean) * scale * gain[d] + bias[d];
}

}  // namespace

void self_attention(const float* qkv, std::size_t tokens, std::size_t hidden, std::size_t heads, float* out,
                    std::vector<float>& scratch) {
  const std::size_t width = hidden / heads, stride = 3 * hidden;
  const std::size_t columns = padded(tokens), room = padded(width);
  // Transposed keys, values, scores, sums and, for the last rows, queries of one head.
  scratch.assign((width + kRows) * columns + (tokens + kRows) * room + kRows * width, 0.0F);
  float* kt = scratch.data();
  float* values = kt + width * columns;
  float* scores = values + tokens * room;
  float* sums = scores + kRows * columns;
  float* last = sums + kRows * room;
  for (std::size_t head = 0; head < heads; ++head) {
    const float* q = qkv + head * width;
    const float* k = q + hidden;
    const float* v = k + hidden;
    transpose(k, stride, tokens, width, columns, kt);
    for (std::size_t j = 0; j < tokens; ++j) std::memcpy(values + j * room, v + j * stride, width * sizeof(float));
    for (std::size_t i = 0; i < tokens; i += kRows) {
      const std::size_t rows = std::min(kRows, tokens - i);
      const float* queries = q + i * stride;
      std::size_t step = stride;
      if (rows < kRows) {  // there may be no row behind the last
        for (std::size_t row = 0; row < rows; ++row)
          std::memcpy(last + row * width, queries + row * stride, width * sizeof(float));
        queries = last, step = width;
      }
      float totals[kRows];
      scores_of(queries, step, kt, columns, width, scores);
      exponentials(scores, tokens, columns, totals);
      weighted_sums(scores, columns, totals, values, tokens, room, sums);
      for (std::size_t row = 0; row < rows; ++row)
        std::memcpy(out + (i + row) * hidden + head * width, sums + row * room, width * sizeof(float));
    }
  }
}

void add_and_normalise(float* x, const float* add, std::size_t rows, std::size_t hidden, const float* gain,
                       const float* bias) {
  for (std::size_t i = 0; i < rows; ++i, x += hidden)
    normalise_row(x, add ? add + i * hidden : nullptr, hidden, gain, bias);
}

PANDORA_FOR_EACH_CPU
void round_to_bf16(const float* values, std::size_t count, std::uint16_t* out) {
  constexpr std::uint32_t kHalf = 0x7FFF;  // a little less than half of what the lower bits can hold
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Words bits = std::bit_cast<Words>(load(values + i));
    store(out + i, __builtin_convertvector((bits + kHalf + ((bits >> 16) & 1)) >> 16, Halves));
  }
  for (; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    out[i] = static_cast<std::uint16_t>((bits + kHalf + ((bits >> 16) & 1)) >> 16);
  }
}

}  // namespace pandora
