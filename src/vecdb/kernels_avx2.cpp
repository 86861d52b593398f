// AVX2: products of bytes come in pairs of 16 bits, which are widened before they can overflow. Built with its own
// flags; see kernels.h.
#include <immintrin.h>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

inline __m256i load(const std::uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
inline __m256i broadcast(const std::int8_t* four) {
  std::int32_t bits;
  __builtin_memcpy(&bits, four, sizeof bits);
  return _mm256_set1_epi32(bits);
}
inline __m256i widened(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// A pair of products of two-bit codes is at most 2·3·127, of one-bit codes 2·127: this many rows of eight fit 16 bits.
constexpr std::size_t kTwoBitRows = 5, kOneBitRows = 16;

// Σ code·query of eight slots: half a block. `half` is 0 or 32.
template <bool kTwoBits>
inline __m256i products(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t rows,
                        std::size_t half) {
  const __m256i odd = _mm256_set1_epi8(static_cast<char>(0xaa)), three = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
  constexpr std::size_t kAtOnce = kTwoBits ? kTwoBitRows : kOneBitRows;
  __m256i sums = _mm256_setzero_si256();
  for (std::size_t row = 0; row < rows;) {
    const std::size_t end = row + kAtOnce < rows ? row + kAtOnce : rows;
    __m256i pairs = _mm256_setzero_si256();
    for (; row < end; ++row) {
      const __m256i h = load(high + 64 * row + half);
      const std::int8_t* q = query + 32 * row;
      if constexpr (kTwoBits) {
        const __m256i l = load(low + 64 * row + half);
        const __m256i odds = _mm256_or_si256(_mm256_and_si256(odd, h), _mm256_andnot_si256(odd, l));
        const __m256i evens = _mm256_or_si256(_mm256_and_si256(odd, _mm256_slli_epi16(h, 1)),
                                              _mm256_andnot_si256(odd, _mm256_srli_epi16(l, 1)));
#pragma GCC unroll 4
        for (int field = 0; field < 4; ++field) {
          const __m256i even = _mm256_and_si256(_mm256_srli_epi16(evens, 2 * field), three);
          const __m256i other = _mm256_and_si256(_mm256_srli_epi16(odds, 2 * field), three);
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(even, broadcast(q + 8 * field)));
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(other, broadcast(q + 8 * field + 4)));
        }
      } else {
#pragma GCC unroll 8
        for (int bit = 0; bit < 8; ++bit) {
          const __m256i codes = _mm256_and_si256(_mm256_srli_epi16(h, bit), one);
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(codes, broadcast(q + 4 * bit)));
        }
      }
    }
    sums = _mm256_add_epi32(sums, widened(pairs));
  }
  return sums;
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  std::size_t found = 0;
  const std::size_t plane = 64 * blocks.rows;
  const __m256 centre = _mm256_set1_ps(query.centre), unit = _mm256_set1_ps(query.unit);
  const __m256 weight = _mm256_set1_ps(query.offset_weight), slack = _mm256_set1_ps(query.slack);
  const __m256 least = _mm256_set1_ps(threshold);
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    const unsigned wanted = mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
    if (wanted == 0) continue;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t first = block * CodeBlocks::kSlots + 8 * half;
      const __m256i sums = products<kTwoBits>(blocks.high + block * plane, blocks.low + block * plane, query.code,
                                              blocks.rows, 32 * half);
      const __m256 scale = _mm256_loadu_ps(blocks.scale + first), offset = _mm256_loadu_ps(blocks.offset + first);
      const __m256 product = _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(sums), centre), unit);
      const __m256 estimate = _mm256_add_ps(_mm256_mul_ps(product, scale), _mm256_mul_ps(weight, offset));
      const __m256 bound = _mm256_add_ps(estimate, _mm256_mul_ps(slack, scale));
      unsigned hits =
          static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(bound, least, _CMP_GE_OQ))) & (wanted >> (8 * half));
      if (__builtin_expect(hits != 0, 0)) {
        alignas(32) float estimates[8], bounds[8];
        _mm256_store_ps(estimates, estimate);
        _mm256_store_ps(bounds, bound);
        for (; hits != 0; hits &= hits - 1) {
          const auto lane = static_cast<unsigned>(__builtin_ctz(hits));
          out[found++] = {estimates[lane], bounds[lane], base + static_cast<std::uint32_t>(first) + lane};
        }
      }
    }
  }
  return found;
}

void bounds(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask, float* out) {
  const std::size_t plane = 64 * blocks.rows;
  const __m256 centre = _mm256_set1_ps(query.centre), unit = _mm256_set1_ps(query.unit);
  const __m256 weight = _mm256_set1_ps(query.offset_weight), slack = _mm256_set1_ps(query.slack);
  const __m256 nobody = _mm256_set1_ps(-__builtin_inff());
  const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    out[block] = -__builtin_inff();
    const unsigned wanted = mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
    if (wanted == 0) continue;
    const std::uint8_t* high = blocks.high + block * plane;
    __m256 largest = nobody;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t first = block * CodeBlocks::kSlots + 8 * half;
      const __m256i sums = products<false>(high, high, query.code, rows, 32 * half);
      const __m256 scale = _mm256_loadu_ps(blocks.scale + first), offset = _mm256_loadu_ps(blocks.offset + first);
      const __m256 product = _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(sums), centre), unit);
      const __m256 estimate = _mm256_add_ps(_mm256_mul_ps(product, scale), _mm256_mul_ps(weight, offset));
      const __m256 bound = _mm256_add_ps(estimate, _mm256_mul_ps(slack, scale));
      const __m256i in = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(wanted >> (8 * half))), lanes);
      const __m256 passing = _mm256_castsi256_ps(_mm256_cmpeq_epi32(in, lanes));
      // Of NaN and another number the second one.
      largest = _mm256_max_ps(_mm256_blendv_ps(nobody, bound, passing), largest);
    }
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    out[block] = _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
  }
}

// Products of full bytes do not fit pairs of 16 bits: widened first.
std::int32_t dot_bytes(const std::uint8_t* code, const std::int8_t* query, std::size_t n) {
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < n; i += 16) {
    const __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code + i)));
    const __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query + i)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(c, q));
  }
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

float dot(const float* a, const float* b, std::size_t n) {
  __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    low = _mm256_add_ps(low, _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
    high = _mm256_add_ps(high, _mm256_mul_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8)));
  }
  alignas(32) float sum[16];
  _mm256_store_ps(sum, low);
  _mm256_store_ps(sum + 8, high);
  for (std::size_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * b[i];
  const __m256 eight = _mm256_add_ps(_mm256_load_ps(sum), _mm256_load_ps(sum + 8));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace

const Kernels kAvx2Kernels{"AVX2", scan<false>, scan<true>, bounds, dot_bytes, dot};

}  // namespace pandora
