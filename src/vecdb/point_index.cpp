#include "vecdb/point_index.h"

#include <algorithm>
#include <map>

#include "vecdb/file_part.h"

namespace pandora {
namespace {

// A part of which more than one in kDeadShare is dead, and more than kLeastDead, should go.
constexpr std::size_t kDeadShare = 4, kLeastDead = 1'024;

std::size_t next_group(std::size_t bound) {
  return (bound + CodeTable::kGroup - 1) / CodeTable::kGroup * CodeTable::kGroup;
}

tl::unexpected<Error> damage() { return fail(ErrorCode::kDataCorrupt, "a part of the index is damaged"); }

}  // namespace

// The rows of one vector, wherever they lie.
class PointIndex::Rows final : public VectorRows {
 public:
  Rows(PointIndex& index, std::size_t vector) : index_(index), vector_(vector) {}
  void put(Slot slot, std::span<const float> row) override { index_.tail_->put_row(vector_, slot, row); }
  const float* row(Slot slot) const override { return index_.part(slot).row(vector_, slot); }

 private:
  PointIndex& index_;
  const std::size_t vector_;
};

PointIndex::PointIndex(IndexShape shape, DenseOptions options, std::size_t least_stretch, std::size_t most_slots)
    : shape_(std::move(shape)), least_stretch_(least_stretch), most_slots_(most_slots), having_(shape_.sparse) {
  for (std::size_t v = 0; v < shape_.dense.size(); ++v)
    dense_.push_back(std::make_unique<DenseIndex>(shape_.dense[v], *this, std::make_unique<Rows>(*this, v), options));
  begin_tail();
}

PointIndex::~PointIndex() = default;

std::size_t PointIndex::number_of(Slot slot) const {
  const auto behind = std::ranges::upper_bound(held_, slot, {}, [](const Held& held) { return held.part->first(); });
  return static_cast<std::size_t>(behind - held_.begin()) - 1;
}

std::vector<PointIndex::Stretch> PointIndex::free_stretches() const {
  std::vector<Stretch> stretches;
  std::size_t behind = 0;
  for (const Held& held : held_) {
    const std::size_t first = held.part->first();
    if (first >= behind + least_stretch_) stretches.push_back({behind, first});
    behind = held.part == tail_ ? tail_end_ : next_group(first + held.part->slots());
  }
  if (behind < most_slots_) stretches.push_back({behind, most_slots_});
  return stretches;
}

std::size_t PointIndex::room() const {
  std::size_t sum = tail_end_ - tail_->first() - tail_->slots();
  for (const Stretch& stretch : free_stretches()) sum += stretch.end - stretch.first;
  return sum;
}

void PointIndex::begin_tail() {
  if (tail_) {
    if (tail_->slots() == 0) std::erase_if(held_, [&](const Held& held) { return held.part == tail_; });
    tail_end_ = next_group(tail_->first() + tail_->slots());
  }
  const std::vector<Stretch> free = free_stretches();
  const Stretch stretch = free.empty() ? Stretch{most_slots_, most_slots_} : free.front();
  tail_ = std::make_shared<MemoryPart>(shape_, static_cast<Slot>(stretch.first));
  tail_end_ = stretch.end;
  const auto place =
      std::ranges::upper_bound(held_, tail_->first(), {}, [](const Held& held) { return held.part->first(); });
  held_.insert(place, {tail_, std::vector<TermCounts>(shape_.sparse), 0, 0});
}

Status PointIndex::make_room() {
  if (is_full()) begin_tail();
  if (is_full()) return fail(ErrorCode::kResourceExhausted, "the index has no slot left", "split the collection");
  return {};
}

void PointIndex::count(Slot slot, const IndexPart& part, int by) {
  for (std::size_t v = 0; v < shape_.sparse; ++v)
    if (part.has_terms(v, slot)) having_[v] += static_cast<std::size_t>(by);
}

Status PointIndex::bury(Held& held, Slot slot) {
  ++held.dead;
  for (std::size_t v = 0; v < shape_.sparse; ++v) {
    PANDORA_TRY(terms, held.part->terms(v, slot));
    for (const std::uint32_t term : terms) ++held.dead_terms[v][term];
  }
  return {};
}

Status PointIndex::take_out(Slot slot) {
  Held& held = held_[number_of(slot)];
  count(slot, *held.part, -1);
  ids_.erase(slot, *this);
  live_.erase(slot);
  --held.live;
  for (auto& dense : dense_) dense->remove(slot);
  if (!in_tail(slot)) return bury(held, slot);
  tail_->remove(slot);
  return {};
}

Result<bool> PointIndex::put(const IndexedPoint& point) {
  const auto known = find(point.id);
  if (known && seq(*known) >= point.seq) return false;
  const bool in_place = known && in_tail(*known);
  if (!in_place) PANDORA_CHECK(make_room());
  Status taken;
  if (in_place)
    count(*known, *tail_, -1);
  else if (known)
    taken = take_out(*known);
  const Slot slot = in_place ? *known : static_cast<Slot>(tail_->first() + tail_->slots());
  tail_->put(slot, point);
  bound_ = std::max<std::size_t>(bound_, slot + std::size_t{1});
  if (!in_place) {
    ids_.insert(slot, *this);
    live_.insert(slot);
    ++held_[number_of(slot)].live;
  }
  count(slot, *tail_, 1);
  for (std::size_t v = 0; v < dense_.size(); ++v)
    if (v < point.dense.size() && !point.dense[v].empty())
      dense_[v]->put(slot, point.dense[v], v < point.codes.size() ? point.codes[v] : nullptr);
    else
      dense_[v]->remove(slot);
  highest_ = std::max(highest_, point.seq);
  ++unsaved_;
  PANDORA_CHECK(taken);
  return true;
}

Result<bool> PointIndex::remove(const Uuid& id, std::uint64_t seq) {
  highest_ = std::max(highest_, seq);
  const auto known = find(id);
  if (!known || this->seq(*known) >= seq) return false;
  ++unsaved_;
  PANDORA_CHECK(take_out(*known));
  return true;
}

bool PointIndex::damaged() const {
  return std::ranges::any_of(held_, [](const Held& held) { return held.part->damaged(); });
}

// With the codes' memory: of slots of neighbours that have gone before, too, for a piece of it may reach over several.
void PointIndex::let_go(std::size_t number) {
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(number));
  std::size_t first = 0, end = most_slots_;
  if (number > 0) first = held_[number - 1].part->first() + held_[number - 1].part->slots();
  if (number < held_.size()) end = held_[number].part->first();
  for (auto& dense : dense_) dense->release(static_cast<Slot>(first), static_cast<Slot>(end));
}

