// AVX-512 with VNNI: one vpdpbusd multiplies four dimensions of sixteen slots. Built with its own flags; see kernels.h.
#include <immintrin.h>

#include "vecdb/kernels.h"

namespace pandora {
namespace {

constexpr std::size_t kRow = CodeBlocks::kRow;

inline __m512i broadcast(const std::int8_t* four) {
  std::int32_t bits;
  __builtin_memcpy(&bits, four, sizeof bits);
  return _mm512_set1_epi32(bits);
}

struct Pair {
  __m512i first, second;
};

// Sixteen bytes a slot byte, as the high plane has them, to four bytes a slot.
inline __m512i by_slot(__m512i by_byte) {
  const __m512i in_lane = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes, by_byte), in_lane);
}

// A row of a block as two vectors of four fields a byte, a slot's four bytes side by side. Two bits: the fields of even
// bits and of odd ones (kernels.h); one bit: the low and the high half of a byte.
template <bool kTwoBits>
inline Pair fields_of(const std::uint8_t* high, const std::uint8_t* low) {
  const __m512i h = by_slot(_mm512_loadu_si512(high));
  if constexpr (kTwoBits) {
    constexpr int kSelect = 0xca;  // a ? b : c
    const __m512i odd = _mm512_set1_epi8(static_cast<char>(0xaa)), l = _mm512_loadu_si512(low);
    return {_mm512_ternarylogic_epi32(odd, _mm512_slli_epi16(h, 1), _mm512_srli_epi16(l, 1), kSelect),
            _mm512_ternarylogic_epi32(odd, h, l, kSelect)};
  } else {
    return {h, _mm512_srli_epi16(h, 4)};
  }
}

// Where the rows of two blocks side by side are.
struct Rows {
  const std::uint8_t *high, *low;  // of the first block
  std::size_t count, stride, low_stride;
};

// Σ code·query of each slot of two blocks, which share what is broadcast. Codes are multiplied where they stand in
// their bytes, so a field comes out times a power of two: shifted back at the end, exactly. Four sums a block, not
// eight, leave the compiler registers for everything else.
template <bool kTwoBits>
class Products {
 public:
  Products() {
#pragma GCC unroll 4
    for (int field = 0; field < 4; ++field) a_[field] = b_[field] = _mm512_setzero_si512();
  }
  void add(const Rows& rows, const std::int8_t* query) {
    for (std::size_t row = 0; row < rows.count; ++row) {
      const std::uint8_t *high = rows.high + kRow * row, *low = rows.low + kRow * row;
      const Pair x = fields_of<kTwoBits>(high, low);
      const Pair y = fields_of<kTwoBits>(high + rows.stride, low + rows.low_stride);
#pragma GCC unroll 4
      for (int field = 0; field < 4; ++field) {
        const __m512i mask = _mm512_set1_epi8(static_cast<char>((kTwoBits ? 3 : 1) << (kWidth * field)));
        const std::int8_t* q = query + 32 * row + 4 * kWidth * field;
        const __m512i first = broadcast(q), second = broadcast(q + (kTwoBits ? 4 : 16));
        a_[field] = _mm512_dpbusd_epi32(a_[field], _mm512_and_si512(x.first, mask), first);
        b_[field] = _mm512_dpbusd_epi32(b_[field], _mm512_and_si512(y.first, mask), first);
        a_[field] = _mm512_dpbusd_epi32(a_[field], _mm512_and_si512(x.second, mask), second);
        b_[field] = _mm512_dpbusd_epi32(b_[field], _mm512_and_si512(y.second, mask), second);
      }
    }
  }
  Pair sums() {
#pragma GCC unroll 4
    for (int field = 1; field < 4; ++field) {
      a_[0] = _mm512_add_epi32(a_[0], _mm512_srai_epi32(a_[field], static_cast<unsigned>(kWidth * field)));
      b_[0] = _mm512_add_epi32(b_[0], _mm512_srai_epi32(b_[field], static_cast<unsigned>(kWidth * field)));
    }
    return {a_[0], b_[0]};
  }

