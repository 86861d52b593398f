#include "store_embedded/point_collection.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace pandora {
namespace {

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
  return (as_number(value) && as_number(bound)) || (std::holds_alternative<Timestamp>(value) && std::holds_alternative<Timestamp>(bound));
}

bool holds(const Uuid& id, const Payload& payload, const Condition& condition) {
  if (!condition.ids.empty()) return std::ranges::find(condition.ids, id) != condition.ids.end();
  const auto found = payload.find(condition.field);
  if (found == payload.end()) return false;
  const PayloadValue& value = found->second;
  if (!condition.any.empty()) return std::ranges::any_of(condition.any, [&](const auto& wanted) { return equals(value, wanted); });
  if (!condition.from && !condition.to) return false;
  if (condition.from && !(comparable(value, *condition.from) && not_below(value, *condition.from))) return false;
  return !condition.to || (comparable(value, *condition.to) && !not_below(value, *condition.to));
}

bool finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace

PointCollection::PointCollection(CollectionSpec spec) : spec_(std::move(spec)), dense_(spec_.dimension) {
  for (const auto& name : spec_.sparse) sparse_[name];
}

Status PointCollection::check(const Point& point) const {
  const auto wrong = [&](std::string what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("point {} of {}: {}", point.id.to_string(), spec_.name, what));
  };
  for (const auto& [name, vector] : point.dense) {
    if (!name.empty()) return wrong(fmt::format("no dense vector is named \"{}\"", name));
    if (vector.size() != spec_.dimension) return wrong(fmt::format("{} dimensions instead of {}", vector.size(), spec_.dimension));
    if (!finite(vector)) return wrong("a value is not finite");
  }
  for (const auto& [name, vector] : point.sparse) {
    if (!sparse_.contains(name)) return wrong(fmt::format("no sparse vector is named \"{}\"", name));
    if (vector.indices.size() != vector.values.size()) return wrong("indices and values of different lengths");
    if (!finite(vector.values)) return wrong("a value is not finite");
    if (!std::ranges::is_sorted(vector.indices, std::less_equal<>())) return wrong("indices must ascend");
  }
  return {};
}

std::optional<std::int64_t> PointCollection::version(const Uuid& id) const {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return std::nullopt;
  return entries_[found->second].version;
}

bool PointCollection::visible(const Entry& entry, const Principal& who) const {
  if (who.access == Access::kSystem) return true;
  const auto is = [&](const char* name, const std::string& text) {
    const auto found = entry.payload.find(name);
    return found != entry.payload.end() && found->second == PayloadValue(text);
  };
  return is("user_id", who.user.str()) || is("scope", "global");
}

bool PointCollection::may_see(const Uuid& id, const Principal& who) const {
  const auto found = slots_.find(id);
  return found != slots_.end() && visible(entries_[found->second], who);
}

bool PointCollection::matches(const Entry& entry, const Filter& filter) {
  const auto true_here = [&](const Condition& condition) { return holds(entry.id, entry.payload, condition); };
  return std::ranges::all_of(filter.must, true_here) && std::ranges::none_of(filter.must_not, true_here) &&
         (filter.should.empty() || std::ranges::any_of(filter.should, true_here));
}

void PointCollection::put(const Point& point) {
  const auto [place, added] = slots_.try_emplace(point.id, 0);
  if (added) {
    if (free_.empty()) {
      place->second = static_cast<Slot>(entries_.size());
      entries_.emplace_back();
    } else {
      place->second = free_.back();
      free_.pop_back();
    }
  }
  const Slot slot = place->second;
  entries_[slot] = {point.id, point.version, point.payload, true};
  const auto dense = point.dense.find("");
  if (dense != point.dense.end()) dense_.put(slot, point.id, dense->second);
  else dense_.remove(slot);
  for (auto& [name, index] : sparse_) {
    const auto vector = point.sparse.find(name);
    if (vector != point.sparse.end()) index.put(slot, point.id, vector->second);
    else index.remove(slot);
  }
}

bool PointCollection::remove(const Uuid& id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return false;
  const Slot slot = found->second;
  dense_.remove(slot);
  for (auto& [name, index] : sparse_) index.remove(slot);
  entries_[slot] = {};
  free_.push_back(slot);
  slots_.erase(found);
  return true;
}

Result<std::vector<ScoredPoint>> PointCollection::query(const PointQuery& query, const Principal& who, const Deadline& deadline) const {
  const SlotFilter filter = [&](Slot slot) { return visible(entries_[slot], who) && matches(entries_[slot], query.filter); };
  Result<std::vector<Hit>> hits = std::vector<Hit>();
  if (const auto* dense = std::get_if<std::vector<float>>(&query.nearest)) {
    if (!query.vector.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("{} has no dense vector \"{}\"", spec_.name, query.vector));
    if (dense->size() != spec_.dimension)
      return fail(ErrorCode::kInvalidArgument, fmt::format("a query of {} dimensions, {} has {}", dense->size(), spec_.name, spec_.dimension));
    if (!finite(*dense)) return fail(ErrorCode::kInvalidArgument, "a value of the query is not finite");
    hits = dense_.search(*dense, query.limit, filter, deadline);
  } else {
    const auto& sparse = std::get<SparseVector>(query.nearest);
    const auto index = sparse_.find(query.vector);
    if (index == sparse_.end()) return fail(ErrorCode::kInvalidArgument, fmt::format("{} has no sparse vector \"{}\"", spec_.name, query.vector));
    if (sparse.indices.size() != sparse.values.size() || !finite(sparse.values)) return fail(ErrorCode::kInvalidArgument, "the sparse query is malformed");
    hits = index->second.search(sparse, query.limit, filter, deadline);
  }
  if (!hits) return fail(std::move(hits).error());
  std::vector<ScoredPoint> points;
  for (const Hit& hit : *hits) points.push_back({hit.id, hit.score, query.with_payload ? entries_[hit.slot].payload : Payload()});
  return points;
}

std::optional<Point> PointCollection::find(const Uuid& id, const Principal& who) const {
  const auto found = slots_.find(id);
  if (found == slots_.end() || !visible(entries_[found->second], who)) return std::nullopt;
  const Slot slot = found->second;
  Point point{id, entries_[slot].version, {}, {}, entries_[slot].payload};
  if (dense_.has(slot)) {
    const auto vector = dense_.vector(slot);
    point.dense[""].assign(vector.begin(), vector.end());
  }
  for (const auto& [name, index] : sparse_)
    if (const SparseVector* vector = index.vector(slot)) point.sparse[name] = *vector;
  return point;
}

std::vector<Point> PointCollection::scroll(const Filter& filter, const std::optional<Uuid>& after, std::size_t limit, const Principal& who) const {
  std::vector<Point> points;
  for (auto at = after ? slots_.upper_bound(*after) : slots_.begin(); at != slots_.end() && points.size() < limit; ++at) {
    const Entry& entry = entries_[at->second];
    if (visible(entry, who) && matches(entry, filter)) points.push_back({entry.id, entry.version, {}, {}, entry.payload});
  }
  return points;
}

std::int64_t PointCollection::count(const Filter& filter, const Principal& who) const {
  return std::ranges::count_if(entries_, [&](const Entry& entry) { return entry.present && visible(entry, who) && matches(entry, filter); });
}

}  // namespace pandora
