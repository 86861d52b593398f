#include "vecdb/dense_index.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "vecdb/coarse_bounds.h"

namespace pandora {
namespace {

constexpr std::size_t kCentreAt[] = {256, 4'096};  // vectors: the mean of so many is good for many more
constexpr double kLeastMeanSquare = 1e-12;         // a shorter mean is worth nothing
constexpr double kLeastResidual = 1e-3;            // of the query's length: the bound then still covers rounding
constexpr std::size_t kExactBelow = 128;           // slots (or 2k) whose floats are read at once
constexpr std::size_t kGatherShare = 24;           // one in so many slots, or fewer: bytes are gathered, not scanned
constexpr std::size_t kJudgeOneBitAt = 32'768;     // slots: the threshold has settled
constexpr std::size_t kOneBitShare = 8;            // more than one in so many in doubt: two bits are quicker
constexpr std::size_t kLeastCoarse = 2;            // a code is worth a coarse look when it is so many times as long
constexpr std::size_t kSampleShare = 16;           // one group of 64 slots in so many is the sample
constexpr std::size_t kCoarseMost = 64;            // hits: more reach far beyond a cluster, and a sample costs more
constexpr std::size_t kLeastSample = 64;           // blocks
constexpr std::size_t kCoarseShare = 8;            // one block in so many in doubt, or fewer: the others are spared
constexpr std::size_t kLikelyShare = 32;           // one block in so many is looked at before the others
constexpr std::size_t kAhead = 8, kRowsAhead = 2,
                      kGroupsAhead = 4;  // slots whose memory is fetched before it is needed
constexpr std::size_t kLine = 64;
constexpr std::size_t kDimensionsPerRow = 32;  // of a plane: see CodeBlocks

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
    Scanned scanned{Selection(k)};
    if (done.plan == kScan) PANDORA_CHECK(scan(prepared, filter, deadline, scanned));
    Selection& best = scanned.best;
    for (std::size_t i = 0; i < left.size(); i += kScanAtOnce) {
      PANDORA_CHECK(deadline.check("searching by meaning"));
      rank_by_bytes(prepared, std::span(left).subspan(i, std::min(kScanAtOnce, left.size() - i)), best);
    }
    done.by_bytes = best.offered();
    done.coarse_parts = scanned.coarse_parts;
    left = best.take();
  }
  done.exactly = left.size();
  return finish(rank_exactly(query, k, left, deadline));
}

Status DenseIndex::scan(const Query& query, const SlotSet* filter, const Deadline& deadline, Scanned& scanned) const {
  const std::size_t bound = std::min(slots_.bound(), codes_.slots());
  const std::size_t parts = (bound + options_.part_slots - 1) / options_.part_slots;
  if (parts <= 1) return scan_part(query, filter, deadline, {0, bound}, scanned);
  std::vector<Scanned> of_part(parts, Scanned{Selection(scanned.best.k())});
  std::vector<Status> statuses(parts);
  const auto scan_one = [&](std::size_t part) {
    const std::size_t first = part * options_.part_slots;
    const Range range{first, std::min(bound, first + options_.part_slots)};
    statuses[part] = scan_part(query, filter, deadline, range, of_part[part]);
  };
  if (options_.pool)
    options_.pool->run(parts, scan_one);
  else
    for (std::size_t part = 0; part < parts; ++part) scan_one(part);
  for (std::size_t part = 0; part < parts; ++part) {
    PANDORA_CHECK(std::move(statuses[part]));
    scanned.best.merge(std::move(of_part[part].best));
    scanned.coarse_parts += of_part[part].coarse_parts;
  }
  return {};
}

void DenseIndex::bound_blocks(const Query& query, const SlotSet* filter, Range range, float* bounds) const {
  const QueryCode& code = query.code;
  const auto share = static_cast<float>(rotation_.padded()) / kCoarseDimensions;
  const ScanQuery coarse{code.narrow.data(), 0.5F * code.coarse_sum, code.narrow_unit * share, query.offset_weight,
                         code.coarse_slack};
  if (codes_.empty(static_cast<Slot>(range.first))) return;
  const std::size_t count = range.end - range.first;
  std::array<std::uint64_t, kScanAtOnce / SlotSet::kWordBits> mask;
  if (filter)
    for (std::size_t i = 0; i < count / SlotSet::kWordBits; ++i)
      mask[i] = filter->word(range.first / SlotSet::kWordBits + i);
  options_.kernels->bounds(codes_.blocks(static_cast<Slot>(range.first), count, CodeBits::kOne), coarse,
                           kCoarseDimensions / kDimensionsPerRow, filter ? mask.data() : nullptr, bounds);
}

std::optional<float> DenseIndex::coarse_level(const Query& query, const SlotSet* filter, Range range,
                                              std::size_t k) const {
  if (k > kCoarseMost) return std::nullopt;
  constexpr std::size_t kGroup = CodeTable::kGroup, kBlocks = kGroup / CodeBlocks::kSlots;
  struct Block {
    float bound;
    Slot first;
  };
  std::vector<Block> sample;
  const std::size_t step = kGroup * kSampleShare, plane = rotation_.padded() * CodeBlocks::kSlots / 8;
  for (std::size_t first = range.first; first < range.end; first += step) {
    const std::size_t ahead = first + kGroupsAhead * step;
    if (ahead < range.end && !codes_.empty(static_cast<Slot>(ahead)))
      for (std::size_t i = 0; i < kBlocks; ++i)
        fetch(codes_.blocks(static_cast<Slot>(ahead), kGroup, CodeBits::kOne).high + i * plane,
              kCoarseDimensions / 8 * CodeBlocks::kSlots);
    std::array<float, kBlocks> bounds;
    bounds.fill(-std::numeric_limits<float>::infinity());
    bound_blocks(query, filter, {first, first + kGroup}, bounds.data());
    for (std::size_t i = 0; i < kBlocks; ++i)
      sample.push_back({bounds[i], static_cast<Slot>(first + i * CodeBlocks::kSlots)});
  }
  // The k-th best of all is near the best of so many times fewer.
  const std::size_t of_sample = (k + kSampleShare - 1) / kSampleShare, looked_at = 2 * of_sample + 4;
  if (sample.size() < kLeastSample || sample.size() < kCoarseShare * looked_at) return std::nullopt;
  const std::size_t likely = std::max(looked_at, sample.size() / kLikelyShare);
  std::ranges::partial_sort(sample, sample.begin() + static_cast<std::ptrdiff_t>(likely), std::greater<>(),
                            &Block::bound);
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < looked_at; ++i)
    for (Slot slot = sample[i].first; slot < sample[i].first + CodeBlocks::kSlots; ++slot)
      if (has(slot) && (!filter || filter->contains(slot))) candidates.push_back({0, 0, slot});
  Selection best(of_sample);
  rank_by_bytes(query, candidates, best);
  best.settle();
  const auto in_doubt = std::ranges::count_if(sample, [&](const Block& one) { return one.bound >= best.threshold(); });
  if (static_cast<std::size_t>(in_doubt) * kCoarseShare > sample.size()) return std::nullopt;
  return sample[likely - 1].bound;
}

