#include "store_embedded/point_collection.h"

#include <algorithm>

#include "ports/vector_checks.h"

namespace pandora {
namespace {

constexpr std::size_t kLookEvery = 4096;  // points between two looks at the clock

// What every query asks (visible_to), whether the collection says so or not.
constexpr const char* kOwner = "user_id";
constexpr const char* kScope = "scope";
std::map<std::string, PayloadType> indexes_of(const CollectionSpec& spec) {
  auto indexes = spec.indexes;
  for (const char* field : {kOwner, kScope}) indexes[field] = PayloadType::kKeyword;
  return indexes;
}

bool is_empty(const Filter& filter) { return filter.must.empty() && filter.should.empty() && filter.must_not.empty(); }

}  // namespace

PointCollection::PointCollection(CollectionSpec spec, ThreadPool* pool)
    : spec_(std::move(spec)),
      payloads_(indexes_of(spec_)),
      dense_(spec_.dimension, slots_, make_memory_rows(spec_.dimension), {.pool = pool}) {
  for (const auto& name : spec_.sparse) sparse_.try_emplace(name, slots_);
}

std::optional<std::int64_t> PointCollection::version(const Uuid& id) const {
  const auto slot = slots_.find(id);
  if (!slot) return std::nullopt;
  return entries_[*slot].version;
}

bool PointCollection::may_write(const Uuid& id, const Principal& who) const {
  const auto slot = slots_.find(id);
  return !slot || writable_by(entries_[*slot].payload, who);
}

void PointCollection::put(const Point& point) {
  const Slot slot = slots_.add(point.id);
  if (slot >= entries_.size()) entries_.resize(slot + 1);
  Entry& entry = entries_[slot];
  payloads_.remove(slot, entry.payload);
  entry = {point.version, point.payload};
  payloads_.put(slot, entry.payload);
  live_.insert(slot);
  const auto dense = point.dense.find("");
  if (dense != point.dense.end()) {
    std::vector<float> vector = dense->second;
    normalise(vector);
    dense_.put(slot, vector);
  } else {
    dense_.remove(slot);
  }
  for (auto& [name, index] : sparse_) {
    const auto vector = point.sparse.find(name);
    if (vector != point.sparse.end() && !vector->second.indices.empty())
      index.put(slot, vector->second);
    else
      index.remove(slot);
  }
}

bool PointCollection::remove(const Uuid& id) {
  const auto slot = slots_.find(id);
  if (!slot) return false;
  dense_.remove(*slot);
  for (auto& [name, index] : sparse_) index.remove(*slot);
  payloads_.remove(*slot, entries_[*slot].payload);
  entries_[*slot] = {};
  live_.erase(*slot);
  slots_.remove(*slot);
  return true;
}

Result<SlotSet> PointCollection::meeting(const Condition& condition, const SlotSet& among,
                                         const Deadline& deadline) const {
  SlotSet slots;
  if (!condition.ids.empty()) {
    for (const Uuid& id : condition.ids)
      if (const auto slot = slots_.find(id)) slots.insert(*slot);
    return slots;
  }
  auto selected = payloads_.select(condition);
  if (selected && selected->exact) return std::move(selected->slots);
  SlotSet doubtful = among;
  if (selected) doubtful &= selected->slots;
  Status in_time;
  std::size_t looked = 0;
  doubtful.for_each([&](Slot slot) {
    if (looked++ % kLookEvery == 0 && in_time) in_time = deadline.check("filtering points");
    if (in_time && holds(slots_.id(slot), entries_[slot].payload, condition)) slots.insert(slot);
  });
  PANDORA_CHECK(in_time);
  return slots;
}

Result<SlotSet> PointCollection::select(const Filter& filter, const Principal& who, const Deadline& deadline) const {
  SlotSet passing = live_;
  if (who.access != Access::kSystem) {  // visible_to
    passing = payloads_.with_text(kOwner, who.user.str());
    passing |= payloads_.with_text(kScope, "global");
  }
  for (const Condition& condition : filter.must) {
    PANDORA_TRY(slots, meeting(condition, passing, deadline));
    passing &= slots;
  }
  SlotSet any;
  for (const Condition& condition : filter.should) {
    PANDORA_TRY(slots, meeting(condition, passing, deadline));
    any |= slots;
  }
  if (!filter.should.empty()) passing &= any;
  for (const Condition& condition : filter.must_not) {
    PANDORA_TRY(slots, meeting(condition, passing, deadline));
    passing -= slots;
  }
  return passing;
}

Result<std::vector<ScoredPoint>> PointCollection::query(const PointQuery& query, const Principal& who,
                                                        const Deadline& deadline) const {
  std::optional<SlotSet> passing;  // none: every point
  if (who.access != Access::kSystem || !is_empty(query.filter)) {
    PANDORA_TRY(slots, select(query.filter, who, deadline));
    passing = std::move(slots);
  }
  const SlotSet* filter = passing ? &*passing : nullptr;
  Result<std::vector<Hit>> hits = std::vector<Hit>();
  if (const auto* dense = std::get_if<std::vector<float>>(&query.nearest)) {
    std::vector<float> vector = *dense;
    normalise(vector);
    hits = dense_.search(vector, query.limit, filter, deadline);
  } else {
    hits = sparse_.at(query.vector).search(std::get<SparseVector>(query.nearest), query.limit, filter, deadline);
  }
  if (!hits) return fail(std::move(hits).error());
  std::vector<ScoredPoint> points;
  for (const Hit& hit : *hits)
    points.push_back({hit.id, hit.score, query.with_payload ? fields_of(entries_[hit.slot].payload, query.fields) : Payload()});
  return points;
}

std::optional<Point> PointCollection::find(const Uuid& id, const Principal& who) const {
  const auto slot = slots_.find(id);
  if (!slot || !visible_to(entries_[*slot].payload, who)) return std::nullopt;
  Point point{id, entries_[*slot].version, {}, {}, entries_[*slot].payload};
  if (dense_.has(*slot)) {
    const auto vector = dense_.vector(*slot);
    point.dense[""].assign(vector.begin(), vector.end());
  }
  for (const auto& [name, index] : sparse_)
    if (auto vector = index.vector(*slot)) point.sparse[name] = *std::move(vector);
  return point;
}

Result<std::vector<Point>> PointCollection::scroll(const Filter& filter, const std::optional<Uuid>& after,
                                                   std::size_t limit, const Principal& who,
                                                   const Deadline& deadline) const {
  const auto& all = slots_.by_id();
  std::vector<Point> points;
  std::size_t looked = 0;
  for (auto at = after ? all.upper_bound(*after) : all.begin(); at != all.end() && points.size() < limit; ++at) {
    if (++looked % kLookEvery == 0) PANDORA_CHECK(deadline.check("listing points"));
    const Entry& entry = entries_[at->second];
    if (visible_to(entry.payload, who) && holds(at->first, entry.payload, filter))
      points.push_back({at->first, entry.version, {}, {}, entry.payload});
  }
  return points;
}

Result<std::int64_t> PointCollection::count(const Filter& filter, const Principal& who,
                                            const Deadline& deadline) const {
  PANDORA_TRY(slots, select(filter, who, deadline));
  return static_cast<std::int64_t>(slots.count());
}

}  // namespace pandora
