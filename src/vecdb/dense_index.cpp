#include "vecdb/dense_index.h"

#include <algorithm>
#include <cmath>

#include "vecdb/selection.h"

namespace pandora {
namespace {

constexpr std::size_t kCentreAt[] = {256, 4'096};  // vectors: the mean of so many is good for many more
constexpr double kLeastMeanSquare = 1e-12;         // a shorter mean is worth nothing
constexpr double kLeastResidual = 1e-3;            // of the query's length: the bound then still covers rounding
constexpr std::size_t kExactBelow = 128;           // slots (or 2k) whose floats are read at once
constexpr std::size_t kGatherShare = 24;           // one in so many slots, or fewer: bytes are gathered, not scanned
constexpr std::size_t kScanAtOnce = 1024;          // slots between two looks at clock and threshold
constexpr std::size_t kAhead = 8, kRowsAhead = 2;  // slots whose memory is fetched before it is needed
constexpr std::size_t kLine = 64;

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void fetch(const void* memory, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const char*>(memory) + i);
}

}  // namespace

// A query q = offset_weight · mean + rest: with x = mean + difference, ⟨x, q⟩ is offset_weight · ⟨difference, mean⟩ +
// ⟨difference, rest⟩ and something that is the same for all. The first is stored with each vector, the second
// estimated.
struct DenseIndex::Query {
  std::span<const float> exact;
  QueryCode code;
  float offset_weight = 0;
};

DenseIndex::DenseIndex(std::size_t dimension, const SlotTable& slots, std::unique_ptr<VectorRows> rows,
                       DenseOptions options)
    : options_(options),
      slots_(slots),
      rotation_(dimension),
      rows_(std::move(rows)),
      codes_(rotation_.padded()),
      mean_(dimension) {}

void DenseIndex::encode_slot(Slot slot) {
  const float* row = rows_->row(slot);
  std::vector<float> difference(dimension()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < dimension(); ++i) difference[i] = row[i] - mean_[i];
  rotation_.apply(difference.data(), rotated.data());
  encode(rotated.data(), rotated.size(), scratch_);
  codes_.put(slot, scratch_, static_cast<float>(product(difference, mean_)));
}

void DenseIndex::put(Slot slot, std::span<const float> vector) {
  rows_->put(slot, vector);
  if (!has(slot)) ++count_;
  present_.insert(slot);
  encode_slot(slot);
  if (count_ > centred_at_ && std::ranges::find(kCentreAt, count_) != std::end(kCentreAt)) centre();
}

void DenseIndex::remove(Slot slot) {
  if (!has(slot)) return;
  present_.erase(slot);
  codes_.clear(slot);
  --count_;
}

void DenseIndex::centre() {
  std::vector<double> sum(dimension());
  present_.for_each([&](Slot slot) {
    const float* row = rows_->row(slot);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += row[i];
  });
  for (std::size_t i = 0; i < sum.size(); ++i) mean_[i] = static_cast<float>(sum[i] / static_cast<double>(count_));
  mean_square_ = product(mean_, mean_);
  centred_at_ = count_;
  present_.for_each([&](Slot slot) { encode_slot(slot); });
}

DenseIndex::Query DenseIndex::prepare(std::span<const float> query) const {
  const double length = std::sqrt(product(query, query));
  const double weight = mean_square_ < kLeastMeanSquare ? 0 : product(query, mean_) / mean_square_;
  std::vector<float> rest(query.size()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = static_cast<float>(query[i] - weight * mean_[i]);
  rotation_.apply(rest.data(), rotated.data());
  return {query, encode_query(rotated.data(), rotated.size(), kLeastResidual * length), static_cast<float>(weight)};
}

Result<std::vector<Hit>> DenseIndex::search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                            const Deadline& deadline, DenseTrace* trace) const {
  PANDORA_CHECK(deadline.check("searching by meaning"));
  const std::size_t matching = filter ? count_common(*filter, present_) : count_;
  DenseTrace done{.matching = matching};
  const auto finish = [&](DenseTrace::Plan plan, auto result) {
    done.plan = plan;
    if (trace) *trace = done;
    return result;
  };
  if (k == 0 || matching == 0) return finish(DenseTrace::Plan::kNothing, Result<std::vector<Hit>>());

  const bool exact = matching <= std::max(kExactBelow, 2 * k);
  const bool gather = exact || matching * kGatherShare <= slots_.bound();
  std::vector<Slot> left;
  const auto keep = [&](const std::vector<Candidate>& candidates) {
    left.clear();
    for (const Candidate& candidate : candidates) left.push_back(candidate.slot);
  };
  if (gather) {
    left.reserve(matching);
    SlotSet all = present_;
    if (filter) all &= *filter;
    all.for_each([&](Slot slot) { left.push_back(slot); });
  }
  const Query prepared = exact ? Query{.exact = query, .code = {}} : prepare(query);
  if (!gather) {
    PANDORA_TRY(candidates, scan(prepared, k, filter, deadline));
    keep(candidates);
  }
  done.from_codes = left.size();
  if (!exact) {
    PANDORA_TRY(candidates, rank_by_bytes(prepared, k, left, deadline));
    keep(candidates);
  }
  done.from_bytes = left.size();
  using enum DenseTrace::Plan;
  return finish(exact ? kExact : gather ? kGather : kScan, rank_exactly(prepared, k, left, deadline));
}

Result<std::vector<Candidate>> DenseIndex::scan(const Query& query, std::size_t k, const SlotSet* filter,
                                                const Deadline& deadline) const {
  const std::size_t bound = slots_.bound();
  const bool one = bound >= options_.one_bit_from;
  const CodeBits bits = one ? CodeBits::kOne : CodeBits::kTwo;
  const ScanQuery scanned{query.code.code.data(), (one ? 0.5F : 1.5F) * query.code.sum, query.code.unit,
                          query.offset_weight, one ? query.code.slack1 : query.code.slack2};
  const Kernels::Scan kernel = one ? options_.kernels->scan_one_bit : options_.kernels->scan_two_bits;
  constexpr std::size_t kWords = kScanAtOnce / SlotSet::kWordBits;
  Selection best(k);
  for (std::size_t first = 0; first < bound; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    std::uint64_t mask[kWords], any = 0;
    if (filter) {
      for (std::size_t i = 0; i < kWords; ++i) any |= mask[i] = filter->word(first / SlotSet::kWordBits + i);
      if (any == 0) continue;
    }
    const auto slot = static_cast<Slot>(first);
    if (slot >= codes_.slots()) break;
    best.added(kernel(codes_.blocks(slot, kScanAtOnce, bits), scanned, filter ? mask : nullptr, best.threshold(), slot,
                      best.room(kScanAtOnce)));
  }
  return best.take();
}

Result<std::vector<Candidate>> DenseIndex::rank_by_bytes(const Query& query, std::size_t k, std::span<const Slot> slots,
                                                         const Deadline& deadline) const {
  const std::size_t n = rotation_.padded();
  const float centre = 127.5F * query.code.sum;
  Selection best(k);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i % kScanAtOnce == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    if (i + kAhead < slots.size()) fetch(codes_.bytes(slots[i + kAhead]), n);
    const auto sum = static_cast<float>(options_.kernels->dot_bytes(codes_.bytes(slots[i]), query.code.code.data(), n));
    const float scale = codes_.byte_scale(slots[i]);
    const float estimate = (sum - centre) * query.code.unit * scale + query.offset_weight * codes_.offset(slots[i]);
    const float bound = estimate + query.code.slack8 * scale;
    if (bound >= best.threshold()) best.offer({estimate, bound, slots[i]});
  }
  return best.take();
}

Result<std::vector<Hit>> DenseIndex::rank_exactly(const Query& query, std::size_t k, std::span<const Slot> slots,
                                                  const Deadline& deadline) const {
  TopHits best(k);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i % kScanAtOnce == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    if (i + kRowsAhead < slots.size()) fetch(rows_->row(slots[i + kRowsAhead]), dimension() * sizeof(float));
    const float score = options_.kernels->dot(query.exact.data(), rows_->row(slots[i]), dimension());
    if (best.wants(score)) best.offer({slots[i], slots_.id(slots[i]), score});
  }
  return best.take();
}

}  // namespace pandora
