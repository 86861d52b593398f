#include "vecdb/code_table.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include <sys/mman.h>

namespace pandora {
namespace {
constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;
constexpr std::size_t kDimensionsPerRow = 32;  // of a plane: see CodeBlocks
}  // namespace

CodeTable::CodeTable(std::size_t dimension) : dimension_(dimension) {}

CodeTable::Chunk CodeTable::make_chunk() const {
  const std::size_t plane = kChunkSlots * dimension_ / 8, floats = kChunkSlots * sizeof(float);
  const std::size_t total = 2 * plane + kChunkSlots * dimension_ + 4 * floats;  // a multiple of kLine, as every part is
  // A scan goes through gigabytes: with small pages it waits for their addresses half of the time.
  const std::size_t whole = total < kHugePage / 2 ? total : (total + kHugePage - 1) / kHugePage * kHugePage;
  auto* memory = static_cast<std::uint8_t*>(std::aligned_alloc(whole < kHugePage ? kLine : kHugePage, whole));
  if (memory == nullptr) throw std::bad_alloc();
  if (whole >= kHugePage) (void)madvise(memory, whole, MADV_HUGEPAGE);  // a wish: without, it is slower
  std::memset(memory, 0, total);
  Chunk chunk{std::unique_ptr<std::uint8_t, Free>(memory), memory, memory + plane, memory + 2 * plane, {}, {}, {}, {}};
  auto* numbers = reinterpret_cast<float*>(chunk.bytes + kChunkSlots * dimension_);
  chunk.scale1 = numbers;
  chunk.scale2 = numbers + kChunkSlots;
  chunk.scale8 = numbers + 2 * kChunkSlots;
  chunk.offset = numbers + 3 * kChunkSlots;
  std::fill_n(numbers, 3 * kChunkSlots, std::numeric_limits<float>::quiet_NaN());
  return chunk;
}

void CodeTable::put(Slot slot, const VectorCode& code, float offset) {
  while (slot >= slots()) chunks_.push_back(make_chunk());
  const Chunk& chunk = this->chunk(slot);
  const std::size_t at = slot % kChunkSlots, block = at / CodeBlocks::kSlots, lane = at % CodeBlocks::kSlots;
  const std::size_t first = block * CodeBlocks::kSlots * dimension_ / 8 + 4 * lane;
  for (std::size_t row = 0; row < dimension_ / kDimensionsPerRow; ++row)
    for (std::size_t z = 0; z < 4; ++z) {
      unsigned high = 0, low = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        const unsigned two = code.two_bits[4 * (8 * row + bit) + z];
        high |= two >> 1 << bit;
        low |= (two & 1) << (bit ^ 1);
      }
      chunk.high[first + kLine * row + z] = static_cast<std::uint8_t>(high);
      chunk.low[first + kLine * row + z] = static_cast<std::uint8_t>(low);
    }
  std::ranges::copy(code.byte, chunk.bytes + at * dimension_);
  chunk.scale1[at] = code.scale1;
  chunk.scale2[at] = code.scale2;
  chunk.scale8[at] = code.scale8;
  chunk.offset[at] = offset;
}

void CodeTable::clear(Slot slot) {
  const Chunk& chunk = this->chunk(slot);
  for (float* scale : {chunk.scale1, chunk.scale2, chunk.scale8})
    scale[slot % kChunkSlots] = std::numeric_limits<float>::quiet_NaN();
}

CodeBlocks CodeTable::blocks(Slot first, std::size_t count, CodeBits bits) const {
  const Chunk& chunk = this->chunk(first);
  const std::size_t at = first % kChunkSlots, plane = at * dimension_ / 8;
  return {chunk.high + plane,
          chunk.low + plane,
          (bits == CodeBits::kOne ? chunk.scale1 : chunk.scale2) + at,
          chunk.offset + at,
          dimension_ / kDimensionsPerRow,
          count / CodeBlocks::kSlots};
}

}  // namespace pandora
