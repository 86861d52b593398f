// Nearest neighbours by dot product, over slots: a scan of short codes, exact in what it returns.
//
// Every vector is kept as two bits a dimension, as bytes, and as floats (`vector_rows.h`). A search scans the two-bit
// codes (of a large collection their high bit alone; of few slots the upper halves of their bytes, one by one),
// re-ranks by bytes what may still be among the best, and computes the floats' dot products of what is left, which are
// the scores: sums in one fixed order (16 lanes, then halves), the same on every processor. Where points lie in
// clusters, a part of each code says first which slots are worth a look at the upper halves of their bytes; each query
// decides by a sample whether that pays (docs/adr/0019). There is no graph to build: a vector is found as soon as it
// was put, no longer when it was removed, and a filter loses nothing. How many are re-ranked follows from the error
// bounds of the codes (`quantizer.h`): a true neighbour is missed about once in a thousand where all are nearly alike,
// else hardly ever.
//
// Order: score descending, then id ascending; always min(k, matching slots) hits. Vectors: 1 to kMaxDimension
// (ports/vector_store.h) finite components within ± kMaxComponent; the caller checks. Not thread-safe: its owner lets
// many search or one change.
#pragma once
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "ports/vector_store.h"
#include "vecdb/code_table.h"
#include "vecdb/index_part.h"
#include "vecdb/quantizer.h"
#include "vecdb/rotation.h"
#include "vecdb/selection.h"
#include "vecdb/slot_set.h"
#include "vecdb/vector_rows.h"

namespace pandora {

class CoarseBounds;

inline constexpr float kMaxComponent = 1e15F;  // so that no sum of products overflows
// Slots that one thread scans by itself: at 384 dimensions a millisecond or two. Each part has its own threshold, so
// what is found depends on where parts begin, not on who scans them.
inline constexpr std::size_t kScanPart = 524'288;

// Hits that a coarse look is for: more reach far beyond a cluster, and a sample costs more.
inline constexpr std::size_t kCoarseMost = 64;

struct DenseOptions {
  const Kernels* kernels = &best_kernels();
  // From so many slots on one bit is scanned: half of the memory and of the products is worth more candidates; as long
  // as it leaves few of them.
  std::size_t one_bit_from = 65'536;
  // Helps with a scan of more than kScanPart slots; the answer is the same without. Outlives the index.
  ThreadPool* pool = nullptr;
  std::size_t part_slots = kScanPart;  // a multiple of 4,096
  // A range of so many slots is looked at coarsely first, when a sample of it says that this spares most of the rest.
  std::size_t coarse_from = 32'768;
};

// What a search did; for tests and benchmarks.
struct DenseTrace {
  enum class Plan { kNothing, kExact, kGather, kScan } plan = Plan::kNothing;
  std::size_t matching = 0, by_bytes = 0, exactly = 0;  // slots that passed the filter, and that each stage looked at
  std::size_t coarse_parts = 0;                         // of the scan, that were looked at coarsely first
};

// What is kept of a vector beside its floats.
struct DenseCode {
  VectorCode code;
  float offset = 0;
  std::uint64_t centred_at = 0;
};

class DenseIndex {
 public:
  // `slots` knows the ids and outlives the index.
  DenseIndex(std::size_t dimension, const SlotIds& slots, std::unique_ptr<VectorRows> rows, DenseOptions options = {});
  DenseIndex(std::size_t dimension, const SlotIds& slots) : DenseIndex(dimension, slots, make_memory_rows(dimension)) {}

  // Most of the work of `put`, by the one who changes the index, also beside searches: then they wait for less.
  DenseCode code_of(std::span<const float> vector) const;
  // Replaces. `code`: of this vector, made ahead; null, or of a mean that has changed since: it is made here.
  void put(Slot slot, std::span<const float> vector, const DenseCode* code = nullptr);
  void remove(Slot slot);
  bool has(Slot slot) const { return present_.contains(slot); }
  const SlotSet& present() const { return present_; }
  std::size_t size() const { return count_; }
  std::size_t dimension() const { return rotation_.dimension(); }
  std::span<const float> vector(Slot slot) const { return {rows_->row(slot), dimension()}; }  // of one that is there

  // Codes from a file, of rows that are there already: those of `live` slots. `centred_at`: of the codes; of another
  // one than this index's they are made anew. False when a row for that could not be read.
  bool load(Slot first, std::size_t count, const CodePlanes& codes, std::uint64_t centred_at, const SlotSet& live);
  CodeTable::Copy copy_codes(Slot first, std::size_t count) const { return codes_.copy(first, count); }
  const DenseCentre& centre() const { return centre_; }
  void set_centre(DenseCentre centre);                                // of an index without vectors
  void release(Slot first, Slot end) { codes_.release(first, end); }  // nothing is there any more

  // `filter` null: every slot counts. kDeadlineExceeded when it takes too long; kDataCorrupt when a row that matters
  // cannot be read.
  Result<std::vector<Hit>> search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline, DenseTrace* trace = nullptr) const;

 private:
  struct Query;
  Query prepare(std::span<const float> query, DenseTrace::Plan plan) const;
  void encode_vector(const float* vector, DenseCode& code) const;
  bool encode_slot(Slot slot);  // false: its row cannot be read
  void take_mean();

  struct Scanned {
    Selection best;
    std::size_t coarse_parts = 0;
  };
  Status scan(const Query& query, const SlotSet* filter, const Deadline& deadline, Scanned& scanned) const;
  struct Range {
    std::size_t first, end;  // slots
  };
  Status scan_part(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                   Scanned& scanned) const;
  static constexpr std::size_t kScanAtOnce = 1024;  // slots between two looks at clock and threshold
  using Mask = std::array<std::uint64_t, kScanAtOnce / SlotSet::kWordBits>;
  Status scan_whole(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                    Selection& best) const;
  // What the k-th best score of the range is likely to be, by one group of slots in `share`; none when a coarse look
  // would spare too little.
  std::optional<float> coarse_guess(const Query& query, const SlotSet* filter, Range range, std::size_t k,
                                    std::size_t share) const;
  Status scan_coarsely(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range, float guess,
                       Selection& best) const;
  std::size_t look(const Query& query, Range range, const std::uint64_t* mask, float threshold, float* bounds,
                   Candidate* out) const;
  void copy_mask(const SlotSet& filter, std::size_t first, Mask& mask) const;
  // By bytes, those that may still be among the best; the others are dropped.
  Status rank_doubtful(const Query& query, std::vector<Candidate>& candidates, const Deadline& deadline,
                       Selection& best) const;
  // By the upper halves of bytes, and those that may then still be among the best by bytes.
  Status rank_by_halves(const Query& query, std::span<Candidate> candidates, const Deadline& deadline,
                        Selection& best) const;
  void rank_by_bytes(const Query& query, std::span<const Candidate> candidates, Selection& best) const;
  Result<std::vector<Hit>> rank_exactly(std::span<const float> query, std::size_t k,
                                        std::span<const Candidate> candidates, const Deadline& deadline) const;

  DenseOptions options_;
  const SlotIds& slots_;
  Rotation rotation_;
  std::unique_ptr<VectorRows> rows_;
  CodeTable codes_;
  SlotSet present_;
  std::size_t count_ = 0;
  // Codes are of differences from the mean, which most embeddings have in common. It is taken when the collection
  // reaches certain sizes; another one would make codes worse, never an answer wrong.
  DenseCentre centre_;
  double mean_square_ = 0;
  DenseCode scratch_;
};

}  // namespace pandora
