#include "store_embedded/point_collection.h"

#include <algorithm>

#include "ports/vector_checks.h"

namespace pandora {
namespace {

constexpr std::size_t kLookEvery = 4096;  // points between two looks at the clock

// Numbers compare with numbers, times with times; anything else only with its own kind.
std::optional<double> as_number(const PayloadValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

bool equals(const PayloadValue& value, const PayloadValue& wanted) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    const auto* text = std::get_if<std::string>(&wanted);
    return text ? std::ranges::find(*list, *text) != list->end() : value == wanted;
  }
  return value == wanted;
}

bool not_below(const PayloadValue& value, const PayloadValue& bound) {
  if (const auto a = as_number(value), b = as_number(bound); a && b) return *a >= *b;
  const auto *a = std::get_if<Timestamp>(&value), *b = std::get_if<Timestamp>(&bound);
  return a && b && *a >= *b;
}
bool comparable(const PayloadValue& value, const PayloadValue& bound) {
  return (as_number(value) && as_number(bound)) ||
         (std::holds_alternative<Timestamp>(value) && std::holds_alternative<Timestamp>(bound));
}

bool holds(const Uuid& id, const Payload& payload, const Condition& condition) {
  if (!condition.ids.empty()) return std::ranges::find(condition.ids, id) != condition.ids.end();
  const auto found = payload.find(condition.field);
  if (found == payload.end()) return false;
  const PayloadValue& value = found->second;
  if (!condition.any.empty())
    return std::ranges::any_of(condition.any, [&](const auto& wanted) { return equals(value, wanted); });
  if (!condition.from && !condition.to) return false;
  if (condition.from && !(comparable(value, *condition.from) && not_below(value, *condition.from))) return false;
  return !condition.to || (comparable(value, *condition.to) && !not_below(value, *condition.to));
}

}  // namespace

PointCollection::PointCollection(CollectionSpec spec) : spec_(std::move(spec)), dense_(spec_.dimension, slots_) {
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

bool PointCollection::matches(const Uuid& id, const Entry& entry, const Filter& filter) {
  const auto true_here = [&](const Condition& condition) { return holds(id, entry.payload, condition); };
  return std::ranges::all_of(filter.must, true_here) && std::ranges::none_of(filter.must_not, true_here) &&
         (filter.should.empty() || std::ranges::any_of(filter.should, true_here));
}

void PointCollection::put(const Point& point) {
  const Slot slot = slots_.add(point.id);
  if (slot >= entries_.size()) entries_.resize(slot + 1);
  entries_[slot] = {point.version, point.payload};
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
  entries_[*slot] = {};
  slots_.remove(*slot);
  return true;
}

Result<SlotSet> PointCollection::select(const Filter& filter, const Principal& who, const Deadline& deadline) const {
  SlotSet slots;
  std::size_t looked = 0;
  for (const auto& [id, slot] : slots_.by_id()) {
    if (++looked % kLookEvery == 0) PANDORA_CHECK(deadline.check("filtering points"));
    if (visible_to(entries_[slot].payload, who) && matches(id, entries_[slot], filter)) slots.insert(slot);
  }
  return slots;
}

Result<std::vector<ScoredPoint>> PointCollection::query(const PointQuery& query, const Principal& who,
                                                        const Deadline& deadline) const {
  PANDORA_TRY(filter, select(query.filter, who, deadline));
  Result<std::vector<Hit>> hits = std::vector<Hit>();
  if (const auto* dense = std::get_if<std::vector<float>>(&query.nearest)) {
    std::vector<float> vector = *dense;
    normalise(vector);
    hits = dense_.search(vector, query.limit, &filter, deadline);
  } else {
    hits = sparse_.at(query.vector).search(std::get<SparseVector>(query.nearest), query.limit, &filter, deadline);
  }
  if (!hits) return fail(std::move(hits).error());
  std::vector<ScoredPoint> points;
  for (const Hit& hit : *hits)
    points.push_back({hit.id, hit.score, query.with_payload ? entries_[hit.slot].payload : Payload()});
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
    if (const SparseVector* vector = index.vector(*slot)) point.sparse[name] = *vector;
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
    if (visible_to(entry.payload, who) && matches(at->first, entry, filter))
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
