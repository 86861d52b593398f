#include <limits>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

// Σ code·query of each slot of one block.
template <bool kTwoBits>
void block_products(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t rows,
                    std::int32_t (&sums)[CodeBlocks::kSlots]) {
  for (std::int32_t& sum : sums) sum = 0;
  for (std::size_t row = 0; row < rows; ++row)
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::int8_t* q = query + 4 * (8 * row + bit);
      for (std::size_t slot = 0; slot < CodeBlocks::kSlots; ++slot)
        for (std::size_t z = 0; z < 4; ++z) {
          const std::size_t at = 64 * row + 4 * slot + z;
          int code = high[at] >> bit & 1;
          if constexpr (kTwoBits) code = 2 * code + (low[at] >> (bit ^ 1) & 1);
          sums[slot] += code * q[z];
        }
    }
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  std::size_t found = 0;
  const std::size_t plane = 64 * blocks.rows;
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    const unsigned wanted = mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
    if (wanted == 0) continue;
    std::int32_t sums[CodeBlocks::kSlots];
    block_products<kTwoBits>(blocks.high + block * plane, blocks.low + block * plane, query.code, blocks.rows, sums);
    for (std::size_t lane = 0; lane < CodeBlocks::kSlots; ++lane) {
      const std::size_t slot = block * CodeBlocks::kSlots + lane;
      const float product = (static_cast<float>(sums[lane]) - query.centre) * query.unit;
      const float estimate = product * blocks.scale[slot] + query.offset_weight * blocks.offset[slot];
      const float bound = estimate + query.slack * blocks.scale[slot];
      if ((wanted >> lane & 1) && bound >= threshold)
        out[found++] = {estimate, bound, base + static_cast<std::uint32_t>(slot)};
    }
  }
  return found;
}

void bounds(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask, float* out) {
  const std::size_t plane = 64 * blocks.rows;
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    out[block] = -std::numeric_limits<float>::infinity();
    const unsigned wanted = mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
    if (wanted == 0) continue;
    std::int32_t sums[CodeBlocks::kSlots];
    block_products<false>(blocks.high + block * plane, nullptr, query.code, rows, sums);
    for (std::size_t lane = 0; lane < CodeBlocks::kSlots; ++lane) {
      const std::size_t slot = block * CodeBlocks::kSlots + lane;
      const float product = (static_cast<float>(sums[lane]) - query.centre) * query.unit;
      const float estimate = product * blocks.scale[slot] + query.offset_weight * blocks.offset[slot];
      const float bound = estimate + query.slack * blocks.scale[slot];
      if ((wanted >> lane & 1) && bound > out[block]) out[block] = bound;
    }
  }
}

std::int32_t dot_bytes(const std::uint8_t* code, const std::int8_t* query, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += code[i] * query[i];
  return sum;
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

}  // namespace

const Kernels kPlainKernels{"plain", scan<false>, scan<true>, bounds, dot_bytes, dot};

}  // namespace pandora
