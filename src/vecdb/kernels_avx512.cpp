// AVX-512 with VNNI: one vpdpbusd multiplies four dimensions of sixteen slots. Built with its own flags; see kernels.h.
#include <immintrin.h>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

inline __m512i broadcast(const std::int8_t* four) {
  std::int32_t bits;
  __builtin_memcpy(&bits, four, sizeof bits);
  return _mm512_set1_epi32(bits);
}

// The codes are multiplied where they stand in their bytes, so field f comes out times 2^f: shifted back at the end,
// exactly.
inline __m512i one_bit_products(const std::uint8_t* high, const std::int8_t* query, std::size_t rows) {
  __m512i sum[8];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  for (std::size_t row = 0; row < rows; ++row) {
    const __m512i h = _mm512_loadu_si512(high + 64 * row);
#pragma GCC unroll 8
    for (int bit = 0; bit < 8; ++bit) {
      const __m512i codes = _mm512_and_si512(h, _mm512_set1_epi8(static_cast<char>(1 << bit)));
      sum[bit] = _mm512_dpbusd_epi32(sum[bit], codes, broadcast(query + 32 * row + 4 * bit));
    }
  }
  __m512i all = sum[0];
#pragma GCC unroll 8
  for (int bit = 1; bit < 8; ++bit)
    all = _mm512_add_epi32(all, _mm512_srai_epi32(sum[bit], static_cast<unsigned>(bit)));
  return all;
}

inline __m512i two_bit_products(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query,
                                std::size_t rows) {
  const __m512i odd = _mm512_set1_epi8(static_cast<char>(0xaa));
  constexpr int kSelect = 0xca;  // a ? b : c
  __m512i sum[4], other[4];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  for (__m512i& s : other) s = _mm512_setzero_si512();
  for (std::size_t row = 0; row < rows; ++row) {
    const __m512i h = _mm512_loadu_si512(high + 64 * row), l = _mm512_loadu_si512(low + 64 * row);
    const __m512i odds = _mm512_ternarylogic_epi32(odd, h, l, kSelect);
    const __m512i evens = _mm512_ternarylogic_epi32(odd, _mm512_slli_epi16(h, 1), _mm512_srli_epi16(l, 1), kSelect);
#pragma GCC unroll 4
    for (int field = 0; field < 4; ++field) {
      const __m512i mask = _mm512_set1_epi8(static_cast<char>(3 << (2 * field)));
      const std::int8_t* q = query + 32 * row + 8 * field;
      sum[field] = _mm512_dpbusd_epi32(sum[field], _mm512_and_si512(evens, mask), broadcast(q));
      other[field] = _mm512_dpbusd_epi32(other[field], _mm512_and_si512(odds, mask), broadcast(q + 4));
    }
  }
  __m512i all = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int field = 0; field < 4; ++field)
    all = _mm512_add_epi32(
        all, _mm512_srai_epi32(_mm512_add_epi32(sum[field], other[field]), static_cast<unsigned>(2 * field)));
  return all;
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  std::size_t found = 0;
  const std::size_t plane = 64 * blocks.rows;
  const __m512 centre = _mm512_set1_ps(query.centre), unit = _mm512_set1_ps(query.unit);
  const __m512 weight = _mm512_set1_ps(query.offset_weight), slack = _mm512_set1_ps(query.slack);
  const __m512 least = _mm512_set1_ps(threshold);
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    const auto wanted = static_cast<__mmask16>(mask ? mask[block / 4] >> (block % 4 * 16) : 0xffff);
    if (wanted == 0) continue;
    const std::uint8_t* high = blocks.high + block * plane;
    const std::uint8_t* low = blocks.low + block * plane;
    const __m512i sums = kTwoBits ? two_bit_products(high, low, query.code, blocks.rows)
                                  : one_bit_products(high, query.code, blocks.rows);
    const std::size_t first = block * CodeBlocks::kSlots;
    const __m512 scale = _mm512_loadu_ps(blocks.scale + first), offset = _mm512_loadu_ps(blocks.offset + first);
    const __m512 product = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(sums), centre), unit);
    const __m512 estimate = _mm512_add_ps(_mm512_mul_ps(product, scale), _mm512_mul_ps(weight, offset));
    const __m512 bound = _mm512_add_ps(estimate, _mm512_mul_ps(slack, scale));
    unsigned hits = _mm512_mask_cmp_ps_mask(wanted, bound, least, _CMP_GE_OQ);
    if (__builtin_expect(hits != 0, 0)) {
      alignas(64) float estimates[CodeBlocks::kSlots], bounds[CodeBlocks::kSlots];
      _mm512_store_ps(estimates, estimate);
      _mm512_store_ps(bounds, bound);
      for (; hits != 0; hits &= hits - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(hits));
        out[found++] = {estimates[lane], bounds[lane], base + static_cast<std::uint32_t>(first) + lane};
      }
    }
  }
  return found;
}

std::int32_t dot_bytes(const std::uint8_t* code, const std::int8_t* query, std::size_t n) {
  __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
  for (std::size_t i = 0; i < n; i += 128) {
    a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(code + i), _mm512_loadu_si512(query + i));
    b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(code + i + 64), _mm512_loadu_si512(query + i + 64));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}

float dot(const float* a, const float* b, std::size_t n) {
  __m512 sum = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
  if (i < n) {
    const auto rest = static_cast<__mmask16>((1U << (n - i)) - 1);
    sum = _mm512_mask_add_ps(sum, rest, sum,
                             _mm512_mul_ps(_mm512_maskz_loadu_ps(rest, a + i), _mm512_maskz_loadu_ps(rest, b + i)));
  }
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace

const Kernels kAvx512Kernels{"AVX-512", scan<false>, scan<true>, dot_bytes, dot};

}  // namespace pandora
