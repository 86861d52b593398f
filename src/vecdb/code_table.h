// The codes of a dense index, by slot: the planes that the kernels scan, the half bytes that re-rank, and their scales.
//
// In chunks that are allocated at once and never moved, so a growing collection copies nothing; large ones in pages of
// 2 MiB, where the system gives them. 504 bytes a slot at 384 dimensions, 512 with what fills up the last page. Not
// thread-safe: guarded by its owner.
#pragma once
#include <cstdlib>
#include <memory>
#include <vector>

#include "vecdb/hit.h"
#include "vecdb/kernels.h"
#include "vecdb/quantizer.h"

namespace pandora {

// What a coarse look knows of a slot, in one word: the scale of its one-bit code (upper half) and its offset, each as
// the upper half of a float's bits, rounded: within 1/256 of it. NaN stays NaN.
std::uint32_t coarse_numbers(float scale, float offset);

enum class CodeBits { kOne, kTwo };

// The codes of consecutive slots, from a multiple of 64 on and so many: as a file has them. Of both planes a slot's
// four bytes of a row stand side by side, and all rows of a block; else as in CodeBlocks.
struct CodePlanes {
  const std::uint8_t *high, *low, *bytes;          // dimension/8, dimension/8 and dimension bytes a slot
  const float *scale1, *scale2, *scale8, *offset;  // a slot
};

class CodeTable {
 public:
  static constexpr std::size_t kChunkSlots = 4096;
  static constexpr std::size_t kGroup = 64;  // slots

  explicit CodeTable(std::size_t dimension);  // a multiple of Rotation::kBlock
  void put(Slot slot, const VectorCode& code, float offset);
  void clear(Slot slot);                                              // below slots(); from now on no kernel finds it
  std::size_t slots() const { return chunks_.size() * kChunkSlots; }  // those without a code are empty

  // From and to elsewhere; `first` and `count` are multiples of 64. What was there is written over.
  void load(Slot first, std::size_t count, const CodePlanes& from);
  struct Copy {
    std::vector<std::uint8_t> high, low, bytes;
    std::vector<float> scale1, scale2, scale8, offset;
    CodePlanes planes() const {
      return {high.data(), low.data(), bytes.data(), scale1.data(), scale2.data(), scale8.data(), offset.data()};
    }
  };
  Copy copy(Slot first, std::size_t count) const;
  bool empty(Slot slot) const { return slot >= slots() || !chunk(slot).memory; }  // as are all of its chunk
  bool has(Slot slot) const;                                                      // somebody is there
  void release(Slot first, Slot end);  // the memory of chunks that lie wholly in between: nobody is there any more

  // `count` slots from `first`, both multiples of 64, within one chunk that is not empty.
  CodeBlocks blocks(Slot first, std::size_t count, CodeBits bits) const;
  // What ranks one slot lies side by side: its numbers, the upper halves of its bytes, the lower ones.
  struct Numbers {
    float scale8, offset;
  };
  struct Ranked {
    const Numbers* numbers;
    HalfBytes halves;
  };
  Ranked ranked(Slot slot) const {
    const std::uint8_t* row = ranked_row(chunk(slot), slot % kChunkSlots);
    const std::uint8_t* high = row + sizeof(Numbers);
    return {reinterpret_cast<const Numbers*>(row), {high, high + dimension_ / 2}};
  }
  std::size_t ranked_bytes() const { return sizeof(Numbers) + dimension_; }
  std::size_t upper_bytes() const { return sizeof(Numbers) + dimension_ / 2; }  // of them, without the lower halves

 private:
  struct Free {
    std::size_t mapped;  // bytes; 0: of the heap
    void operator()(std::uint8_t* memory) const;
  };
  using Memory = std::unique_ptr<std::uint8_t, Free>;
  static Memory zeros(std::size_t bytes);
  struct Chunk {
    Memory memory;  // all of what follows
    std::uint8_t *coarse = nullptr, *high = nullptr, *low = nullptr, *ranked = nullptr;
    float *scale1 = nullptr, *scale2 = nullptr, *offset = nullptr;
  };
  const Chunk& chunk(Slot slot) const { return chunks_[slot / kChunkSlots]; }
  std::uint8_t* ranked_row(const Chunk& chunk, std::size_t at) const { return chunk.ranked + at * ranked_bytes(); }
  void put_numbers(const Chunk& chunk, std::size_t at, Numbers numbers) const;
  Chunk make_chunk() const;
  Chunk& chunk_for(Slot slot);  // made when it is not there
  // Where row `row` of the block of the slot at this place in its chunk lies.
  std::uint8_t* high_row(const Chunk& chunk, std::size_t at, std::size_t row) const;
  void put_coarse_numbers(const Chunk& chunk, std::size_t at) const;  // as scale1 and offset are now
  template <class Visit>
  void for_each_piece(Slot first, std::size_t count, Visit&& visit) const;

  std::size_t dimension_, rows_, coarse_rows_;
  std::vector<Chunk> chunks_;  // those without memory are empty
};

}  // namespace pandora
