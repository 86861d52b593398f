#include "vecdb/code_table.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include <sys/mman.h>

namespace pandora {
namespace {
constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;
constexpr std::size_t kDimensionsPerRow = 32;  // of a plane: see CodeBlocks
constexpr std::size_t kRow = CodeBlocks::kRow, kLanes = CodeBlocks::kSlots, kRowBytes = kRow / kLanes;  // of a slot

// The upper half of the bits of a float, to the nearest.
std::uint32_t halved(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  return std::isnan(number) ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Sixteen slots' bytes, four of each slot side by side or all their first ones, to the other.
void by_byte(const std::uint8_t* by_slot, std::uint8_t* to) {
  for (std::size_t z = 0; z < kRowBytes; ++z)
    for (std::size_t lane = 0; lane < kLanes; ++lane) to[kLanes * z + lane] = by_slot[kRowBytes * lane + z];
}
void by_slot(const std::uint8_t* by_byte, std::uint8_t* to) {
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    for (std::size_t z = 0; z < kRowBytes; ++z) to[kRowBytes * lane + z] = by_byte[kLanes * z + lane];
}

constexpr float kNobody = std::numeric_limits<float>::quiet_NaN();

// The bytes of a slot to their halves, and back; see HalfBytes.
constexpr std::size_t kPiece = HalfBytes::kPiece;
void halve(const std::uint8_t* bytes, std::size_t count, std::uint8_t* high) {
  for (std::uint8_t* low = high + count / 2; count > 0;
       count -= 2 * kPiece, bytes += 2 * kPiece, high += kPiece, low += kPiece)
    for (std::size_t at = 0; at < kPiece; ++at) {
      const unsigned first = bytes[at], second = bytes[kPiece + at];
      high[at] = static_cast<std::uint8_t>(first >> 4 | (second & 0xf0));
      low[at] = static_cast<std::uint8_t>((first & 0xf) | second << 4);
    }
}
void join(const std::uint8_t* high, std::size_t count, std::uint8_t* bytes) {
  for (const std::uint8_t* low = high + count / 2; count > 0;
       count -= 2 * kPiece, bytes += 2 * kPiece, high += kPiece, low += kPiece)
    for (std::size_t at = 0; at < kPiece; ++at) {
      bytes[at] = static_cast<std::uint8_t>(high[at] << 4 | (low[at] & 0xf));
      bytes[kPiece + at] = static_cast<std::uint8_t>((high[at] & 0xf0) | low[at] >> 4);
    }
}
}  // namespace

std::uint32_t coarse_numbers(float scale, float offset) { return halved(scale) << 16 | halved(offset); }

CodeTable::CodeTable(std::size_t dimension)
    : dimension_(dimension),
      rows_(dimension / kDimensionsPerRow),
      coarse_rows_(std::min(rows_, CodeBlocks::kCoarseRows)) {}

void CodeTable::Free::operator()(std::uint8_t* memory) const {
  if (mapped > 0)
    ::munmap(memory, mapped);
  else
    std::free(memory);
}

// A scan goes through gigabytes: with small pages it waits for their addresses half of the time. Huge ones there are
// only where nothing else was before, so that much memory is the system's own, not a piece of the heap.
CodeTable::Memory CodeTable::zeros(std::size_t bytes) {
  if (bytes < kHugePage / 2) {
    auto* memory = static_cast<std::uint8_t*>(std::aligned_alloc(kLine, bytes));
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    return Memory(memory, Free{});
  }
  const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage, around = whole + kHugePage;
  void* const mapped = ::mmap(nullptr, around, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::uint8_t*>(mapped);
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + whole, around - before - whole);
  (void)::madvise(begin + before, whole, MADV_HUGEPAGE);  // a wish: without, it is slower
  return Memory(begin + before, Free{whole});
}

CodeTable::Chunk CodeTable::make_chunk() const {
  const std::size_t plane = kChunkSlots * dimension_ / 8, floats = kChunkSlots * sizeof(float);
  const std::size_t coarse = kChunkSlots * (coarse_rows_ + 1) * kRowBytes;
  const std::size_t ranked = kChunkSlots * ranked_bytes();
  const std::size_t total = 2 * plane + ranked + 4 * floats;  // a multiple of kLine, as every part is
  Chunk chunk;
  chunk.memory = zeros(total);
  chunk.coarse = chunk.memory.get();
  chunk.high = chunk.coarse + coarse;
  chunk.low = chunk.high + kChunkSlots * (rows_ - coarse_rows_) * kRowBytes;
  chunk.ranked = chunk.low + plane;
  chunk.scale1 = reinterpret_cast<float*>(chunk.ranked + ranked);
  chunk.scale2 = chunk.scale1 + kChunkSlots;
  chunk.offset = chunk.scale2 + kChunkSlots;
  std::fill_n(chunk.scale1, 2 * kChunkSlots, kNobody);
  for (std::size_t at = 0; at < kChunkSlots; ++at) {
    put_numbers(chunk, at, {kNobody, 0});
    put_coarse_numbers(chunk, at);
  }
  return chunk;
}

CodeTable::Chunk& CodeTable::chunk_for(Slot slot) {
  if (slot >= slots()) chunks_.resize(slot / kChunkSlots + 1);
  Chunk& chunk = chunks_[slot / kChunkSlots];
  if (!chunk.memory) chunk = make_chunk();
  return chunk;
}

std::uint8_t* CodeTable::high_row(const Chunk& chunk, std::size_t at, std::size_t row) const {
  const std::size_t block = at / kLanes;
  return row < coarse_rows_ ? chunk.coarse + kRow * (block * (coarse_rows_ + 1) + row)
                            : chunk.high + kRow * (block * (rows_ - coarse_rows_) + row - coarse_rows_);
}

void CodeTable::put_coarse_numbers(const Chunk& chunk, std::size_t at) const {
  const std::uint32_t numbers = coarse_numbers(chunk.scale1[at], chunk.offset[at]);
  const std::size_t row = at / kLanes * (coarse_rows_ + 1) + coarse_rows_;
  std::memcpy(chunk.coarse + kRow * row + at % kLanes * sizeof numbers, &numbers, sizeof numbers);
}

void CodeTable::put_numbers(const Chunk& chunk, std::size_t at, Numbers numbers) const {
  std::memcpy(ranked_row(chunk, at), &numbers, sizeof numbers);
}

void CodeTable::put(Slot slot, const VectorCode& code, float offset) {
  const Chunk& chunk = chunk_for(slot);
  const std::size_t at = slot % kChunkSlots, lane = at % kLanes;
  std::uint8_t* low_rows = chunk.low + at / kLanes * rows_ * kRow + kRowBytes * lane;
  for (std::size_t row = 0; row < rows_; ++row)
    for (std::size_t z = 0; z < kRowBytes; ++z) {
      unsigned high = 0, low = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        const unsigned two = code.two_bits[4 * (8 * row + bit) + z];
        high |= two >> 1 << bit;
        low |= (two & 1) << (bit ^ 1);
      }
      high_row(chunk, at, row)[kLanes * z + lane] = static_cast<std::uint8_t>(high);
      low_rows[kRow * row + z] = static_cast<std::uint8_t>(low);
    }
  chunk.scale1[at] = code.scale1;
  chunk.scale2[at] = code.scale2;
  chunk.offset[at] = offset;
  put_numbers(chunk, at, {code.scale8, offset});
  halve(code.byte.data(), dimension_, ranked_row(chunk, at) + sizeof(Numbers));
  put_coarse_numbers(chunk, at);
}

bool CodeTable::has(Slot slot) const { return !empty(slot) && !std::isnan(chunk(slot).scale2[slot % kChunkSlots]); }

void CodeTable::clear(Slot slot) {
  const Chunk& chunk = this->chunk(slot);
  const std::size_t at = slot % kChunkSlots;
  chunk.scale1[at] = chunk.scale2[at] = kNobody;
  put_numbers(chunk, at, {kNobody, chunk.offset[at]});
  put_coarse_numbers(chunk, at);
}

// Calls visit(slot, where it stands in its chunk, how many there) for each piece within a chunk.
template <class Visit>
void CodeTable::for_each_piece(Slot first, std::size_t count, Visit&& visit) const {
  for (std::size_t done = 0; done < count;) {
    const auto slot = static_cast<Slot>(first + done);
    const std::size_t piece = std::min(count - done, kChunkSlots - slot % kChunkSlots);
    visit(slot, slot % kChunkSlots, done, piece);
    done += piece;
  }
}

void CodeTable::load(Slot first, std::size_t count, const CodePlanes& from) {
  const std::size_t plane = dimension_ / 8;
  for_each_piece(first, count, [&](Slot slot, std::size_t at, std::size_t done, std::size_t piece) {
    const Chunk& chunk = chunk_for(slot);
    const std::uint8_t* high = from.high + done * plane;
    for (std::size_t lane = 0; lane < piece; lane += kLanes)
      for (std::size_t row = 0; row < rows_; ++row, high += kRow) by_byte(high, high_row(chunk, at + lane, row));
    std::memcpy(chunk.low + at * plane, from.low + done * plane, piece * plane);
    std::copy_n(from.scale1 + done, piece, chunk.scale1 + at);
    std::copy_n(from.scale2 + done, piece, chunk.scale2 + at);
    std::copy_n(from.offset + done, piece, chunk.offset + at);
    for (std::size_t i = 0; i < piece; ++i) {
      put_numbers(chunk, at + i, {from.scale8[done + i], from.offset[done + i]});
      halve(from.bytes + (done + i) * dimension_, dimension_, ranked_row(chunk, at + i) + sizeof(Numbers));
      put_coarse_numbers(chunk, at + i);
    }
  });
}

CodeTable::Copy CodeTable::copy(Slot first, std::size_t count) const {
  const std::size_t plane = dimension_ / 8;
  Copy to;
  to.high.resize(count * plane);
  to.low.resize(count * plane);
  to.bytes.resize(count * dimension_);
  for (auto* scale : {&to.scale1, &to.scale2, &to.scale8}) scale->assign(count, kNobody);
  to.offset.resize(count);
  for_each_piece(first, count, [&](Slot slot, std::size_t at, std::size_t done, std::size_t piece) {
    if (empty(slot)) return;
    const Chunk& chunk = this->chunk(slot);
    std::uint8_t* high = to.high.data() + done * plane;
    for (std::size_t lane = 0; lane < piece; lane += kLanes)
      for (std::size_t row = 0; row < rows_; ++row, high += kRow) by_slot(high_row(chunk, at + lane, row), high);
    std::memcpy(to.low.data() + done * plane, chunk.low + at * plane, piece * plane);
    for (std::size_t i = 0; i < piece; ++i) {
      const auto [numbers, halves] = ranked(slot + static_cast<Slot>(i));
      join(halves.high, dimension_, to.bytes.data() + (done + i) * dimension_);
      to.scale8[done + i] = numbers->scale8;
    }
    std::copy_n(chunk.scale1 + at, piece, to.scale1.begin() + static_cast<std::ptrdiff_t>(done));
    std::copy_n(chunk.scale2 + at, piece, to.scale2.begin() + static_cast<std::ptrdiff_t>(done));
    std::copy_n(chunk.offset + at, piece, to.offset.begin() + static_cast<std::ptrdiff_t>(done));
  });
  return to;
}

void CodeTable::release(Slot first, Slot end) {
  for (std::size_t i = (first + kChunkSlots - 1) / kChunkSlots; i < std::min(chunks_.size(), end / kChunkSlots); ++i)
    chunks_[i] = {};
}

CodeBlocks CodeTable::blocks(Slot first, std::size_t count, CodeBits bits) const {
  const Chunk& chunk = this->chunk(first);
  const std::size_t at = first % kChunkSlots;
  return {chunk.coarse + at * (coarse_rows_ + 1) * kRowBytes,
          chunk.high + at * (rows_ - coarse_rows_) * kRowBytes,
          chunk.low + at * rows_ * kRowBytes,
          (bits == CodeBits::kOne ? chunk.scale1 : chunk.scale2) + at,
          chunk.offset + at,
          rows_,
          count / CodeBlocks::kSlots};
}

}  // namespace pandora
