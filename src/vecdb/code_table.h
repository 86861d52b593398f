// The codes of a dense index, by slot: the planes that the kernels scan, the bytes that re-rank, and their scales.
//
// In chunks that are allocated at once and never moved, so a growing collection copies nothing; large ones in pages of
// 2 MiB, where the system gives them. 496 bytes a slot at 384 dimensions, 512 with what fills up the last page. Not
// thread-safe: guarded by its owner.
#pragma once
#include <cstdlib>
#include <memory>
#include <vector>

#include "vecdb/hit.h"
#include "vecdb/kernels.h"
#include "vecdb/quantizer.h"

namespace pandora {

enum class CodeBits { kOne, kTwo };

class CodeTable {
 public:
  static constexpr std::size_t kChunkSlots = 4096;

  explicit CodeTable(std::size_t dimension);  // a multiple of Rotation::kBlock
  void put(Slot slot, const VectorCode& code, float offset);
  void clear(Slot slot);                                              // below slots(); from now on no kernel finds it
  std::size_t slots() const { return chunks_.size() * kChunkSlots; }  // those without a code are empty

  // `count` slots from `first`, both multiples of 64, within one chunk.
  CodeBlocks blocks(Slot first, std::size_t count, CodeBits bits) const;
  const std::uint8_t* bytes(Slot slot) const { return chunk(slot).bytes + slot % kChunkSlots * dimension_; }
  float byte_scale(Slot slot) const { return chunk(slot).scale8[slot % kChunkSlots]; }
  float offset(Slot slot) const { return chunk(slot).offset[slot % kChunkSlots]; }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  struct Chunk {
    std::unique_ptr<std::uint8_t, Free> memory;  // all of what follows
    std::uint8_t *high, *low, *bytes;
    float *scale1, *scale2, *scale8, *offset;
  };
  const Chunk& chunk(Slot slot) const { return chunks_[slot / kChunkSlots]; }
  Chunk make_chunk() const;

  std::size_t dimension_;
  std::vector<Chunk> chunks_;
};

}  // namespace pandora
