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

#include "base/clock.h"
#include "domain/sparse_weights.h"
#include "vecdb/posting_list.h"
#include "vecdb/slot_set.h"
#include "vecdb/slot_table.h"

namespace pandora {

// What a search did; for tests and benchmarks.
struct SparseTrace {
  std::size_t postings = 0;   // of all terms of the query
  std::size_t read = 0;       // of these
  std::size_t stepped = 0;    // candidates to which a list was followed instead
  std::size_t looked_up = 0;  // slots whose weights were looked up, term by term
  std::size_t windows = 0, windows_skipped = 0;
};

// What a term of the query weighs beside its own value: its rarity, or nothing (then the score is a plain dot product).
enum class TermWeighting { kIdf, kPlain };

class SparseIndex {
 public:
  explicit SparseIndex(const SlotTable& slots, TermWeighting weighting = TermWeighting::kIdf)
      : slots_(slots), weighting_(weighting) {}
  void put(Slot slot, const SparseVector& vector);  // replaces
  void remove(Slot slot);
  bool has(Slot slot) const { return present_.contains(slot); }
  std::optional<SparseVector> vector(Slot slot) const;
  // `filter` null: every slot counts. kDeadlineExceeded when it takes too long.
  Result<std::vector<Hit>> search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline, SparseTrace* trace = nullptr) const;

 private:
  const SlotTable& slots_;
  const TermWeighting weighting_;
  std::unordered_map<std::uint32_t, PostingList> postings_;  // by term
  std::vector<std::vector<std::uint32_t>> terms_;            // by slot, ascending
  SlotSet present_;
  std::size_t count_ = 0;
};

}  // namespace pandora
