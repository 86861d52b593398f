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
constexpr std::size_t kGatherShare = 8;         // one in so many slots, or fewer: half bytes are gathered, not scanned
constexpr std::size_t kGatherShareFar = 18;     // where they come from memory, one at a time, beyond
constexpr std::size_t kNear = 262'144;          // slots: their half bytes stay in a third cache
constexpr std::size_t kJudgeOneBitAt = 32'768;  // slots: the threshold has settled
constexpr std::size_t kOneBitShare = 8;         // more than one in so many in doubt: two bits are quicker
constexpr std::size_t kLeastCoarse = 2;         // a code is worth a coarse look when it is so many times as long
constexpr std::size_t kSampleShare = 16;        // one group of 64 slots in so many is the sample,
constexpr std::size_t kEnoughSampled = 8'192;   // or, at first, so many slots that pass the filter
constexpr std::size_t kLeastSample = 64;        // blocks
constexpr std::size_t kCoarseShare = 8;         // one block in so many in doubt, or fewer: the others are spared
constexpr float kCoarseRounding = 1.0F / 256;   // of coarse_numbers
constexpr std::size_t kHalvesAtOnce = 16;       // slots that are ranked by half bytes while the next are fetched
constexpr std::size_t kAhead = 16, kRowsAhead = 2, kGroupsAhead = 4,
                      kBlocksAhead = 32;  // slots, groups and blocks whose memory is fetched before it is needed
constexpr std::size_t kLine = 64;
constexpr std::size_t kDimensionsPerRow = 32;  // of a plane: see CodeBlocks

static_assert(kCoarseDimensions == CodeBlocks::kCoarseRows * kDimensionsPerRow);

struct alignas(kLine) TableLine {
  std::uint8_t bytes[kLine];
};

// Four sums, ascending, then added: one would wait for each of its additions.
double product(std::span<const float> a, std::span<const float> b) {
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= a.size(); i += 4)
    for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += static_cast<double>(a[i + lane]) * b[i + lane];
  for (; i < a.size(); ++i) sums[0] += static_cast<double>(a[i]) * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// To g++ a function that only fetches has no effect: it drops its calls unless something says otherwise.
void has_effect(const void* memory) { asm volatile("" : : "r"(memory)); }
void fetch(const void* memory, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const char*>(memory) + i);
  has_effect(memory);
}
// What is needed after a while: not into the nearest cache.
void fetch_later(const void* memory, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const char*>(memory) + i, 0, 2);
  has_effect(memory);
}

}  // namespace

// A query q = offset_weight · mean + rest: with x = mean + difference, ⟨x, q⟩ is offset_weight · ⟨difference, mean⟩ +
// ⟨difference, rest⟩ and something that is the same for all. The first is stored with each vector, the second
// estimated.
struct DenseIndex::Query {
  QueryCode code;
  float offset_weight = 0;
  double matching = 1;            // of the slots; the share that passes the filter
  NarrowCode narrow;              // of a scan
  std::vector<TableLine> tables;  // of the narrow code; none: the kernels have no use for them
  const std::uint8_t* looked_up() const { return tables.empty() ? nullptr : tables.front().bytes; }
};

DenseIndex::DenseIndex(std::size_t dimension, const SlotIds& slots, std::unique_ptr<VectorRows> rows,
                       DenseOptions options)
    : options_(options),
      slots_(slots),
      rotation_(dimension),
      rows_(std::move(rows)),
      codes_(rotation_.padded()),
      centre_{0, std::vector<float>(dimension)} {}

void DenseIndex::encode_vector(const float* vector, DenseCode& code) const {
  std::vector<float> difference(dimension()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < dimension(); ++i) difference[i] = vector[i] - centre_.mean[i];
  rotation_.apply(difference.data(), rotated.data());
  encode(rotated.data(), rotated.size(), code.code);
  code.offset = static_cast<float>(product(difference, centre_.mean));
  code.centred_at = centre_.at;
}

DenseCode DenseIndex::code_of(std::span<const float> vector) const {
  DenseCode code;
  encode_vector(vector.data(), code);
  return code;
}

bool DenseIndex::encode_slot(Slot slot) {
  const float* row = rows_->row(slot);
  if (!row) return false;
  encode_vector(row, scratch_);
  codes_.put(slot, scratch_.code, scratch_.offset);
  return true;
}

