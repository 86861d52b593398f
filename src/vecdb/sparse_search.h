// The best slots by a sum over the postings of a query's terms. The lists may lie anywhere: in memory, in mapped files,
// or in several pieces one behind the other. Internal to vecdb.
//
// score = Σ over terms of both: query value · idf · stored value, idf = ln(1 + (N − df + 0.5) / (df + 0.5)), N and df
// over all points that have terms, whatever the filter (as Qdrant's `modifier: idf`). Only slots with a common term are
// found. Summed in double by ascending term, whatever the order of the query, then rounded to float: the same bits
// always.
//
// A search goes through the slots window by window. The bounds of blocks say how much each term can add there; terms
// that together could not lift a slot among the best k are not read, only looked up for slots that the others brought
// up ("MaxScore", Turtle & Flood 1995, by window). What is left out could not have been among the best: the answer is
// that of looking at everything, bit for bit.
//
// Order: score descending, then id ascending; min(k, slots with a common term that pass the filter) hits. Values are
// finite; the caller checks.
#pragma once
#include <span>
#include <vector>

#include "base/clock.h"
#include "domain/sparse_weights.h"
#include "vecdb/posting_list.h"
#include "vecdb/slot_set.h"

namespace pandora {

// What a search did; for tests and benchmarks.
struct SparseTrace {
  std::size_t postings = 0;   // of all terms of the query
  std::size_t read = 0;       // of these
  std::size_t stepped = 0;    // candidates to which a list was followed instead
  std::size_t looked_up = 0;  // slots whose weights were looked up, term by term
  std::size_t windows = 0, windows_skipped = 0;
};

// Postings of consecutive slots of one list, never none, and the largest weight among them.
struct PostingBlock {
  Slot first = 0, last = 0;
  float largest = 0;
  std::uint32_t count = 0;
  const Posting* postings = nullptr;
};
// The slots that have one term: blocks in the order of slots.
struct TermBlocks {
  std::vector<PostingBlock> blocks;
  std::size_t size = 0;  // postings
  void append(const PostingList& list);
  const Posting* find(Slot slot) const;  // null: it is in no block
};

struct SearchTerm {
  double factor = 0;  // query value · idf
  TermBlocks list;    // not empty
};

// What a term of the query weighs beside its own value: its rarity, or nothing (then the score is a plain dot product).
enum class TermWeighting { kIdf, kPlain };

// idf of a term that `df` of `n` slots have.
double inverse_document_frequency(std::size_t n, std::size_t df);

// `terms` ascending by term: sums are made in this order. Slots outside of `filter` (null: none) count for nothing.
Result<std::vector<Hit>> search_postings(std::vector<SearchTerm> terms, std::size_t k, const SlotIds& slots,
                                         const SlotSet* filter, const Deadline& deadline, SparseTrace* trace = nullptr);

}  // namespace pandora
