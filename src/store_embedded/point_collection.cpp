#include "store_embedded/point_collection.h"

#include <algorithm>

#include "ports/vector_checks.h"
#include "store_embedded/point_codec.h"

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

IndexShape shape_of(const CollectionSpec& spec) {
  return {{spec.dimension}, spec.sparse.size(), indexes_of(spec), encode_spec(spec)};
}

bool is_empty(const Filter& filter) { return filter.must.empty() && filter.should.empty() && filter.must_not.empty(); }

}  // namespace

PointCollection::PointCollection(CollectionSpec spec, ThreadPool* pool)
    : spec_(std::move(spec)), index_(shape_of(spec_), {.pool = pool}) {}

Status PointCollection::put(const Point& point, std::uint64_t seq) {
  const std::string stored = encode_stored(point.payload);
  std::vector<float> vector;
  if (const auto dense = point.dense.find(""); dense != point.dense.end()) {
    vector = dense->second;
    normalise(vector);
  }
  IndexedPoint indexed{
      .id = point.id, .seq = seq, .dense = {vector}, .sparse = {}, .payload = &point.payload, .stored = stored};
  for (const auto& name : spec_.sparse) {
    const auto words = point.sparse.find(name);
    indexed.sparse.push_back(words == point.sparse.end() ? nullptr : &words->second);
  }
  return index_.put(indexed).map([](bool) {});
}

Status PointCollection::remove(const Uuid& id, std::uint64_t seq) {
  return index_.remove(id, seq).map([](bool) {});
}

Result<std::size_t> PointCollection::move_some(std::size_t most) {
  const std::vector<Slot> slots = index_.worth_moving(most);
  for (const Slot slot : slots) {
    PANDORA_TRY(fields, payload(slot));
    PANDORA_CHECK(index_.move(slot, fields));
  }
  return slots.size();
}

Result<Payload> PointCollection::payload(Slot slot) const {
  PANDORA_TRY(bytes, index_.stored(slot));
  return decode_stored(bytes);
}

Result<SlotSet> PointCollection::meeting(const Condition& condition, const SlotSet& among,
                                         const Deadline& deadline) const {
  SlotSet slots;
  if (!condition.ids.empty()) {
    for (const Uuid& id : condition.ids)
      if (const auto slot = index_.find(id)) slots.insert(*slot);
    return slots;
  }
  PANDORA_TRY(selected, index_.select(condition));
  if (selected && selected->exact) return std::move(selected->slots);
  SlotSet doubtful = among;
  if (selected) doubtful &= selected->slots;
  Status good;
  std::size_t looked = 0;
  doubtful.for_each([&](Slot slot) {
    if (looked++ % kLookEvery == 0 && good) good = deadline.check("filtering points");
    if (!good) return;
    const auto fields = payload(slot);
    if (!fields)
      good = fail(fields.error());
    else if (holds(index_.id(slot), *fields, condition))
      slots.insert(slot);
  });
  PANDORA_CHECK(good);
  return slots;
}

Result<SlotSet> PointCollection::select(const Filter& filter, const Principal& who, const Deadline& deadline) const {
  SlotSet passing;
  if (who.access == Access::kSystem) {
    passing = index_.live();
  } else {  // visible_to
    PANDORA_TRY(own, index_.with_text(kOwner, who.user.str()));
    PANDORA_TRY(global, index_.with_text(kScope, "global"));
    passing = std::move(own);
    passing |= global;
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
    hits = index_.nearest(0, vector, query.limit, filter, deadline);
  } else {
    const auto name = std::ranges::find(spec_.sparse, query.vector);
    hits = index_.by_terms(static_cast<std::size_t>(name - spec_.sparse.begin()), std::get<SparseVector>(query.nearest),
                           query.limit, filter, deadline);
  }
  if (!hits) return fail(std::move(hits).error());
  std::vector<ScoredPoint> points;
  for (const Hit& hit : *hits) {
    ScoredPoint& point = points.emplace_back(ScoredPoint{hit.id, hit.score, {}});
    if (!query.with_payload) continue;
    PANDORA_TRY(stored, index_.stored(hit.slot));
    PANDORA_TRY(fields, decode_stored(stored, query.fields));
    point.payload = std::move(fields);
  }
  return points;
}

Result<std::int64_t> PointCollection::count(const Filter& filter, const Principal& who,
                                            const Deadline& deadline) const {
  PANDORA_TRY(slots, select(filter, who, deadline));
  return static_cast<std::int64_t>(slots.count());
}

}  // namespace pandora
