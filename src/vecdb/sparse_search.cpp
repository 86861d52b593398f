#include "vecdb/sparse_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace pandora {
namespace {

constexpr std::size_t kWindow = 2048;  // slots; their sums fit the first cache
constexpr std::size_t kStepCost = 30;  // of following a list to the next candidate, in postings read: the memory is far
constexpr std::size_t kLookUpCost = 32;  // of a weight, in postings read
constexpr double kRounding = 1e-6;       // of a score: more than its last bit and the order of a sum make out

// A term of the query, and how far its list has been followed.
struct QueryTerm {
  double factor;
  TermBlocks list;
  std::size_t block = 0, end = 0;  // of the blocks that reach into the window
  double bound = 0;                // of what it can add to a slot of the window
};

// In a block that ends at or behind the slot.
const Posting* find_in(const PostingBlock& block, Slot slot) {
  const Posting* place = std::lower_bound(block.postings, block.postings + block.count, slot,
                                          [](const Posting& posting, Slot wanted) { return posting.slot < wanted; });
  return place != block.postings + block.count && place->slot == slot ? place : nullptr;
}

// Sums of the slots of a window. −0.0 is a slot that no term has reached: nothing that is added gives it back.
class Sums {
 public:
  void clear() { sums_.fill(-0.0); }
  void add(std::size_t at, double value) { sums_[at] += value + 0.0; }  // + 0.0: a −0.0 becomes 0.0
  double operator[](std::size_t at) const { return sums_[at]; }
  bool reached(std::size_t at) const {
    return std::bit_cast<std::uint64_t>(sums_[at]) != std::bit_cast<std::uint64_t>(-0.0);
  }

 private:
  std::array<double, kWindow> sums_;
};

class Search {
 public:
  Search(std::vector<QueryTerm> terms, std::size_t k, const SlotIds& slots, const SlotSet* filter)
      : terms_(std::move(terms)), slots_(slots), filter_(filter), best_(k) {
    // With a negative factor a bound is none: nothing is left out.
    bounded_ = std::ranges::all_of(terms_, [](const QueryTerm& term) { return term.factor >= 0; });
    for (const QueryTerm& term : terms_) {
      trace_.postings += term.list.size;
      end_ = std::max(end_, term.list.blocks.back().last + std::size_t{1});
    }
  }

  Status run(const Deadline& deadline) {
    const std::size_t matching =
        filter_ ? filter_->count() : std::numeric_limits<std::size_t>::max() / kLookUpCost / (terms_.size() + 1);
    if (matching * kLookUpCost * terms_.size() < trace_.postings) return look_up_all(deadline);
    for (std::size_t first = 0; first < end_; first += kWindow) {
      PANDORA_CHECK(deadline.check("searching by words"));
      ++trace_.windows;
      if (passes_any(first))
        window(first);
      else
        ++trace_.windows_skipped;
    }
    return {};
  }
  std::vector<Hit> take() { return best_.take(); }
  const SparseTrace& trace() const { return trace_; }

 private:
  bool passes_any(std::size_t first) const {
    if (!filter_) return true;
    for (std::size_t i = 0; i < kWindow / SlotSet::kWordBits; ++i)
      if (filter_->word(first / SlotSet::kWordBits + i) != 0) return true;
    return false;
  }

  // A sum below it is no score of the best k; one that equals the worst of them may be, by its id.
  void settle() {
    if (!bounded_ || !best_.full()) return;
    const auto worst = static_cast<double>(best_.worst().score);
    least_ = worst - std::fabs(worst) * kRounding - static_cast<double>(std::numeric_limits<float>::min());
  }

  // What each term can add to a slot of the window, from the largest weights of its blocks.
  void bound_terms(std::size_t first) {
    for (QueryTerm& term : terms_) {
      const std::span<const PostingBlock> blocks = term.list.blocks;
      while (term.block < blocks.size() && blocks[term.block].last < first) ++term.block;
      term.bound = 0;
      term.end = term.block;
      for (; term.end < blocks.size() && blocks[term.end].first < first + kWindow; ++term.end)
        term.bound = std::max(term.bound, term.factor * blocks[term.end].largest);
    }
  }

  void window(std::size_t first) {
    bound_terms(first);
    by_bound_.clear();
    for (QueryTerm& term : terms_) by_bound_.push_back(&term);
    std::ranges::sort(by_bound_, std::greater<>(), [](const QueryTerm* term) { return term->bound; });
    rest_.assign(by_bound_.size() + 1, 0);  // rest_[i]: what the terms from the i-th on can add together
    for (std::size_t i = by_bound_.size(); i > 0; --i) rest_[i - 1] = rest_[i] + by_bound_[i - 1]->bound;
    // A slot that has none of the first ones cannot be among the best.
    std::size_t needed = by_bound_.size();
    while (needed > 0 && rest_[needed - 1] < least_) --needed;
    if (needed == 0) {
      ++trace_.windows_skipped;
      return;
    }
    sums_.clear();
    candidates_.clear();
    if (needed == terms_.size()) {
      for (const QueryTerm& term : terms_) read(term, first);  // in this order the sums are the scores
      collect(first, 0);
      for (const std::uint32_t at : candidates_) offer(static_cast<Slot>(first + at), sums_[at]);
      return;
    }
    for (std::size_t i = 0; i < needed; ++i) read(*by_bound_[i], first);
    collect(first, rest_[needed]);
    // With each further term some drop out; what remains is summed again, in the order that makes a score.
    for (std::size_t i = needed; i < by_bound_.size() && !candidates_.empty(); ++i) {
      add_to_candidates(*by_bound_[i], first);
      std::erase_if(candidates_, [&](std::uint32_t at) { return sums_[at] + rest_[i + 1] < least_; });
    }
    trace_.looked_up += candidates_.size();
    sums_.clear();
    for (const QueryTerm& term : terms_) add_to_candidates(term, first);
    for (const std::uint32_t at : candidates_) offer(static_cast<Slot>(first + at), sums_[at]);
  }