void DenseIndex::put(Slot slot, std::span<const float> vector, const DenseCode* code) {
  rows_->put(slot, vector);
  if (!has(slot)) ++count_;
  present_.insert(slot);
  if (code && code->centred_at == centre_.at)
    codes_.put(slot, code->code, code->offset);
  else
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

DenseIndex::Query DenseIndex::prepare(std::span<const float> query, DenseTrace::Plan plan) const {
  const double length = std::sqrt(product(query, query));
  const double weight = mean_square_ < kLeastMeanSquare ? 0 : product(query, centre_.mean) / mean_square_;
  std::vector<float> rest(query.size()), rotated(rotation_.padded());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = static_cast<float>(query[i] - weight * centre_.mean[i]);
  rotation_.apply(rest.data(), rotated.data());
  Query made{
      encode_query(rotated.data(), rotated.size(), kLeastResidual * length), static_cast<float>(weight), 1, {}, {}};
  if (plan != DenseTrace::Plan::kScan) return made;
  made.narrow = encode_narrowly(rotated.data(), rotated.size(), made.code.norm);
  // |weight · offset| ≤ |query| · |difference|, and that is at most ½·√n · scale, for one bit.
  const double of_offset = kCoarseRounding * length * 0.5 * std::sqrt(static_cast<double>(rotated.size()));
  made.narrow.coarse_slack += static_cast<float>(of_offset);
  const std::size_t rows = rotated.size() / kDimensionsPerRow;
  if (options_.kernels->tables && rows <= kMaxTableRows) {
    made.tables.resize(rows * kTableBytes / sizeof(TableLine));
    options_.kernels->tables(made.narrow.code.data(), rows, made.tables.front().bytes);
  }
  return made;
}

Result<std::vector<Hit>> DenseIndex::search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                            const Deadline& deadline, DenseTrace* trace) const {
  PANDORA_CHECK(deadline.check("searching by meaning"));
  const std::size_t matching = filter ? count_common(*filter, present_, *options_.kernels) : count_;
  DenseTrace done{.matching = matching};
  const auto finish = [&](Result<std::vector<Hit>> result) {
    if (trace) *trace = done;
    return result;
  };
  if (k == 0 || matching == 0) return finish(std::vector<Hit>());

  using enum DenseTrace::Plan;
  const std::size_t share = slots_.bound() <= kNear ? kGatherShare : kGatherShareFar;
  done.plan = matching <= std::max(kExactBelow, 2 * k) ? kExact : matching * share <= slots_.bound() ? kGather : kScan;
  std::unique_ptr<Candidate[]> listed;
  std::span<Candidate> few;
  if (done.plan != kScan) {
    listed = std::make_unique_for_overwrite<Candidate[]>(matching + kListedBeyond);
    few = {listed.get(), list_common(present_, filter ? *filter : present_, *options_.kernels, listed.get())};
  }
  std::vector<Candidate> left;
  if (done.plan != kExact) {
    Query prepared = prepare(query, done.plan);
    prepared.matching = static_cast<double>(matching) / static_cast<double>(slots_.bound());
    Scanned scanned{Selection(k)};
    if (done.plan == kScan) PANDORA_CHECK(scan(prepared, filter, deadline, scanned));
    Selection& best = scanned.best;
    if (done.plan == kGather) PANDORA_CHECK(rank_by_halves(prepared, few, deadline, best));
    done.by_bytes = best.offered();
    done.coarse_parts = scanned.coarse_parts;
    left = best.take();
    few = left;
  }
  done.exactly = few.size();
  return finish(rank_exactly(query, k, few, deadline));
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

// Of at most kScanAtOnce slots, those in `mask` (null: all); `bounds` and `out` have room for them.
std::size_t DenseIndex::look(const Query& query, Range range, const std::uint64_t* mask, float threshold, float* bounds,
                             Candidate* out) const {
  const auto first = static_cast<Slot>(range.first);
  if (codes_.empty(first)) return 0;
  const NarrowCode& narrow = query.narrow;
  const auto share = static_cast<float>(rotation_.padded()) / kCoarseDimensions;
  constexpr float kWider = 1 + 2 * kCoarseRounding;  // a scale that was rounded down
  const ScanQuery coarse{narrow.code.data(),  0.5F * narrow.coarse_sum,     kWider * narrow.unit * share,
                         query.offset_weight, kWider * narrow.coarse_slack, query.looked_up()};
  return options_.kernels->look(codes_.blocks(first, range.end - range.first, CodeBits::kOne), coarse,
                                CodeBlocks::kCoarseRows, mask, threshold, first, bounds, out);
}

std::optional<float> DenseIndex::coarse_guess(const Query& query, const SlotSet* filter, Range range, std::size_t k,
                                              std::size_t share) const {
  if (k > kCoarseMost) return std::nullopt;
  constexpr std::size_t kGroup = CodeTable::kGroup, kBlocks = kGroup / CodeBlocks::kSlots;
  struct Block {
    float bound;
    Slot first;
  };
  std::vector<Block> sample;
  std::array<Candidate, kGroup> none;  // there may be some of an infinite bound
  const std::size_t step = kGroup * share;
  for (std::size_t first = range.first; first < range.end; first += step) {
    const std::size_t ahead = first + kGroupsAhead * step;
    if (ahead < range.end && !codes_.empty(static_cast<Slot>(ahead))) {
      const CodeBlocks blocks = codes_.blocks(static_cast<Slot>(ahead), kGroup, CodeBits::kOne);
      fetch(blocks.coarse, kBlocks * blocks.coarse_bytes());
    }
    std::array<float, kBlocks> bounds;
    bounds.fill(-std::numeric_limits<float>::infinity());
    const std::uint64_t mask = filter ? filter->word(first / SlotSet::kWordBits) : 0;
    look(query, {first, first + kGroup}, filter ? &mask : nullptr, std::numeric_limits<float>::infinity(),
         bounds.data(), none.data());
    for (std::size_t i = 0; i < kBlocks; ++i)
      sample.push_back({bounds[i], static_cast<Slot>(first + i * CodeBlocks::kSlots)});
  }
  // The k-th best of all is near the best of so many times fewer.
  const std::size_t of_sample = (k + share - 1) / share, looked_at = 2 * of_sample + 4;
  if (sample.size() < kLeastSample || sample.size() < kCoarseShare * looked_at) return std::nullopt;
  std::ranges::nth_element(sample, sample.begin() + static_cast<std::ptrdiff_t>(looked_at), std::greater<>(),
                           &Block::bound);
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < looked_at; ++i)
    for (Slot slot = sample[i].first; slot < sample[i].first + CodeBlocks::kSlots; ++slot)
      if (has(slot) && (!filter || filter->contains(slot))) candidates.push_back({0, 0, slot});
  Selection best(of_sample);
  rank_by_bytes(query, candidates, best);
  const auto in_doubt = std::ranges::count_if(sample, [&](const Block& one) { return one.bound >= best.threshold(); });
  if (static_cast<std::size_t>(in_doubt) * kCoarseShare > sample.size()) return std::nullopt;
  return best.threshold();
}

