// The inner loops of the dense scan, once for each kind of processor. Internal to vecdb.
//
// Every kind gives the same bits: products of codes are sums of integers, and sums of floats have one fixed order
// without contracted multiply-adds. Each kind is a translation unit with its own compiler flags; so this header and
// those sources include nothing that defines an inline function others might share, or a processor without AVX-512
// could meet its code.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pandora {

// Codes of consecutive slots in blocks of 16. A block has two planes, the high and the low bit of each two-bit code,
// with dimension/32 rows of 64 bytes: four bytes a slot. Bit b of byte z of row r, high plane, is of dimension 4·(8r +
// b) + z; in the low plane bit b ^ 1 is. So one select of the two planes gives four two-bit fields a byte, in place,
// and the high plane alone is the one-bit code. In the low plane a slot's four bytes stand side by side: one 32-bit
// lane against a broadcast of the query. In the high plane the sixteen slots' bytes z do, as they are looked up.
//
// Its first rows are the coarsest code, and lie apart with a row of their own: coarse_numbers(scale of one bit, offset)
// of each slot. Whoever reads them alone reads nothing else, from the first to the last.
struct CodeBlocks {
  static constexpr std::size_t kSlots = 16, kRow = 64;  // bytes
  static constexpr std::size_t kCoarseRows = 5;
  const std::uint8_t* coarse;  // a block: the first rows of the high plane, kCoarseRows or all, and their numbers
  const std::uint8_t* high;    // the other rows
  const std::uint8_t* low;
  const float* scale;   // a slot; of the codes that are scanned. NaN: nobody is there
  const float* offset;  // a slot; added to its estimate, times ScanQuery::offset_weight
  std::size_t rows;     // of a plane of a block
  std::size_t blocks;   // a multiple of 4
  std::size_t coarse_rows() const { return rows < kCoarseRows ? rows : kCoarseRows; }
  std::size_t coarse_bytes() const { return kRow * (coarse_rows() + 1); }  // a block
};

// Of four values of a query whose signs stand in one half of a byte the amounts add up to at most this where one-bit
// codes are scanned: then sums of many fit eight bits.
inline constexpr int kNarrowSum = 25;

// The byte codes of a slot: the upper halves of all, dimension/2 bytes, then the lower ones. So few slots are ranked by
// the upper ones, a code of four bits, before the others are read. Byte i of piece r of 64 bytes is of dimension 128·r
// + i (its lower half) and 128·r + 64 + i.
struct HalfBytes {
  static constexpr std::size_t kPiece = 64;
  const std::uint8_t *high, *low;
};

struct ScanQuery {
  const std::int8_t* code;  // 32 · rows values; for one bit: see kNarrowSum
  float centre;             // what the centre of the levels adds to a sum of code products
  float unit;
  float offset_weight;
  float slack;
  const std::uint8_t* tables = nullptr;  // of `code`, by Kernels::tables; null: there are none
};

// Of the first rows of a code; more would not stay in the nearest cache.
inline constexpr std::size_t kMaxTableRows = 64, kTableBytes = 128;  // a row

// estimate = (Σ code·query − centre) · unit · scale + offset_weight · offset; bound = estimate + slack · scale.
struct Candidate {
  float estimate;
  float bound;
  std::uint32_t slot;
};

inline constexpr std::size_t kListedBeyond = 1;

struct Kernels {
  const char* name;
  // Writes a candidate for each slot with bound ≥ threshold, ascending; `out` has room for all. `mask`: one bit a slot,
  // in words of 64; null: all. `base` is the number of the first slot. Returns how many.
  using Scan = std::size_t (*)(const CodeBlocks& blocks, const ScanQuery& query, const std::uint64_t* mask,
                               float threshold, std::uint32_t base, Candidate* out);
  Scan scan_one_bit;
  Scan scan_two_bits;
  // What one-bit scans of a query look up instead of multiplying: kTableBytes for each of its rows, at most
  // kMaxTableRows, to where a line of the cache begins. Null: they multiply.
  void (*tables)(const std::int8_t* code, std::size_t rows, std::uint8_t* out);
  // A look at the first `rows` rows of the coarse code and its numbers alone. Writes a candidate for each slot with
  // bound ≥ threshold, as a scan does, and the largest bound of each block's slots in `mask`; −∞: there is nobody.
  // `query` is scaled for so many dimensions; a product and slack below zero count as zero, for a bound.
  std::size_t (*look)(const CodeBlocks& blocks, const ScanQuery& query, std::size_t rows, const std::uint64_t* mask,
                      float threshold, std::uint32_t base, float* bounds, Candidate* out);
  // Σ code·query, n a multiple of 128: of the bytes of one slot, and of `count` slots' bytes whose lower halves count
  // as zero.
  void (*dot_high_halves)(const std::uint8_t* const* high, std::size_t count, const std::int8_t* query, std::size_t n,
                          std::int32_t* sums);
  std::int32_t (*dot_bytes)(const std::uint8_t* high, const std::uint8_t* low, const std::int8_t* query, std::size_t n);
  // Sixteen sums, each of every sixteenth product, ascending; then added in halves.
  float (*dot)(const float* a, const float* b, std::size_t n);
  // The Hadamard transform of 128 values, in place: pairs 1 apart, then 2, then 4, to 64; not scaled.
  void (*hadamard)(float* x);
  // How many bits are set in both, of n words each.
  std::size_t (*count_common)(const std::uint64_t* a, const std::uint64_t* b, std::size_t n);
  // Which: the slots of `out`, ascending; it has room for kListedBeyond more, whose slot is written over. Returns how
  // many.
  std::size_t (*list_common)(const std::uint64_t* a, const std::uint64_t* b, std::size_t n, Candidate* out);
};

// Kernels::list_common of those that have no better one.
std::size_t list_by_word(const std::uint64_t* a, const std::uint64_t* b, std::size_t n, Candidate* out);

extern const Kernels kPlainKernels, kAvx2Kernels, kAvx512Kernels;

// Null where the processor (or the build) has not what they need.
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();  // F, BW, VL, DQ and VNNI
// The quickest that this processor can run.
const Kernels& best_kernels();

}  // namespace pandora
