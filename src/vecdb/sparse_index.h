// An inverted index in memory: of each term the slots whose vectors have it, with its values there. How it is searched:
// `sparse_search.h`. Internal to vecdb. Not thread-safe: its owner lets many search or one change.
#pragma once
#include <unordered_map>

#include "vecdb/sparse_search.h"

namespace pandora {

class SparseIndex {
 public:
  // Slots are `first` and above.
  explicit SparseIndex(Slot first) : first_(first) {}
  void put(Slot slot, const SparseVector& vector);  // replaces
  void remove(Slot slot);
  bool has(Slot slot) const { return !terms(slot).empty(); }  // a vector with a term
  std::span<const std::uint32_t> terms(Slot slot) const;      // of its vector, as they were given
  std::vector<std::uint32_t> terms() const;                   // of all, ascending
  const PostingList* list(std::uint32_t term) const;          // null: no slot has it

 private:
  Slot first_;
  std::unordered_map<std::uint32_t, PostingList> postings_;  // by term
  std::vector<std::vector<std::uint32_t>> terms_;            // by slot behind the first
};

}  // namespace pandora