Status DenseIndex::scan_part(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                             Scanned& scanned) const {
  Selection& best = scanned.best;
  if (range.end - range.first < options_.coarse_from || rotation_.padded() < kLeastCoarse * kCoarseDimensions)
    return scan_whole(query, filter, deadline, range, best);
  const double matching = query.matching * static_cast<double>(range.end - range.first);
  const std::size_t share = std::max(kSampleShare, static_cast<std::size_t>(matching) / kEnoughSampled);
  auto guess = coarse_guess(query, filter, range, best.k(), share);
  // Where clusters lie one behind the other, few groups meet none of most of them.
  if (!guess && share > kSampleShare) guess = coarse_guess(query, filter, range, best.k(), kSampleShare);
  if (!guess) return scan_whole(query, filter, deadline, range, best);
  ++scanned.coarse_parts;
  return scan_coarsely(query, filter, deadline, range, *guess, best);
}

// Everything is looked at once, and whatever may reach the guess is ranked. Was the guess too high, then once more at
// those blocks that may hold what was not; it was far too high where that is much: a cluster of fewer than k points.
Status DenseIndex::scan_coarsely(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                                 float guess, Selection& best) const {
  CoarseBounds bounds(range.first, (range.end - range.first + kScanAtOnce - 1) / kScanAtOnce * kScanAtOnce);
  std::array<Candidate, kScanAtOnce> found;
  std::vector<Candidate> candidates;
  const auto keep = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) fetch_later(codes_.ranked(found[i].slot).numbers, codes_.upper_bytes());
    candidates.insert(candidates.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
  };
  Mask mask;
  for (std::size_t first = range.first; first < range.end; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    if (filter) copy_mask(*filter, first, mask);
    // The look itself fetches what comes next, but only where memory goes on.
    const std::size_t next = first + kScanAtOnce;
    if (next % CodeTable::kChunkSlots == 0 && next < range.end && !codes_.empty(static_cast<Slot>(next))) {
      const CodeBlocks blocks = codes_.blocks(static_cast<Slot>(next), kScanAtOnce, CodeBits::kOne);
      fetch(blocks.coarse, kBlocksAhead * blocks.coarse_bytes());
    }
    keep(look(query, {first, first + kScanAtOnce}, filter ? mask.data() : nullptr, guess, bounds.of(first),
              found.data()));
  }
  PANDORA_CHECK(rank_by_halves(query, candidates, deadline, best));
  const float threshold = best.threshold();
  if (threshold >= guess) return {};
  if (bounds.count_reaching(threshold) * kCoarseShare > bounds.size()) {
    best = Selection(best.k());
    return scan_whole(query, filter, deadline, range, best);
  }
  candidates.clear();
  std::array<float, CodeTable::kGroup / CodeBlocks::kSlots> known;
  for (std::size_t first = range.first; first < range.end; first += CodeTable::kGroup) {
    if (first % kScanAtOnce == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    std::uint64_t word = bounds.reaching(first, threshold);
    if (filter) word &= filter->word(first / SlotSet::kWordBits);
    if (word == 0) continue;
    const std::size_t count =
        look(query, {first, first + CodeTable::kGroup}, &word, threshold, known.data(), found.data());
    const auto seen =
        std::ranges::partition(std::span(found).first(count), [&](const Candidate& one) { return one.bound < guess; });
    keep(count - seen.size());
  }
  return rank_by_halves(query, candidates, deadline, best);
}