 private:
  static constexpr int kWidth = kTwoBits ? 2 : 1;
  __m512i a_[4], b_[4];
};

inline __m512i amounts_below_zero(__m512i values) {
  return _mm512_max_epi8(_mm512_sub_epi8(_mm512_setzero_si512(), values), _mm512_setzero_si512());
}

// One-bit codes are looked up, four dimensions of a slot at once: a table of sixteen sums for each half of each byte of
// a slot. Half the instructions of multiplying. Sums are moved up to be no less than zero, and fit eight bits for
// kRowsInBytes rows (kNarrowSum).
void tables(const std::int8_t* query, std::size_t rows, std::uint8_t* out) {
  const __m512i lane = _mm512_broadcast_i32x4(_mm_setzero_si128());
  const __m512i byte_of_lane = _mm512_inserti32x4(
      _mm512_inserti32x4(_mm512_inserti32x4(lane, _mm_set1_epi8(1), 1), _mm_set1_epi8(2), 2), _mm_set1_epi8(3), 3);
  constexpr std::uint64_t kSets[] = {0xaaaa'aaaa'aaaa'aaaa, 0xcccc'cccc'cccc'cccc, 0xf0f0'f0f0'f0f0'f0f0,
                                     0xff00'ff00'ff00'ff00};
  for (std::size_t half = 0; half < 2 * rows; ++half) {
    __m512i table = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (std::size_t bit = 0; bit < 4; ++bit) {
      const __m512i values = _mm512_shuffle_epi8(broadcast(query + 16 * half + 4 * bit), byte_of_lane);
      table = _mm512_mask_add_epi8(table, kSets[bit], table, values);
      table = _mm512_add_epi8(table, amounts_below_zero(values));
    }
    _mm512_store_si512(out + half * kTableBytes / 2, table);
  }
}

// What tables moved up the sums of the first `rows` rows by.
inline __m512i moved_up(const std::int8_t* query, std::size_t rows) {
  __m512i below = _mm512_setzero_si512();
  for (std::size_t i = 0; i < 32 * rows; i += 32) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
    below = _mm512_dpbusd_epi32(below, amounts_below_zero(_mm512_zextsi256_si512(values)), _mm512_set1_epi8(1));
  }
  return _mm512_set1_epi32(_mm512_reduce_add_epi32(below));
}

inline __m512i looked_up(const std::uint8_t* tables, const std::uint8_t* row) {
  const __m512i four = _mm512_set1_epi8(0xf), codes = _mm512_loadu_si512(row);
  const __m512i low = _mm512_load_si512(tables), high = _mm512_load_si512(tables + kTableBytes / 2);
  return _mm512_add_epi8(_mm512_shuffle_epi8(low, _mm512_and_si512(codes, four)),
                         _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(codes, 4), four)));
}

// Adds what `tables` say of each slot of two blocks.
inline void look_up(const Rows& rows, const std::uint8_t* tables, Pair& sums) {
  constexpr std::size_t kRowsInBytes = 255 / (2 * kNarrowSum);
  const __m512i ones = _mm512_set1_epi8(1);
  for (std::size_t row = 0; row < rows.count;) {
    const std::size_t end = row + kRowsInBytes < rows.count ? row + kRowsInBytes : rows.count;
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
    for (; row < end; ++row) {
      a = _mm512_add_epi8(a, looked_up(tables + kTableBytes * row, rows.high + kRow * row));
      b = _mm512_add_epi8(b, looked_up(tables + kTableBytes * row, rows.high + rows.stride + kRow * row));
    }
    sums.first = _mm512_dpbusd_epi32(sums.first, by_slot(a), ones);
    sums.second = _mm512_dpbusd_epi32(sums.second, by_slot(b), ones);
  }
}

bool leaves_most_out(const std::uint64_t* mask, std::size_t blocks) {
  std::size_t empty = 0, words = 0;
  for (std::size_t block = 0; block < blocks; block += 4, ++words) empty += mask[words] == 0 ? 1 : 0;
  return 2 * empty > words;
}

