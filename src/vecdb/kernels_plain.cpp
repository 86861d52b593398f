#include <limits>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

constexpr std::size_t kRow = CodeBlocks::kRow, kSlots = CodeBlocks::kSlots;

// Adds code·query of each slot of one block, of rows from `high` and `low` on.
template <bool kTwoBits>
void add_products(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t rows,
                  std::int32_t (&sums)[kSlots]) {
  for (std::size_t row = 0; row < rows; ++row)
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::int8_t* q = query + 4 * (8 * row + bit);
      for (std::size_t slot = 0; slot < kSlots; ++slot)
        for (std::size_t z = 0; z < 4; ++z) {
          int code = high[kRow * row + kSlots * z + slot] >> bit & 1;
          if constexpr (kTwoBits) code = 2 * code + (low[kRow * row + 4 * slot + z] >> (bit ^ 1) & 1);
          sums[slot] += code * q[z];
        }
    }
}

float from_bits(std::uint32_t bits) {
  float number;
  __builtin_memcpy(&number, &bits, sizeof number);
  return number;
}

unsigned wanted_of(const std::uint64_t* mask, std::size_t block) {
  return mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  std::size_t found = 0;
  const std::size_t coarse = blocks.coarse_rows(), rest = blocks.rows - coarse;
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    const unsigned wanted = wanted_of(mask, block);
    if (wanted == 0) continue;
    std::int32_t sums[kSlots] = {};
    const std::uint8_t* low = blocks.low + block * blocks.rows * kRow;
    add_products<kTwoBits>(blocks.coarse + block * blocks.coarse_bytes(), low, query.code, coarse, sums);
    add_products<kTwoBits>(blocks.high + block * rest * kRow, low + coarse * kRow, query.code + 32 * coarse, rest,
                           sums);
    for (std::size_t lane = 0; lane < kSlots; ++lane) {
      const std::size_t slot = block * kSlots + lane;
      const float product = (static_cast<float>(sums[lane]) - query.centre) * query.unit;
      const float estimate = product * blocks.scale[slot] + query.offset_weight * blocks.offset[slot];
      const float bound = estimate + query.slack * blocks.scale[slot];
      if ((wanted >> lane & 1) && bound >= threshold)
        out[found++] = {estimate, bound, base + static_cast<std::uint32_t>(slot)};
    }
  }
  return found;
}

std::size_t look(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask,
                 float threshold, std::uint32_t base, float* bounds, Candidate* out) {
  std::size_t found = 0;
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    bounds[block] = -std::numeric_limits<float>::infinity();
    const unsigned wanted = wanted_of(mask, block);
    if (wanted == 0) continue;
    std::int32_t sums[kSlots] = {};
    const std::uint8_t* coarse = blocks.coarse + block * blocks.coarse_bytes();
    add_products<false>(coarse, nullptr, query.code, rows, sums);
    std::uint32_t numbers_of[kSlots];
    __builtin_memcpy(numbers_of, coarse + blocks.coarse_rows() * kRow, sizeof numbers_of);
    for (std::size_t lane = 0; lane < kSlots; ++lane) {
      const std::size_t slot = block * kSlots + lane;
      const std::uint32_t numbers = numbers_of[lane];
      const float scale = from_bits(numbers & 0xffff'0000), offset = query.offset_weight * from_bits(numbers << 16);
      const float product = (static_cast<float>(sums[lane]) - query.centre) * query.unit;
      const float most = product + query.slack;
      const float bound = (most > 0 ? most : 0) * scale + offset;
      if (!(wanted >> lane & 1)) continue;
      if (bound > bounds[block]) bounds[block] = bound;
      if (bound >= threshold) out[found++] = {product * scale + offset, bound, base + static_cast<std::uint32_t>(slot)};
    }
  }
  return found;
}

std::int32_t sum_of_halves(const std::uint8_t* plane, const std::int8_t* query, std::size_t n) {
  constexpr std::size_t kPiece = HalfBytes::kPiece;
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; i += 2 * kPiece)
    for (std::size_t at = 0; at < kPiece; ++at) {
      const int halves = plane[i / 2 + at];
      sum += (halves & 0xf) * query[i + at] + (halves >> 4) * query[i + kPiece + at];
    }
  return sum;
}

void dot_high_halves(const std::uint8_t* const* high, std::size_t count, const std::int8_t* query, std::size_t n,
                     std::int32_t* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] = 16 * sum_of_halves(high[i], query, n);
}

std::int32_t dot_bytes(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t n) {
  return 16 * sum_of_halves(high, query, n) + sum_of_halves(low, query, n);
}

float dot(const float* a, const float* b, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  float sum[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  for (std::size_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * b[i];
  for (std::size_t width = kLanes / 2; width > 0; width /= 2)
    for (std::size_t lane = 0; lane < width; ++lane) sum[lane] += sum[lane + width];
  return sum[0];
}

void hadamard(float* x) {
  constexpr std::size_t kValues = 128;
  for (std::size_t half = 1; half < kValues; half *= 2)
    for (std::size_t start = 0; start < kValues; start += 2 * half)
      for (std::size_t i = start; i < start + half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
}

std::size_t count_common(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::size_t>(__builtin_popcountll(a[i] & b[i]));
  return sum;
}

}  // namespace

// Of a word two are put in any case: where few words have more, a processor guesses no branch wrongly.
std::size_t list_by_word(const std::uint64_t* a, const std::uint64_t* b, std::size_t n, Candidate* out) {
  constexpr std::uint64_t kLast = std::uint64_t{1} << 63;  // of no bits none is the first
  Candidate* next = out;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t word = a[i] & b[i];
    const auto put = [&] {
      next->slot = static_cast<std::uint32_t>(64 * i) + static_cast<std::uint32_t>(__builtin_ctzll(word | kLast));
      next += word != 0;
      word &= word - 1;
    };
    put();
    put();
    while (word != 0) put();
  }
  return static_cast<std::size_t>(next - out);
}

const Kernels kPlainKernels{"plain",   scan<false>, scan<true>, nullptr,      look,        dot_high_halves,
                            dot_bytes, dot,         hadamard,   count_common, list_by_word};

}  // namespace pandora
