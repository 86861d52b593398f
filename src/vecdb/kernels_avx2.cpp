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

// Eight slots each, of a block: the first and the last.
struct Halves {
  __m256i first, last;
};

// A row of the high plane with a slot's four bytes side by side: slots 0 to 3 and 8 to 11, and the others.
inline Halves by_slot(const std::uint8_t* row) {
  const __m256i pairs =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
  const __m256i x = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(load(row), 0xd8), pairs);
  const __m256i y = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(load(row + 32), 0xd8), pairs);
  return {_mm256_unpacklo_epi16(x, y), _mm256_unpackhi_epi16(x, y)};
}
// 32 bits a slot in that order, to the order of slots; and its own inverse.
inline Halves reordered(__m256i a, __m256i b) {
  return {_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31)};
}

// Adds code·query of each slot of a block, of rows from `high` and `low` on; in the order of `by_slot`.
template <bool kTwoBits>
inline void add_products(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t rows,
                         Halves& sums) {
  const __m256i odd = _mm256_set1_epi8(static_cast<char>(0xaa)), three = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
  constexpr std::size_t kAtOnce = kTwoBits ? kTwoBitRows : kOneBitRows;
  for (std::size_t row = 0; row < rows;) {
    const std::size_t end = row + kAtOnce < rows ? row + kAtOnce : rows;
    __m256i pairs[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (; row < end; ++row) {
      const Halves both = by_slot(high + CodeBlocks::kRow * row);
      const std::int8_t* q = query + 32 * row;
      if constexpr (kTwoBits) {
        const std::uint8_t* at = low + CodeBlocks::kRow * row;
        const Halves lows = reordered(load(at), load(at + 32));
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
          const __m256i h = half ? both.last : both.first, l = half ? lows.last : lows.first;
          const __m256i odds = _mm256_or_si256(_mm256_and_si256(odd, h), _mm256_andnot_si256(odd, l));
          const __m256i evens = _mm256_or_si256(_mm256_and_si256(odd, _mm256_slli_epi16(h, 1)),
                                                _mm256_andnot_si256(odd, _mm256_srli_epi16(l, 1)));
#pragma GCC unroll 4
          for (int field = 0; field < 4; ++field) {
            const __m256i even = _mm256_and_si256(_mm256_srli_epi16(evens, 2 * field), three);
            const __m256i other = _mm256_and_si256(_mm256_srli_epi16(odds, 2 * field), three);
            pairs[half] = _mm256_add_epi16(pairs[half], _mm256_maddubs_epi16(even, broadcast(q + 8 * field)));
            pairs[half] = _mm256_add_epi16(pairs[half], _mm256_maddubs_epi16(other, broadcast(q + 8 * field + 4)));
          }
        }
      } else {
#pragma GCC unroll 8
        for (int bit = 0; bit < 8; ++bit) {
          const __m256i four = broadcast(q + 4 * bit);
          const __m256i first = _mm256_and_si256(_mm256_srli_epi16(both.first, bit), one);
          const __m256i last = _mm256_and_si256(_mm256_srli_epi16(both.last, bit), one);
          pairs[0] = _mm256_add_epi16(pairs[0], _mm256_maddubs_epi16(first, four));
          pairs[1] = _mm256_add_epi16(pairs[1], _mm256_maddubs_epi16(last, four));
        }
      }
    }
    sums.first = _mm256_add_epi32(sums.first, widened(pairs[0]));
    sums.last = _mm256_add_epi32(sums.last, widened(pairs[1]));
  }
}