// The processor's own prefetching ends at every page; beyond the caches that halves the speed. Past the last block
// there is the next call's first, or nothing: fetching in vain does no harm, unless a mask leaves most of it out.
inline void fetch(const std::uint8_t* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i);
}

// Those of sixteen slots from `first` on that `hits` names.
inline std::size_t write_hits(unsigned hits, __m512 estimate, __m512 bound, std::uint32_t first, Candidate* out) {
  alignas(64) float estimates[CodeBlocks::kSlots], bounds[CodeBlocks::kSlots];
  _mm512_store_ps(estimates, estimate);
  _mm512_store_ps(bounds, bound);
  std::size_t found = 0;
  for (; hits != 0; hits &= hits - 1) {
    const auto lane = static_cast<unsigned>(__builtin_ctz(hits));
    out[found++] = {estimates[lane], bounds[lane], first + lane};
  }
  return found;
}

// `sums_of(coarse, rest)`: Σ code·query of each slot of two blocks, whose first rows and other rows these are.
template <bool kTwoBits, class Sums>
std::size_t scan_by(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                    std::uint32_t base, Candidate* out, const Sums& sums_of) {
  constexpr std::size_t kAhead = kTwoBits ? 4 : 16;  // blocks
  std::size_t found = 0;
  const std::size_t coarse = blocks.coarse_rows(), rest = blocks.rows - coarse;
  const std::size_t coarse_plane = blocks.coarse_bytes(), rest_plane = kRow * rest, plane = kRow * blocks.rows;
  const bool sparse = mask && leaves_most_out(mask, blocks.blocks);
  const __m512 centre = _mm512_set1_ps(query.centre), unit = _mm512_set1_ps(query.unit);
  const __m512 weight = _mm512_set1_ps(query.offset_weight), slack = _mm512_set1_ps(query.slack);
  const __m512 least = _mm512_set1_ps(threshold);
  const auto judge = [&](std::size_t first, __m512i sums, __mmask16 wanted) {
    const __m512 scale = _mm512_loadu_ps(blocks.scale + first), offset = _mm512_loadu_ps(blocks.offset + first);
    const __m512 product = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(sums), centre), unit);
    const __m512 estimate = _mm512_add_ps(_mm512_mul_ps(product, scale), _mm512_mul_ps(weight, offset));
    const __m512 bound = _mm512_add_ps(estimate, _mm512_mul_ps(slack, scale));
    const unsigned hits = _mm512_mask_cmp_ps_mask(wanted, bound, least, _CMP_GE_OQ);
    if (__builtin_expect(hits == 0, 1)) return;
    found += write_hits(hits, estimate, bound, base + static_cast<std::uint32_t>(first), out + found);
  };
  for (std::size_t block = 0; block < blocks.blocks; block += 2) {
    const auto wanted = static_cast<std::uint32_t>(mask ? mask[block / 4] >> (block % 4 * 16) : ~std::uint64_t{0});
    if (wanted == 0) continue;
    // Of two blocks one that is wanted stands in for the other: that one's memory is not on its way.
    const bool has_first = (wanted & 0xffff) != 0, has_both = has_first && wanted >> 16 != 0;
    const std::size_t at = has_first ? block : block + 1, step = has_both ? 1 : 0;
    const Rows first{blocks.coarse + at * coarse_plane, blocks.low + at * plane, coarse, step * coarse_plane,
                     step * plane};
    const Rows others{blocks.high + at * rest_plane, first.low + kRow * coarse, rest, step * rest_plane, step * plane};
    if (!sparse) {
      fetch(first.high + kAhead * coarse_plane, 2 * coarse_plane);
      fetch(others.high + kAhead * rest_plane, 2 * rest_plane);
      if constexpr (kTwoBits) fetch(first.low + kAhead * plane, 2 * plane);
    }
    const Pair sums = sums_of(first, others);
    judge(block * CodeBlocks::kSlots, sums.first, static_cast<__mmask16>(wanted));
    judge((block + 1) * CodeBlocks::kSlots, sums.second, static_cast<__mmask16>(wanted >> 16));
  }
  return found;
}

