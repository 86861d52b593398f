// An inverted index with inverse document frequency at query time, over slots.
//
// score = Σ over terms of both: query value · idf · stored value, idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df
// over all slots that are in the index, whatever the filter (as Qdrant's `modifier: idf`). Only slots with a common
// term are found. Not thread-safe: guarded by its owner.
#pragma once
#include <unordered_map>

#include "base/clock.h"
#include "domain/sparse_weights.h"
#include "vecdb/slot_set.h"
#include "vecdb/slot_table.h"

namespace pandora {

class SparseIndex {
 public:
  explicit SparseIndex(const SlotTable& slots) : slots_(slots) {}
  void put(Slot slot, SparseVector vector);  // replaces
  void remove(Slot slot);
  const SparseVector* vector(Slot slot) const;
  Result<std::vector<Hit>> search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline) const;

 private:
  struct Posting {
    Slot slot;
    float weight;
  };
  std::unordered_map<std::uint32_t, std::vector<Posting>> postings_;
  const SlotTable& slots_;
  std::unordered_map<Slot, SparseVector> entries_;
};

}  // namespace pandora