unsigned wanted_of(const std::uint64_t* mask, std::size_t block) {
  return mask ? mask[block / 4] >> (block % 4 * 16) & 0xffff : 0xffff;
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  constexpr std::size_t kRow = CodeBlocks::kRow;
  std::size_t found = 0;
  const std::size_t coarse = blocks.coarse_rows(), rest = blocks.rows - coarse;
  const __m256 centre = _mm256_set1_ps(query.centre), unit = _mm256_set1_ps(query.unit);
  const __m256 weight = _mm256_set1_ps(query.offset_weight), slack = _mm256_set1_ps(query.slack);
  const __m256 least = _mm256_set1_ps(threshold);
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    const unsigned wanted = wanted_of(mask, block);
    if (wanted == 0) continue;
    const std::uint8_t* low = blocks.low + block * blocks.rows * kRow;
    Halves sums{_mm256_setzero_si256(), _mm256_setzero_si256()};
    add_products<kTwoBits>(blocks.coarse + block * blocks.coarse_bytes(), low, query.code, coarse, sums);
    add_products<kTwoBits>(blocks.high + block * rest * kRow, low + coarse * kRow, query.code + 32 * coarse, rest,
                           sums);
    sums = reordered(sums.first, sums.last);
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t first = block * CodeBlocks::kSlots + 8 * half;
      const __m256 scale = _mm256_loadu_ps(blocks.scale + first), offset = _mm256_loadu_ps(blocks.offset + first);
      const __m256 sum = _mm256_cvtepi32_ps(half ? sums.last : sums.first);
      const __m256 product = _mm256_mul_ps(_mm256_sub_ps(sum, centre), unit);
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

std::size_t look(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask,
                 float threshold, std::uint32_t base, float* bounds, Candidate* out) {
  std::size_t found = 0;
  const std::size_t numbers_at = CodeBlocks::kRow * blocks.coarse_rows();
  const __m256 centre = _mm256_set1_ps(query.centre), unit = _mm256_set1_ps(query.unit);
  const __m256 weight = _mm256_set1_ps(query.offset_weight), slack = _mm256_set1_ps(query.slack);
  const __m256 nobody = _mm256_set1_ps(-__builtin_inff()), zero = _mm256_setzero_ps();
  const __m256 least = _mm256_set1_ps(threshold);
  const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff'0000));
  for (std::size_t block = 0; block < blocks.blocks; ++block) {
    bounds[block] = -__builtin_inff();
    const unsigned wanted = wanted_of(mask, block);
    if (wanted == 0) continue;
    const std::uint8_t* coarse = blocks.coarse + block * blocks.coarse_bytes();
    Halves sums{_mm256_setzero_si256(), _mm256_setzero_si256()};
    add_products<false>(coarse, coarse, query.code, rows, sums);
    sums = reordered(sums.first, sums.last);
    __m256 largest = nobody;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t first = block * CodeBlocks::kSlots + 8 * half;
      const __m256i numbers = load(coarse + numbers_at + 32 * half);
      const __m256 scale = _mm256_castsi256_ps(_mm256_and_si256(numbers, upper));
      const __m256 offset = _mm256_mul_ps(weight, _mm256_castsi256_ps(_mm256_slli_epi32(numbers, 16)));
      const __m256 sum = _mm256_cvtepi32_ps(half ? sums.last : sums.first);
      const __m256 product = _mm256_mul_ps(_mm256_sub_ps(sum, centre), unit);
      const __m256 most = _mm256_max_ps(_mm256_add_ps(product, slack), zero);
      const __m256 bound = _mm256_add_ps(_mm256_mul_ps(most, scale), offset);
      const __m256i in = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(wanted >> (8 * half))), lanes);
      const __m256 passing = _mm256_castsi256_ps(_mm256_cmpeq_epi32(in, lanes));
      // Of NaN and another number the second one.
      const __m256 known = _mm256_max_ps(_mm256_blendv_ps(nobody, bound, passing), nobody);
      largest = _mm256_max_ps(known, largest);
      const __m256 reaching = _mm256_and_ps(_mm256_cmp_ps(bound, least, _CMP_GE_OQ), passing);
      auto hits = static_cast<unsigned>(_mm256_movemask_ps(reaching));
      if (__builtin_expect(hits == 0, 1)) continue;
      alignas(32) float estimates[8], known_bounds[8];
      _mm256_store_ps(estimates, _mm256_add_ps(_mm256_mul_ps(product, scale), offset));
      _mm256_store_ps(known_bounds, bound);
      for (; hits != 0; hits &= hits - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(hits));
        out[found++] = {estimates[lane], known_bounds[lane], base + static_cast<std::uint32_t>(first) + lane};
      }
    }
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    bounds[block] = _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
  }
  return found;
}

// Σ of half bytes, eight sums: two products of 15 · 127 fit sixteen bits, and so do two such pairs.
inline __m256i sums_of_halves(const std::uint8_t* plane, const std::int8_t* query, std::size_t n) {
  const __m256i four = _mm256_set1_epi8(0xf), ones = _mm256_set1_epi16(1);
  const auto load = [](const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); };
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < n; i += 2 * HalfBytes::kPiece)
    for (std::size_t at = 0; at < HalfBytes::kPiece; at += 32) {
      const __m256i halves = load(plane + i / 2 + at);
      const __m256i a = _mm256_maddubs_epi16(_mm256_and_si256(halves, four), load(query + i + at));
      const __m256i b = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(halves, 4), four),
                                             load(query + i + HalfBytes::kPiece + at));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(a, b), ones));
    }
  return sum;
}

inline std::int32_t added(__m256i sum) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

void dot_high_halves(const std::uint8_t* const* high, std::size_t count, const std::int8_t* query, std::size_t n,
                     std::int32_t* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] = 16 * added(sums_of_halves(high[i], query, n));
}

std::int32_t dot_bytes(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t n) {
  return added(_mm256_add_epi32(_mm256_slli_epi32(sums_of_halves(high, query, n), 4), sums_of_halves(low, query, n)));
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

void hadamard(float* x) {
  constexpr std::size_t kValues = 128, kLanes = 8;
  for (std::size_t i = 0; i < kValues; i += kLanes) {
    __m256 v = _mm256_loadu_ps(x + i);
    __m256 other = _mm256_permute_ps(v, 0xb1);
    v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0xaa);
    other = _mm256_permute_ps(v, 0x4e);
    v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0xcc);
    other = _mm256_permute2f128_ps(v, v, 1);
    v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0xf0);
    _mm256_storeu_ps(x + i, v);
  }
  for (std::size_t half = kLanes; half < kValues; half *= 2)
    for (std::size_t start = 0; start < kValues; start += 2 * half)
      for (std::size_t i = start; i < start + half; i += kLanes) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + half);
        _mm256_storeu_ps(x + i, _mm256_add_ps(a, b));
        _mm256_storeu_ps(x + i + half, _mm256_sub_ps(a, b));
      }
}

std::size_t count_common(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::size_t>(__builtin_popcountll(a[i] & b[i]));
  return sum;
}

}  // namespace

const Kernels kAvx2Kernels{"AVX2",    scan<false>, scan<true>, nullptr,      look,        dot_high_halves,
                           dot_bytes, dot,         hadamard,   count_common, list_by_word};

}  // namespace pandora