std::size_t PointIndex::drop_damaged() {
  std::size_t lost = 0;
  for (std::size_t number = held_.size(); number-- > 0;) {
    const auto part = held_[number].part;
    if (!part->damaged()) continue;
    for (Slot slot = part->first(); slot < part->first() + part->slots(); ++slot) {
      if (!live_.contains(slot)) continue;
      ids_.erase(slot, *this);
      live_.erase(slot);
      for (auto& dense : dense_) dense->remove(slot);
      ++lost;
    }
    let_go(number);
    applied_ = 0;
  }
  having_.assign(shape_.sparse, 0);  // of what is damaged nobody knows how many had which
  live_.for_each([&](Slot slot) { count(slot, part(slot), 1); });
  return lost;
}

std::vector<Slot> PointIndex::worth_moving(std::size_t most) const {
  std::vector<Slot> slots;
  std::size_t left = room();
  for (const Held& held : held_) {
    if (slots.size() >= most) break;
    if (held.part == tail_) continue;
    const std::size_t all = held.part->slots();
    const std::size_t dead = all - held.live;
    if (dead <= kLeastDead || dead * kDeadShare <= all || held.live > left) continue;
    left -= held.live;
    for (Slot slot = held.part->first(); slot < held.part->first() + all && slots.size() < most; ++slot)
      if (live_.contains(slot)) slots.push_back(slot);
  }
  return slots;
}

Status PointIndex::move(Slot slot, const Payload& payload) {
  PANDORA_CHECK(make_room());
  IndexedPoint point{.id = id(slot), .seq = seq(slot), .dense = {}, .sparse = {}, .payload = &payload, .stored = {}};
  PANDORA_TRY(bytes, stored(slot));
  const std::string kept(bytes);
  point.stored = kept;
  std::vector<std::vector<float>> rows(shape_.dense.size());
  for (std::size_t v = 0; v < rows.size(); ++v) {
    PANDORA_TRY(row, dense(v, slot));
    rows[v].assign(row.begin(), row.end());
    point.dense.emplace_back(rows[v]);
  }
  std::vector<std::optional<SparseVector>> words(shape_.sparse);
  for (std::size_t v = 0; v < words.size(); ++v) {
    PANDORA_TRY(vector, sparse(v, slot));
    words[v] = std::move(vector);
    point.sparse.push_back(words[v] ? &*words[v] : nullptr);
  }
  PANDORA_CHECK(take_out(slot));
  return put(point).map([](bool) {});
}