void DenseIndex::copy_mask(const SlotSet& filter, std::size_t first, Mask& mask) const {
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = filter.word(first / SlotSet::kWordBits + i);
}

Status DenseIndex::scan_whole(const Query& query, const SlotSet* filter, const Deadline& deadline, Range range,
                              Selection& best) const {
  const QueryCode& code = query.code;
  const NarrowCode& signs = query.narrow;
  const ScanQuery one{signs.code.data(),   0.5F * signs.sum, signs.unit,
                      query.offset_weight, signs.slack,      query.looked_up()};
  const ScanQuery two{code.code.data(), 1.5F * code.sum, code.unit, query.offset_weight, code.slack2};
  CodeBits bits = slots_.bound() >= options_.one_bit_from ? CodeBits::kOne : CodeBits::kTwo;
  std::array<Candidate, kScanAtOnce> found;
  std::vector<Candidate> doubtful;
  Mask mask;
  for (std::size_t first = range.first; first < range.end; first += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    if (codes_.empty(static_cast<Slot>(first))) continue;
    if (filter) copy_mask(*filter, first, mask);
    const auto slot = static_cast<Slot>(first);
    const bool narrow = bits == CodeBits::kOne;
    const auto kernel = narrow ? options_.kernels->scan_one_bit : options_.kernels->scan_two_bits;
    const std::size_t count = kernel(codes_.blocks(slot, kScanAtOnce, bits), narrow ? one : two,
                                     filter ? mask.data() : nullptr, best.threshold(), slot, found.data());
    // The promising ones now: they raise the threshold, so that most of the doubtful ones need no second look.
    const auto promising = best.promising(std::span(found).first(count));
    rank_by_bytes(query, promising, best);
    doubtful.insert(doubtful.end(), found.begin() + static_cast<std::ptrdiff_t>(promising.size()),
                    found.begin() + static_cast<std::ptrdiff_t>(count));
    if (narrow && first >= range.first + kJudgeOneBitAt && count - promising.size() > kScanAtOnce / kOneBitShare)
      bits = CodeBits::kTwo;
  }
  return rank_doubtful(query, doubtful, deadline, best);
}

Status DenseIndex::rank_doubtful(const Query& query, std::vector<Candidate>& candidates, const Deadline& deadline,
                                 Selection& best) const {
  std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.bound < best.threshold(); });
  for (std::size_t i = 0; i < candidates.size(); i += kScanAtOnce) {
    PANDORA_CHECK(deadline.check("searching by meaning"));
    rank_by_bytes(query, std::span(candidates).subspan(i, std::min(kScanAtOnce, candidates.size() - i)), best);
  }
  return {};
}