Status DenseIndex::scan_part(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                             Scanned& scanned) const {
  Selection& best = scanned.best;
  const std::size_t count = range.end - range.first;
  if (count < options_.coarse_from || rotation_.padded() < kLeastCoarse * kCoarseDimensions)
    return scan_wave(query, filter, deadline, range, {}, best);
  const auto level = coarse_level(query, filter, range, best.k());
  if (!level) return scan_wave(query, filter, deadline, range, {}, best);
  ++scanned.coarse_parts;
  CoarseBounds bounds(range.first, (count + kScanAtOnce - 1) / kScanAtOnce * kScanAtOnce);
  for (std::size_t first = range.first; first < range.end; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    bound_blocks(query, filter, {first, first + kScanAtOnce}, bounds.of(first));
  }
  PANDORA_CHECK(scan_wave(query, filter, deadline, range, {.bounds = &bounds, .least = *level}, best));
  best.settle();
  return scan_wave(query, filter, deadline, range, {.bounds = &bounds, .below = *level}, best);
}

// What of so many slots, from `first` on, the kernels are to look at; its memory is on its way when that is little.
bool DenseIndex::next_mask(const SlotSet* filter, const Wave& wave, float threshold, std::size_t first,
                           Mask& mask) const {
  if (codes_.empty(static_cast<Slot>(first))) return false;
  if (!filter && !wave.bounds) return true;
  const float least = std::max(wave.least, threshold);
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::size_t slot = first + i * SlotSet::kWordBits;
    mask[i] = filter ? filter->word(slot / SlotSet::kWordBits) : ~std::uint64_t{0};
    if (wave.bounds) mask[i] &= wave.bounds->between(slot, least, wave.below);
    any |= mask[i];
    if (!wave.bounds || mask[i] == 0) continue;
    const std::size_t plane = rotation_.padded() * CodeBlocks::kSlots / 8;
    const CodeBlocks blocks = codes_.blocks(static_cast<Slot>(slot), SlotSet::kWordBits, CodeBits::kOne);
    for (std::size_t block = 0; block < blocks.blocks; ++block)
      if (mask[i] >> (block * CodeBlocks::kSlots) & 0xffff) fetch(blocks.high + block * plane, plane);
  }
  return any != 0;
}

Status DenseIndex::scan_wave(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                             const Wave& wave, Selection& best) const {
  const QueryCode& code = query.code;
  const ScanQuery one{code.narrow.data(), 0.5F * code.narrow_sum, code.narrow_unit, query.offset_weight, code.slack1};
  const ScanQuery two{code.code.data(), 1.5F * code.sum, code.unit, query.offset_weight, code.slack2};
  CodeBits bits = slots_.bound() >= options_.one_bit_from ? CodeBits::kOne : CodeBits::kTwo;
  std::array<Candidate, kScanAtOnce> found;
  std::vector<Candidate> doubtful;
  Mask mask, next;
  bool any_next = next_mask(filter, wave, best.threshold(), range.first, next);
  for (std::size_t first = range.first; first < range.end; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    mask = next;
    const bool any = any_next;
    const std::size_t behind = first + kScanAtOnce;
    any_next = behind < range.end && next_mask(filter, wave, best.threshold(), behind, next);
    if (!any) continue;
    const auto slot = static_cast<Slot>(first);
    const bool narrow = bits == CodeBits::kOne;
    const auto kernel = narrow ? options_.kernels->scan_one_bit : options_.kernels->scan_two_bits;
    const std::size_t count =
        kernel(codes_.blocks(slot, kScanAtOnce, bits), narrow ? one : two,
               filter || wave.bounds ? mask.data() : nullptr, best.threshold(), slot, found.data());
    // The promising ones now: they raise the threshold, so that most of the doubtful ones need no second look.
    const auto promising = best.promising(std::span(found).first(count));
    rank_by_bytes(query, promising, best);
    doubtful.insert(doubtful.end(), found.begin() + static_cast<std::ptrdiff_t>(promising.size()),
                    found.begin() + static_cast<std::ptrdiff_t>(count));
    if (narrow && first >= range.first + kJudgeOneBitAt && count - promising.size() > kScanAtOnce / kOneBitShare)
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