  // The slots that were reached, pass the filter, and with `more` could be among the best.
  void collect(std::size_t first, double more) {
    for (std::uint32_t at = 0; at < kWindow; ++at) {
      if (sums_[at] + more < least_ || !sums_.reached(at)) continue;
      if (!filter_ || filter_->contains(static_cast<Slot>(first + at))) candidates_.push_back(at);
    }
  }

  void read(const QueryTerm& term, std::size_t first) {
    const std::span<const PostingBlock> blocks = term.list.blocks;
    for (std::size_t i = term.block; i < term.end; ++i) {
      const std::span postings(blocks[i].postings, blocks[i].count);
      auto from = postings.begin(), to = postings.end();
      if (blocks[i].first < first) from = std::ranges::lower_bound(postings, first, {}, &Posting::slot);
      if (blocks[i].last >= first + kWindow)
        to = std::ranges::lower_bound(postings, first + kWindow, {}, &Posting::slot);
      for (auto posting = from; posting != to; ++posting)
        sums_.add(posting->slot - first, term.factor * posting->weight);
      trace_.read += static_cast<std::size_t>(to - from);
    }
  }

  void add_to_candidates(const QueryTerm& term, std::size_t first) {
    if (candidates_.size() * kStepCost > (term.end - term.block) * PostingList::kBlock) return read(term, first);
    const std::span<const PostingBlock> blocks = term.list.blocks;
    std::size_t block = term.block;
    for (const std::uint32_t at : candidates_) {
      const std::size_t slot = first + at;
      while (block < term.end && blocks[block].last < slot) ++block;
      if (block == term.end) return;
      const Posting* posting = find_in(blocks[block], static_cast<Slot>(slot));
      if (posting) sums_.add(at, term.factor * posting->weight);
    }
    trace_.stepped += candidates_.size();
  }

  Status look_up_all(const Deadline& deadline) {
    Status status;
    std::size_t count = 0;
    filter_->for_each([&](Slot slot) {
      if (count++ % kWindow == 0 && status) status = deadline.check("searching by words");
      if (status) look_up(slot);
    });
    return status;
  }

  void look_up(Slot slot) {
    ++trace_.looked_up;
    double sum = 0;
    bool reached = false;
    for (const QueryTerm& term : terms_) {
      const auto rest = std::span(term.list.blocks).subspan(term.block);
      const auto block = std::ranges::lower_bound(rest, slot, {}, &PostingBlock::last);
      const Posting* posting = block == rest.end() ? nullptr : find_in(*block, slot);
      if (!posting) continue;
      sum += term.factor * posting->weight;
      reached = true;
    }
    if (reached) offer(slot, sum);
  }

  void offer(Slot slot, double sum) {
    const auto score = static_cast<float>(sum);
    if (!best_.wants(score)) return;
    best_.offer({slot, slots_.id(slot), score});
    settle();
  }

  std::vector<QueryTerm> terms_;  // ascending
  const SlotIds& slots_;
  const SlotSet* filter_;
  TopHits best_;
  bool bounded_;
  double least_ = -std::numeric_limits<double>::infinity();
  std::vector<QueryTerm*> by_bound_;  // of the window: descending
  std::vector<double> rest_;
  std::vector<std::uint32_t> candidates_;  // of the window: slots behind its first, ascending
  std::size_t end_ = 0;                    // behind the last slot of all lists
  Sums sums_;
  SparseTrace trace_;
};

}  // namespace

void TermBlocks::append(const PostingList& list) {
  for (const auto& block : list.blocks())
    blocks.push_back({block.first, block.last, block.largest, static_cast<std::uint32_t>(block.postings.size()),
                      block.postings.data()});
  size += list.size();
}

const Posting* TermBlocks::find(Slot slot) const {
  const auto block = std::ranges::lower_bound(blocks, slot, {}, &PostingBlock::last);
  return block == blocks.end() ? nullptr : find_in(*block, slot);
}

double inverse_document_frequency(std::size_t n, std::size_t df) {
  const auto all = static_cast<double>(n), having = static_cast<double>(df);
  return std::log(1 + (all - having + 0.5) / (having + 0.5));
}

Result<std::vector<Hit>> search_postings(std::vector<SearchTerm> terms, std::size_t k, const SlotIds& slots,
                                         const SlotSet* filter, const Deadline& deadline, SparseTrace* trace) {
  if (k == 0 || terms.empty()) return std::vector<Hit>();
  std::vector<QueryTerm> followed;
  for (SearchTerm& term : terms) followed.push_back({term.factor, std::move(term.list)});
  Search search(std::move(followed), k, slots, filter);
  PANDORA_CHECK(search.run(deadline));
  if (trace) *trace = search.trace();
  return search.take();
}

}  // namespace pandora