template <bool kTwoBits>
std::size_t scan(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask, float threshold,
                 std::uint32_t base, Candidate* out) {
  if (kTwoBits || !query.tables)
    return scan_by<kTwoBits>(blocks, query, mask, threshold, base, out, [&](const Rows& first, const Rows& others) {
      Products<kTwoBits> products;
      products.add(first, query.code);
      products.add(others, query.code + 32 * first.count);
      return products.sums();
    });
  const __m512i up = _mm512_sub_epi32(_mm512_setzero_si512(), moved_up(query.code, blocks.rows));
  return scan_by<kTwoBits>(blocks, query, mask, threshold, base, out, [&](const Rows& first, const Rows& others) {
    Pair sums{up, up};
    look_up(first, query.tables, sums);
    look_up(others, query.tables + kTableBytes * first.count, sums);
    return sums;
  });
}

// `sums_of(rows)`: Σ code·query of each slot of two blocks.
template <class Sums>
std::size_t look_by(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask,
                    float threshold, std::uint32_t base, float* bounds, Candidate* out, const Sums& sums_of) {
  constexpr std::size_t kAhead = 16;  // blocks
  std::size_t found = 0;
  const std::size_t plane = blocks.coarse_bytes(), numbers_at = kRow * blocks.coarse_rows();
  const bool sparse = mask && leaves_most_out(mask, blocks.blocks);
  const __m512 centre = _mm512_set1_ps(query.centre), unit = _mm512_set1_ps(query.unit);
  const __m512 weight = _mm512_set1_ps(query.offset_weight), slack = _mm512_set1_ps(query.slack);
  const __m512 nobody = _mm512_set1_ps(-__builtin_inff()), least = _mm512_set1_ps(threshold);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff'0000));
  const auto judge = [&](std::size_t block, __m512i sums, __mmask16 wanted) {
    const __m512i numbers = _mm512_loadu_si512(blocks.coarse + block * plane + numbers_at);
    const __m512 scale = _mm512_castsi512_ps(_mm512_and_si512(numbers, upper));
    const __m512 offset = _mm512_mul_ps(weight, _mm512_castsi512_ps(_mm512_slli_epi32(numbers, 16)));
    const __m512 product = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(sums), centre), unit);
    const __m512 most = _mm512_max_ps(_mm512_add_ps(product, slack), _mm512_setzero_ps());
    const __m512 bound = _mm512_add_ps(_mm512_mul_ps(most, scale), offset);
    const unsigned hits = _mm512_mask_cmp_ps_mask(wanted, bound, least, _CMP_GE_OQ);
    if (__builtin_expect(hits != 0, 0)) {
      const __m512 estimate = _mm512_add_ps(_mm512_mul_ps(product, scale), offset);
      found +=
          write_hits(hits, estimate, bound, base + static_cast<std::uint32_t>(block * CodeBlocks::kSlots), out + found);
    }
    return _mm512_mask_max_ps(nobody, wanted, bound,
                              nobody);  // of NaN and −∞ the second one
  };
  for (std::size_t block = 0; block < blocks.blocks; block += 2) {
    const auto wanted = static_cast<std::uint32_t>(mask ? mask[block / 4] >> (block % 4 * 16) : ~std::uint64_t{0});
    bounds[block] = bounds[block + 1] = -__builtin_inff();
    if (wanted == 0) continue;
    const std::uint8_t* coarse = blocks.coarse + block * plane;
    if (!sparse) fetch(coarse + kAhead * plane, 2 * plane);
    const Pair sums = sums_of(Rows{coarse, coarse, rows, plane, plane});
    const __m512 x = judge(block, sums.first, static_cast<__mmask16>(wanted));
    const __m512 y = judge(block + 1, sums.second, static_cast<__mmask16>(wanted >> 16));
    // The largest of each, side by side: halves of x and y, then of those, and so on.
    __m512 most = _mm512_max_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
    most = _mm512_max_ps(most, _mm512_shuffle_f32x4(most, most, 0xb1));
    most = _mm512_max_ps(most, _mm512_permute_ps(most, 0x4e));
    most = _mm512_max_ps(most, _mm512_permute_ps(most, 0xb1));
    bounds[block] = _mm512_cvtss_f32(most);
    bounds[block + 1] = _mm_cvtss_f32(_mm512_extractf32x4_ps(most, 2));
  }
  return found;
}