Result<std::string_view> PointIndex::stored(Slot slot) const { return part(slot).stored(slot); }

Result<std::optional<SparseVector>> PointIndex::sparse(std::size_t number, Slot slot) const {
  const IndexPart& part = this->part(slot);
  PANDORA_TRY(terms, part.terms(number, slot));
  if (terms.empty()) return std::optional<SparseVector>();
  SparseVector vector{{terms.begin(), terms.end()}, {}};
  for (const std::uint32_t term : terms) {
    TermBlocks list;
    PANDORA_CHECK(part.add_blocks(number, term, list));
    const Posting* posting = list.find(slot);
    if (!posting) return damage();
    vector.values.push_back(posting->weight);
  }
  return std::optional(std::move(vector));
}

Result<std::span<const float>> PointIndex::dense(std::size_t number, Slot slot) const {
  if (!dense_[number]->has(slot)) return std::span<const float>();
  const auto row = dense_[number]->vector(slot);
  if (row.data() == nullptr) return damage();
  return row;
}

Result<std::optional<SelectedSlots>> PointIndex::select(const Condition& condition) const {
  SelectedSlots selected;
  for (const Held& held : held_) {
    PANDORA_TRY(answered, held.part->select(condition, selected));
    if (!answered) return std::optional<SelectedSlots>();
  }
  selected.slots &= live_;
  return std::optional(std::move(selected));
}

Result<SlotSet> PointIndex::with_text(const std::string& field, const std::string& text) const {
  SlotSet slots;
  for (const Held& held : held_) PANDORA_CHECK(held.part->with_text(field, text, slots));
  slots &= live_;
  return slots;
}

Result<std::vector<Hit>> PointIndex::nearest(std::size_t number, std::span<const float> query, std::size_t k,
                                             const SlotSet* filter, const Deadline& deadline, DenseTrace* trace) const {
  return dense_[number]->search(query, k, filter, deadline, trace);
}

Result<std::vector<Hit>> PointIndex::by_terms(std::size_t number, const SparseVector& query, std::size_t k,
                                              const SlotSet* filter, const Deadline& deadline, SparseTrace* trace,
                                              TermWeighting weighting) const {
  PANDORA_CHECK(deadline.check("searching by words"));
  std::map<std::uint32_t, double> values;
  for (std::size_t i = 0; i < query.indices.size(); ++i) values[query.indices[i]] += query.values[i];
  std::vector<SearchTerm> terms;
  bool any_dead = false;
  for (const auto& [term, value] : values) {
    SearchTerm searched;
    std::size_t dead = 0;
    for (const Held& held : held_) {
      PANDORA_CHECK(held.part->add_blocks(number, term, searched.list));
      const auto found = held.dead_terms[number].find(term);
      if (found != held.dead_terms[number].end()) dead += found->second;
    }
    any_dead = any_dead || dead > 0;
    if (searched.list.size == dead) continue;
    searched.factor = value;
    if (weighting == TermWeighting::kIdf)
      searched.factor *= inverse_document_frequency(having_[number], searched.list.size - dead);
    terms.push_back(std::move(searched));
  }
  if (!filter && any_dead) filter = &live_;  // lists still name the dead
  return search_postings(std::move(terms), k, *this, filter, deadline, trace);
}

void PointIndex::hold(std::shared_ptr<const IndexPart> part, const SlotSet& live) {
  held_.push_back({part, std::vector<TermCounts>(shape_.sparse), 0, 0});
  Held& held = held_.back();
  for (Slot slot = part->first(); slot < part->first() + part->slots(); ++slot) {
    if (live.contains(slot)) {
      ids_.insert(slot, *this);
      live_.insert(slot);
      count(slot, *part, 1);
      ++held.live;
    } else if (part->seq(slot) != 0) {
      (void)bury(held, slot);  // a part that is damaged says so itself
    }
  }
  bound_ = part->first() + part->slots();
}

}  // namespace pandora
