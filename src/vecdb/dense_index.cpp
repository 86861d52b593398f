#include "vecdb/dense_index.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pandora {
namespace {

constexpr std::size_t kCentreAt[] = {256, 4'096};  // vectors: the mean of so many is good for many more
constexpr double kLeastMeanSquare = 1e-12;         // a shorter mean is worth nothing
constexpr double kLeastResidual = 1e-3;            // of the query's length: the bound then still covers rounding
constexpr std::size_t kExactBelow = 128;           // slots (or 2k) whose floats are read at once
constexpr std::size_t kGatherShare = 24;           // one in so many slots, or fewer: bytes are gathered, not scanned
constexpr std::size_t kScanAtOnce = 1024;          // slots between two looks at clock and threshold
constexpr std::size_t kJudgeOneBitAt = 32 * kScanAtOnce;  // slots: the threshold has settled
constexpr std::size_t kOneBitShare = 8;                   // more than one in so many in doubt: two bits are quicker
constexpr std::size_t kAhead = 8, kRowsAhead = 2;         // slots whose memory is fetched before it is needed
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
  QueryCode code;
  float offset_weight = 0;
};

DenseIndex::DenseIndex(std::size_t dimension, const SlotIds& slots, std::unique_ptr<VectorRows> rows,
                       DenseOptions options)
    : options_(options),
      slots_(slots),
      rotation_(dimension),
      rows_(std::move(rows)),
      codes_(rotation_.padded()),
      centre_{0, std::vector<float>(dimension)} {}

bool DenseIndex::encode_slot(Slot slot) {
  const float* row = rows_->row(slot);
  if (!row) return false;
  std::vector<float> difference(dimension()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < dimension(); ++i) difference[i] = row[i] - centre_.mean[i];
  rotation_.apply(difference.data(), rotated.data());
  encode(rotated.data(), rotated.size(), scratch_);
  codes_.put(slot, scratch_, static_cast<float>(product(difference, centre_.mean)));
  return true;
}

void DenseIndex::put(Slot slot, std::span<const float> vector) {
  rows_->put(slot, vector);
  if (!has(slot)) ++count_;
  present_.insert(slot);
  encode_slot(slot);
  if (count_ > centre_.at && std::ranges::find(kCentreAt, count_) != std::end(kCentreAt)) take_mean();
}

void DenseIndex::remove(Slot slot) {
  if (!has(slot)) return;
  present_.erase(slot);
  codes_.clear(slot);
  --count_;
}

bool DenseIndex::load(Slot first, std::size_t count, const CodePlanes& codes, std::uint64_t centred_at,
                      const SlotSet& live) {
  codes_.load(first, count, codes);
  bool good = true;
  for (Slot slot = first; slot < first + count; ++slot) {
    if (!codes_.has(slot)) continue;
    if (!live.contains(slot)) {
      codes_.clear(slot);
      continue;
    }
    present_.insert(slot);
    ++count_;
    if (centred_at != centre_.at) good = encode_slot(slot) && good;
  }
  return good;
}

void DenseIndex::set_centre(DenseCentre centre) {
  centre_ = std::move(centre);
  mean_square_ = product(centre_.mean, centre_.mean);
}

void DenseIndex::take_mean() {
  std::vector<double> sum(dimension());
  bool whole = true;
  present_.for_each([&](Slot slot) {
    const float* row = rows_->row(slot);
    whole = whole && row;
    for (std::size_t i = 0; whole && i < sum.size(); ++i) sum[i] += row[i];
  });
  if (!whole) return;  // the codes stay as they are; whoever reads a damaged row hears of it
  DenseCentre centre{count_, std::vector<float>(dimension())};
  for (std::size_t i = 0; i < sum.size(); ++i)
    centre.mean[i] = static_cast<float>(sum[i] / static_cast<double>(count_));
  set_centre(std::move(centre));
  present_.for_each([&](Slot slot) { encode_slot(slot); });
}

DenseIndex::Query DenseIndex::prepare(std::span<const float> query) const {
  const double length = std::sqrt(product(query, query));
  const double weight = mean_square_ < kLeastMeanSquare ? 0 : product(query, centre_.mean) / mean_square_;
  std::vector<float> rest(query.size()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = static_cast<float>(query[i] - weight * centre_.mean[i]);
  rotation_.apply(rest.data(), rotated.data());
  return {encode_query(rotated.data(), rotated.size(), kLeastResidual * length), static_cast<float>(weight)};
}

Result<std::vector<Hit>> DenseIndex::search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                            const Deadline& deadline, DenseTrace* trace) const {
  PANDORA_CHECK(deadline.check("searching by meaning"));
  const std::size_t matching = filter ? count_common(*filter, present_) : count_;
  DenseTrace done{.matching = matching};
  const auto finish = [&](Result<std::vector<Hit>> result) {
    if (trace) *trace = done;
    return result;
  };
  if (k == 0 || matching == 0) return finish(std::vector<Hit>());

  using enum DenseTrace::Plan;
  done.plan = matching <= std::max(kExactBelow, 2 * k)    ? kExact
              : matching * kGatherShare <= slots_.bound() ? kGather
                                                          : kScan;
  std::vector<Candidate> left;
  if (done.plan != kScan) {
    left.reserve(matching);
    SlotSet all = present_;
    if (filter) all &= *filter;
    all.for_each([&](Slot slot) { left.push_back({0, 0, slot}); });
  }
  if (done.plan != kExact) {
    const Query prepared = prepare(query);
    Selection best(k);
    if (done.plan == kScan) PANDORA_CHECK(scan(prepared, filter, deadline, best));
    for (std::size_t i = 0; i < left.size(); i += kScanAtOnce) {
      PANDORA_CHECK(deadline.check("searching by meaning"));
      rank_by_bytes(prepared, std::span(left).subspan(i, std::min(kScanAtOnce, left.size() - i)), best);
    }
    done.by_bytes = best.offered();
    left = best.take();
  }
  done.exactly = left.size();
  return finish(rank_exactly(query, k, left, deadline));
}

Status DenseIndex::scan(const Query& query, const SlotSet* filter, const Deadline& deadline, Selection& best) const {
  const std::size_t bound = std::min(slots_.bound(), codes_.slots());
  const std::size_t parts = (bound + options_.part_slots - 1) / options_.part_slots;
  if (parts <= 1) return scan_part(query, filter, deadline, 0, bound, best);
  std::vector<Selection> of_part(parts, Selection(best.k()));
  std::vector<Status> statuses(parts);
  const auto scan_one = [&](std::size_t part) {
    const std::size_t first = part * options_.part_slots;
    statuses[part] =
        scan_part(query, filter, deadline, first, std::min(bound, first + options_.part_slots), of_part[part]);
  };
  if (options_.pool)
    options_.pool->run(parts, scan_one);
  else
    for (std::size_t part = 0; part < parts; ++part) scan_one(part);
  for (std::size_t part = 0; part < parts; ++part) {
    PANDORA_CHECK(std::move(statuses[part]));
    best.merge(std::move(of_part[part]));
  }
  return {};
}

Status DenseIndex::scan_part(const Query& query, const SlotSet* filter, const Deadline& deadline, std::size_t begin,
                             std::size_t end, Selection& best) const {
  const QueryCode& code = query.code;
  const ScanQuery one{code.code.data(), 0.5F * code.sum, code.unit, query.offset_weight, code.slack1};
  const ScanQuery two{code.code.data(), 1.5F * code.sum, code.unit, query.offset_weight, code.slack2};
  CodeBits bits = slots_.bound() >= options_.one_bit_from ? CodeBits::kOne : CodeBits::kTwo;
  constexpr std::size_t kWords = kScanAtOnce / SlotSet::kWordBits;
  std::array<Candidate, kScanAtOnce> found;
  std::vector<Candidate> doubtful;
  for (std::size_t first = begin; first < end; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    if (codes_.empty(static_cast<Slot>(first))) continue;
    std::uint64_t mask[kWords], any = 0;
    if (filter) {
      for (std::size_t i = 0; i < kWords; ++i) any |= mask[i] = filter->word(first / SlotSet::kWordBits + i);
      if (any == 0) continue;
    }
    const auto slot = static_cast<Slot>(first);
    const bool narrow = bits == CodeBits::kOne;
    const auto kernel = narrow ? options_.kernels->scan_one_bit : options_.kernels->scan_two_bits;
    const std::size_t count = kernel(codes_.blocks(slot, kScanAtOnce, bits), narrow ? one : two,
                                     filter ? mask : nullptr, best.threshold(), slot, found.data());
    // The promising ones now: they raise the threshold, so that most of the doubtful ones need no second look.
    const auto promising = best.promising(std::span(found).first(count));
    rank_by_bytes(query, promising, best);
    doubtful.insert(doubtful.end(), found.begin() + static_cast<std::ptrdiff_t>(promising.size()),
                    found.begin() + static_cast<std::ptrdiff_t>(count));
    if (narrow && first >= begin + kJudgeOneBitAt && count - promising.size() > kScanAtOnce / kOneBitShare)
      bits = CodeBits::kTwo;
  }
  std::erase_if(doubtful, [&](const Candidate& candidate) { return candidate.bound < best.threshold(); });
  for (std::size_t i = 0; i < doubtful.size(); i += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    rank_by_bytes(query, std::span(doubtful).subspan(i, std::min(kScanAtOnce, doubtful.size() - i)), best);
  }
  return {};
}

void DenseIndex::rank_by_bytes(const Query& query, std::span<const Candidate> candidates, Selection& best) const {
  const std::size_t n = rotation_.padded();
  const float centre = 127.5F * query.code.sum;
  for (std::size_t i = 0; i < std::min(kAhead, candidates.size()); ++i) fetch(codes_.bytes(candidates[i].slot), n);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i + kAhead < candidates.size()) fetch(codes_.bytes(candidates[i + kAhead].slot), n);
    const auto sum =
        static_cast<float>(options_.kernels->dot_bytes(codes_.bytes(candidates[i].slot), query.code.code.data(), n));
    const float scale = codes_.byte_scale(candidates[i].slot);
    const float estimate =
        (sum - centre) * query.code.unit * scale + query.offset_weight * codes_.offset(candidates[i].slot);
    best.offer({estimate, estimate + query.code.slack8 * scale, candidates[i].slot});
  }
}

Result<std::vector<Hit>> DenseIndex::rank_exactly(std::span<const float> query, std::size_t k,
                                                  std::span<const Candidate> candidates,
                                                  const Deadline& deadline) const {
  TopHits best(k);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i % kScanAtOnce == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    if (i + kRowsAhead < candidates.size())
      fetch(rows_->row(candidates[i + kRowsAhead].slot), dimension() * sizeof(float));
    const float* row = rows_->row(candidates[i].slot);
    if (!row) return fail(ErrorCode::kDataCorrupt, "a vector of the index is damaged");
    const float score = options_.kernels->dot(query.data(), row, dimension());
    if (best.wants(score)) best.offer({candidates[i].slot, slots_.id(candidates[i].slot), score});
  }
  return best.take();
}

}  // namespace pandora