std::size_t look(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask,
                 float threshold, std::uint32_t base, float* bounds, Candidate* out) {
  if (!query.tables)
    return look_by(blocks, query, rows, mask, threshold, base, bounds, out, [&](const Rows& coarse) {
      Products<false> products;
      products.add(coarse, query.code);
      return products.sums();
    });
  const __m512i up = _mm512_sub_epi32(_mm512_setzero_si512(), moved_up(query.code, rows));
  return look_by(blocks, query, rows, mask, threshold, base, bounds, out, [&](const Rows& coarse) {
    Pair sums{up, up};
    look_up(coarse, query.tables, sums);
    return sums;
  });
}

// Σ of half bytes, sixteen sums.
inline __m512i sums_of_halves(const std::uint8_t* plane, const std::int8_t* query, std::size_t n) {
  const __m512i four = _mm512_set1_epi8(0xf);
  __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
  for (std::size_t i = 0; i < n; i += 2 * HalfBytes::kPiece) {
    const __m512i halves = _mm512_loadu_si512(plane + i / 2);
    a = _mm512_dpbusd_epi32(a, _mm512_and_si512(halves, four), _mm512_loadu_si512(query + i));
    b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(halves, 4), four),
                            _mm512_loadu_si512(query + i + HalfBytes::kPiece));
  }
  return _mm512_add_epi32(a, b);
}

// The sums of four vectors' lanes.
inline __m128i added(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Four slots share what is loaded of the query, and the additions at the end. Upper halves are multiplied where they
// stand, sixteen times as large; the others are moved up at the end.
void dot_high_halves(const std::uint8_t* const* high, std::size_t count, const std::int8_t* query, std::size_t n,
                     std::int32_t* sums) {
  constexpr std::size_t kAtOnce = 4;
  const __m512i lower = _mm512_set1_epi8(0xf), upper = _mm512_set1_epi8(static_cast<char>(0xf0));
  std::size_t done = 0;
  for (; done + kAtOnce <= count; done += kAtOnce) {
    __m512i a[kAtOnce], b[kAtOnce];
#pragma GCC unroll 4
    for (std::size_t slot = 0; slot < kAtOnce; ++slot) a[slot] = b[slot] = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 2 * HalfBytes::kPiece) {
      const __m512i first = _mm512_loadu_si512(query + i), second = _mm512_loadu_si512(query + i + HalfBytes::kPiece);
#pragma GCC unroll 4
      for (std::size_t slot = 0; slot < kAtOnce; ++slot) {
        const __m512i halves = _mm512_loadu_si512(high[done + slot] + i / 2);
        a[slot] = _mm512_dpbusd_epi32(a[slot], _mm512_and_si512(halves, lower), first);
        b[slot] = _mm512_dpbusd_epi32(b[slot], _mm512_and_si512(halves, upper), second);
      }
    }
#pragma GCC unroll 4
    for (std::size_t slot = 0; slot < kAtOnce; ++slot)
      a[slot] = _mm512_add_epi32(_mm512_slli_epi32(a[slot], 4), b[slot]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + done), added(a[0], a[1], a[2], a[3]));
  }
  for (; done < count; ++done) sums[done] = 16 * _mm512_reduce_add_epi32(sums_of_halves(high[done], query, n));
}

