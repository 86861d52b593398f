// An inverted index with inverse document frequency at query time, over slots.
//
// score = Σ over terms of both: query value · idf · stored value, idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df over all
// slots that are in the index, whatever the filter (as Qdrant's `modifier: idf`). Only slots with a common term are found.
// Not thread-safe: guarded by its owner.
#pragma once
#include <unordered_map>

#include "domain/sparse_weights.h"
#include "vecdb/dense_index.h"

namespace pandora {

class SparseIndex {
 public:
  void put(Slot slot, const Uuid& id, SparseVector vector);  // replaces
  void remove(Slot slot);
  const SparseVector* vector(Slot slot) const;
  Result<std::vector<Hit>> search(const SparseVector& query, std::size_t k, const SlotFilter& filter, const Deadline& deadline) const;

 private:
  struct Posting {
    Slot slot;
    float weight;
  };
  struct Entry {
    Uuid id;
    SparseVector vector;
  };
  std::unordered_map<std::uint32_t, std::vector<Posting>> postings_;
  std::unordered_map<Slot, Entry> entries_;
};

}  // namespace pandora
