// An inverted index with inverse document frequency at query time, over slots.
//
// score = Σ over terms of both: query value · idf · stored value, idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df
// over all slots that are in the index, whatever the filter (as Qdrant's `modifier: idf`). Only slots with a common
// term are found. Summed in double by ascending term, whatever the order of the query, then rounded to float: the same
// bits always.
//
// A search goes through the slots window by window. The bounds of blocks say how much each term can add there; terms
// that together could not lift a slot among the best k are not read, only looked up for slots that the others brought
// up ("MaxScore", Turtle & Flood 1995, by window). What is left out could not have been among the best: the answer is
// that of looking at everything, bit for bit.
//
// Order: score descending, then id ascending; min(k, slots with a common term that pass the filter) hits. Values are
// finite; the caller checks. A change is seen by the next search. Not thread-safe: its owner lets many search or one
// change.
#pragma once
#include <optional>
#include <unordered_map>

#include "vecdb/sparse_search.h"

namespace pandora {

// What a term of the query weighs beside its own value: its rarity, or nothing (then the score is a plain dot product).
enum class TermWeighting { kIdf, kPlain };

class SparseIndex {
 public:
  // Slots are `first` and above.
  explicit SparseIndex(const SlotIds& slots, Slot first = 0, TermWeighting weighting = TermWeighting::kIdf)
      : slots_(slots), first_(first), weighting_(weighting) {}
  void put(Slot slot, const SparseVector& vector);  // replaces
  void remove(Slot slot);
  bool has(Slot slot) const { return present_.contains(slot - first_); }
  std::size_t size() const { return count_; }
  std::optional<SparseVector> vector(Slot slot) const;
  std::span<const std::uint32_t> terms(Slot slot) const;  // of its vector, ascending; none when it has no vector
  std::vector<std::uint32_t> terms() const;               // of all, ascending
  const PostingList* list(std::uint32_t term) const;      // null: no slot has it
  // `filter` null: every slot counts. kDeadlineExceeded when it takes too long.
  Result<std::vector<Hit>> search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline, SparseTrace* trace = nullptr) const;

 private:
  const SlotIds& slots_;
  Slot first_;
  TermWeighting weighting_;
  std::unordered_map<std::uint32_t, PostingList> postings_;  // by term
  std::vector<std::vector<std::uint32_t>> terms_;            // by slot behind the first, ascending
  SlotSet present_;
  std::size_t count_ = 0;
};

}  // namespace pandora