std::int32_t dot_bytes(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t n) {
  const __m512i sixteens = _mm512_slli_epi32(sums_of_halves(high, query, n), 4);
  return _mm512_reduce_add_epi32(_mm512_add_epi32(sixteens, sums_of_halves(low, query, n)));
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

// One stage within vectors: `from_other` has each value's partner, `second` those that are subtracted.
inline __m512 stage(__m512 values, __m512 from_other, __mmask16 second) {
  return _mm512_mask_sub_ps(_mm512_add_ps(values, from_other), second, from_other, values);
}

void hadamard(float* x) {
  constexpr std::size_t kVectors = 8, kLanes = 16;
  __m512 v[kVectors];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) {
    __m512 one = _mm512_loadu_ps(x + kLanes * i);
    one = stage(one, _mm512_permute_ps(one, 0xb1), 0xaaaa);
    one = stage(one, _mm512_permute_ps(one, 0x4e), 0xcccc);
    one = stage(one, _mm512_shuffle_f32x4(one, one, 0xb1), 0xf0f0);
    v[i] = stage(one, _mm512_shuffle_f32x4(one, one, 0x4e), 0xff00);
  }
#pragma GCC unroll 3
  for (std::size_t half = 1; half < kVectors; half *= 2)
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kVectors; ++i) {
      if (i & half) continue;
      const __m512 a = v[i], b = v[i + half];
      v[i] = _mm512_add_ps(a, b);
      v[i + half] = _mm512_sub_ps(a, b);
    }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) _mm512_storeu_ps(x + kLanes * i, v[i]);
}

// Of each byte the number of its bits: looked up for both halves.
inline __m512i bits_of_bytes(__m512i bytes) {
  const __m512i four = _mm512_set1_epi8(0xf);
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  return _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(bytes, four)),
                         _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), four)));
}

constexpr std::size_t kWords = 8;  // of a vector
inline __m512i words_in_both(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  const auto wanted = static_cast<__mmask8>(n < kWords ? (1U << n) - 1 : 0xff);
  return _mm512_and_si512(_mm512_maskz_loadu_epi64(wanted, a), _mm512_maskz_loadu_epi64(wanted, b));
}

std::size_t count_common(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < n; i += kWords)
    sum = _mm512_add_epi64(sum,
                           _mm512_sad_epu8(bits_of_bytes(words_in_both(a + i, b + i, n - i)), _mm512_setzero_si512()));
  return static_cast<std::size_t>(_mm512_reduce_add_epi64(sum));
}

// Words with nothing in them go first, several at a time; of each that is left three are put in any case: where few
// have more, a processor guesses no branch wrongly.
std::size_t list_common(const std::uint64_t* a, const std::uint64_t* b, std::size_t n, Candidate* out) {
  constexpr std::size_t kAtOnce = 32, kOfAWord = 3;        // vectors; slots
  constexpr std::uint64_t kLast = std::uint64_t{1} << 63;  // of no bits none is the first
  alignas(64) std::uint64_t words[kAtOnce * kWords + kWords], places[kAtOnce * kWords + kWords];
  const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  Candidate* next = out;
  for (std::size_t first = 0; first < n; first += kAtOnce * kWords) {
    const std::size_t end = first + kAtOnce * kWords < n ? first + kAtOnce * kWords : n;
    std::size_t count = 0;
    for (std::size_t i = first; i < end; i += kWords) {
      const __m512i both = words_in_both(a + i, b + i, n - i);
      const __mmask8 some = _mm512_test_epi64_mask(both, both);
      const __m512i at = _mm512_slli_epi64(_mm512_add_epi64(_mm512_set1_epi64(static_cast<long long>(i)), lanes), 6);
      _mm512_storeu_si512(words + count, _mm512_maskz_compress_epi64(some, both));
      _mm512_storeu_si512(places + count, _mm512_maskz_compress_epi64(some, at));
      count += static_cast<unsigned>(__builtin_popcount(some));
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t word = words[i];
      const auto place = static_cast<std::uint32_t>(places[i]);
      const auto put = [&] {
        next->slot = place + static_cast<std::uint32_t>(__builtin_ctzll(word | kLast));
        next += word != 0;
        word &= word - 1;
      };
#pragma GCC unroll 3
      for (std::size_t one = 0; one < kOfAWord; ++one) put();
      while (__builtin_expect(word != 0, 0)) put();
    }
  }
  return static_cast<std::size_t>(next - out);
}

}  // namespace

const Kernels kAvx512Kernels{"AVX-512", scan<false>, scan<true>, tables,       look,       dot_high_halves,
                             dot_bytes, dot,         hadamard,   count_common, list_common};

}  // namespace pandora
