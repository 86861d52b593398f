// The slots that have one term, with its weight in each, ascending.
//
// In blocks of at most kBlock postings that know their slots' range and their largest weight: a search leaves out
// blocks that cannot matter, and a change moves a block at most. Internal to vecdb.
#pragma once
#include <span>
#include <vector>

#include "vecdb/hit.h"

namespace pandora {

struct Posting {
  Slot slot;
  float weight;
};

class PostingList {
 public:
  static constexpr std::size_t kBlock = 128;
  struct Block {
    Slot first = 0, last = 0;
    float largest = 0;
    std::vector<Posting> postings;  // never empty
  };

  void put(Slot slot, float weight);  // of a slot that is not there
  void remove(Slot slot);             // of one that is
  std::size_t size() const { return size_; }
  std::span<const Block> blocks() const { return blocks_; }
  // The weight of a slot, or null. Looks from block `from` on.
  const float* find(Slot slot, std::size_t from = 0) const;

 private:
  std::size_t block_of(Slot slot, std::size_t from) const;  // the first that ends at or behind it
  std::vector<Block> blocks_;
  std::size_t size_ = 0;
};

}  // namespace pandora