Status DenseIndex::rank_by_halves(const Query& query, std::span<Candidate> candidates, const Deadline& deadline,
                                  Selection& best) const {
  const std::size_t n = rotation_.padded();
  const float centre = (127.5F - 7.5F) * query.code.sum;  // 7.5: the middle of what the lower half may be
  const float unit = query.code.unit, weight = query.offset_weight, slack = query.code.slack4;
  struct Group {
    std::size_t size = 0;
    std::array<const std::uint8_t*, kHalvesAtOnce> high;
    std::array<const CodeTable::Numbers*, kHalvesAtOnce> numbers;
  };
  std::array<Group, 2> groups;  // one is ranked while the other is fetched
  const auto fetch_group = [&](Group& group, std::size_t first) {
    group.size = first < candidates.size() ? std::min(kHalvesAtOnce, candidates.size() - first) : 0;
    for (std::size_t i = 0; i < group.size; ++i) {
      const CodeTable::Ranked ranked = codes_.ranked(candidates[first + i].slot);
      fetch(ranked.numbers, codes_.upper_bytes());
      group.high[i] = ranked.halves.high;
      group.numbers[i] = ranked.numbers;
    }
  };
  std::array<std::int32_t, kHalvesAtOnce> sums{};
  std::array<float, kHalvesAtOnce> scales{}, offsets{}, estimates, bounds;
  Selection likeliest(best.k());
  fetch_group(groups[0], 0);
  for (std::size_t first = 0, turn = 0; first < candidates.size(); first += kHalvesAtOnce, ++turn) {
    if (turn % (kScanAtOnce / kHalvesAtOnce) == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    const Group& now = groups[turn % 2];
    fetch_group(groups[(turn + 1) % 2], first + kHalvesAtOnce);
    options_.kernels->dot_high_halves(now.high.data(), now.size, query.code.code.data(), n, sums.data());
    for (std::size_t i = 0; i < now.size; ++i) {
      scales[i] = now.numbers[i]->scale8;
      offsets[i] = now.numbers[i]->offset;
    }
    // Of all that there is room for: several at once.
    for (std::size_t i = 0; i < kHalvesAtOnce; ++i) {
      estimates[i] = (static_cast<float>(sums[i]) - centre) * unit * scales[i] + weight * offsets[i];
      bounds[i] = estimates[i] + slack * scales[i];
    }
    for (std::size_t i = 0; i < now.size; ++i) {
      Candidate& candidate = candidates[first + i];
      candidate.estimate = estimates[i];
      candidate.bound = bounds[i];
      if (estimates[i] >= likeliest.threshold()) likeliest.offer({estimates[i], estimates[i], candidate.slot});
    }
  }
  const float ranked_from = likeliest.threshold();
  rank_by_bytes(query, likeliest.take(), best);
  const float threshold = best.threshold();
  std::vector<Candidate> others;
  for (const Candidate& candidate : candidates)
    if (candidate.bound >= threshold && candidate.estimate < ranked_from) {
      fetch(codes_.ranked(candidate.slot).numbers, codes_.ranked_bytes());
      others.push_back(candidate);
    }
  return rank_doubtful(query, others, deadline, best);
}

void DenseIndex::rank_by_bytes(const Query& query, std::span<const Candidate> candidates, Selection& best) const {
  const std::size_t n = rotation_.padded();
  const float centre = 127.5F * query.code.sum;
  const auto fetch_slot = [&](std::size_t i) {
    if (i < candidates.size()) fetch(codes_.ranked(candidates[i].slot).numbers, codes_.ranked_bytes());
  };
  for (std::size_t i = 0; i < kAhead; ++i) fetch_slot(i);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    fetch_slot(i + kAhead);
    const Slot slot = candidates[i].slot;
    const auto [numbers, halves] = codes_.ranked(slot);
    const auto sum =
        static_cast<float>(options_.kernels->dot_bytes(halves.high, halves.low, query.code.code.data(), n));
    const auto [scale, offset] = *numbers;
    const float estimate = (sum - centre) * query.code.unit * scale + query.offset_weight * offset;
    best.offer({estimate, estimate + query.code.slack8 * scale, slot});
  }
}

Result<std::vector<Hit>> DenseIndex::rank_exactly(std::span<const float> query, std::size_t k,
                                                  std::span<const Candidate> candidates,
                                                  const Deadline& deadline) const {
  TopHits best(k);
  const auto fetch_row = [&](std::size_t i) {
    if (i < candidates.size()) fetch(rows_->row(candidates[i].slot), dimension() * sizeof(float));
  };
  for (std::size_t i = 0; i < kRowsAhead; ++i) fetch_row(i);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i % kScanAtOnce == 0) PANDORA_CHECK(deadline.check("searching by meaning"));
    fetch_row(i + kRowsAhead);
    const float* row = rows_->row(candidates[i].slot);
    if (!row) return fail(ErrorCode::kDataCorrupt, "a vector of the index is damaged");
    const float score = options_.kernels->dot(query.data(), row, dimension());
    if (best.wants(score)) best.offer({candidates[i].slot, slots_.id(candidates[i].slot), score});
  }
  return best.take();
}

}  // namespace pandora
