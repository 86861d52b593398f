#include "store_memory/memory_vector_store.h"

#include <algorithm>
#include <cmath>

#include "ports/vector_checks.h"

namespace pandora {
namespace {

std::optional<double> number_of(const PayloadValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

// Less than, of two numbers or of two times; nothing of anything else.
std::optional<bool> below(const PayloadValue& a, const PayloadValue& b) {
  if (const auto x = number_of(a), y = number_of(b); x && y) return *x < *y;
  const auto *x = std::get_if<Timestamp>(&a), *y = std::get_if<Timestamp>(&b);
  if (x && y) return *x < *y;
  return std::nullopt;
}

bool satisfies(const Point& point, const Condition& condition) {
  if (!condition.ids.empty()) return std::ranges::count(condition.ids, point.id) > 0;
  const auto field = point.payload.find(condition.field);
  if (field == point.payload.end()) return false;
  const PayloadValue& value = field->second;
  for (const auto& wanted : condition.any) {
    if (value == wanted) return true;
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    const auto* text = std::get_if<std::string>(&wanted);
    if (texts && text && std::ranges::count(*texts, *text) > 0) return true;
  }
  if (!condition.any.empty()) return false;
  const bool from = !condition.from || below(value, *condition.from) == false;
  const bool to = !condition.to || below(value, *condition.to) == true;
  return from && to;
}

bool passes(const Point& point, const Filter& filter, const Principal& who) {
  if (!visible_to(point.payload, who)) return false;
  for (const auto& condition : filter.must)
    if (!satisfies(point, condition)) return false;
  for (const auto& condition : filter.must_not)
    if (satisfies(point, condition)) return false;
  for (const auto& condition : filter.should)
    if (satisfies(point, condition)) return true;
  return filter.should.empty();
}

using Points = std::map<Uuid, Point>;

std::vector<ScoredPoint> by_meaning(const Points& points, std::vector<float> nearest) {
  normalise(nearest);
  std::vector<ScoredPoint> found;
  for (const auto& [id, point] : points) {
    const auto vector = point.dense.find("");
    if (vector == point.dense.end()) continue;
    double score = 0;
    for (std::size_t i = 0; i < nearest.size(); ++i) score += static_cast<double>(nearest[i]) * vector->second[i];
    found.push_back({id, static_cast<float>(score), {}});
  }
  return found;
}

double weight_in(const SparseVector& vector, std::uint32_t term) {
  for (std::size_t i = 0; i < vector.indices.size(); ++i)
    if (vector.indices[i] == term) return vector.values[i];
  return 0;
}

std::vector<ScoredPoint> by_words(const Points& points, const std::string& name, const SparseVector& nearest) {
  std::map<Uuid, double> scores;
  for (std::size_t i = 0; i < nearest.indices.size(); ++i) {
    double count = 0, having = 0;
    for (const auto& [id, point] : points) {
      if (!point.sparse.contains(name)) continue;
      ++count;
      if (weight_in(point.sparse.at(name), nearest.indices[i]) > 0) ++having;
    }
    const double idf = std::log(1 + (count - having + 0.5) / (having + 0.5));
    for (const auto& [id, point] : points) {
      if (!point.sparse.contains(name)) continue;
      const double weight = weight_in(point.sparse.at(name), nearest.indices[i]);
      if (weight > 0) scores[id] += nearest.values[i] * idf * weight;
    }
  }
  std::vector<ScoredPoint> found;
  for (const auto& [id, score] : scores) found.push_back({id, static_cast<float>(score), {}});
  return found;
}

}  // namespace

Result<MemoryVectorStore::Collection*> MemoryVectorStore::find(const std::string& name) {
  const auto alias = aliases_.find(name);
  const auto found = collections_.find(alias == aliases_.end() ? name : alias->second);
  if (found == collections_.end()) return fail(ErrorCode::kNotFound, "there is no collection " + name);
  return &found->second;
}

Status MemoryVectorStore::ensure_collection(const CollectionSpec& spec, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("making a collection"));
  PANDORA_CHECK(check_spec(spec));
  const std::lock_guard lock(mutex_);
  if (aliases_.contains(spec.name)) return fail(ErrorCode::kConflict, spec.name + " is an alias");
  const auto [made, added] = collections_.try_emplace(spec.name, Collection{spec, {}});
  if (!added && made->second.spec != spec)
    return fail(ErrorCode::kIncompatible, spec.name + " was made with another specification");
  return {};
}

Result<std::vector<CollectionSpec>> MemoryVectorStore::collections(const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing collections"));
  const std::lock_guard lock(mutex_);
  std::vector<CollectionSpec> specs;
  for (const auto& [name, collection] : collections_) specs.push_back(collection.spec);
  return specs;
}

Status MemoryVectorStore::drop_collection(const std::string& collection, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("dropping a collection"));
  const std::lock_guard lock(mutex_);
  collections_.erase(collection);
  std::erase_if(aliases_, [&](const auto& alias) { return alias.second == collection; });
  return {};
}

Status MemoryVectorStore::alias_switch(const std::string& alias, const std::string& collection,
                                       const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("switching an alias"));
  PANDORA_CHECK(check_vector_name("alias", alias));
  const std::lock_guard lock(mutex_);
  if (collections_.contains(alias)) return fail(ErrorCode::kConflict, alias + " is a collection");
  if (!collections_.contains(collection)) return fail(ErrorCode::kNotFound, "there is no collection " + collection);
  aliases_[alias] = collection;
  return {};
}

Result<std::size_t> MemoryVectorStore::upsert(const std::string& name, std::span<const Point> points,
                                              const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("writing points"));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  PANDORA_CHECK(check_points(collection->spec, points, who));
  Points changed = collection->points;  // all or nothing: a copy takes the place of the old
  std::size_t written = 0;
  for (Point point : points) {
    for (auto& [dense, vector] : point.dense) normalise(vector);
    std::erase_if(point.sparse, [](const auto& vector) { return vector.second.indices.empty(); });
    const auto stored = changed.find(point.id);
    if (stored != changed.end() && !writable_by(stored->second.payload, who))
      return fail(ErrorCode::kPermissionDenied, "point " + point.id.to_string() + " belongs to another user");
    if (stored != changed.end() && point.version < stored->second.version) continue;
    changed[point.id] = std::move(point);
    ++written;
  }
  collection->points = std::move(changed);
  return written;
}

Result<std::size_t> MemoryVectorStore::remove(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                                              const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("removing points"));
  PANDORA_CHECK(check_ids(ids));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  return std::erase_if(collection->points, [&](const auto& entry) {
    return std::ranges::count(ids, entry.first) > 0 && writable_by(entry.second.payload, who);
  });
}

Result<std::vector<ScoredPoint>> MemoryVectorStore::query(const std::string& name, const PointQuery& query,
                                                          const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("searching"));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  PANDORA_CHECK(check_query(collection->spec, query));
  const Points& points = collection->points;
  const auto* dense = std::get_if<std::vector<float>>(&query.nearest);
  auto found =
      dense ? by_meaning(points, *dense) : by_words(points, query.vector, std::get<SparseVector>(query.nearest));
  std::erase_if(found, [&](const ScoredPoint& one) { return !passes(points.at(one.id), query.filter, who); });
  std::ranges::sort(found, [](const ScoredPoint& a, const ScoredPoint& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  if (found.size() > query.limit) found.resize(query.limit);
  if (query.with_payload)
    for (auto& one : found) one.payload = fields_of(points.at(one.id).payload, query.fields);
  return found;
}

Result<std::vector<Point>> MemoryVectorStore::retrieve(const std::string& name, std::span<const Uuid> ids,
                                                       const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("fetching points"));
  PANDORA_CHECK(check_ids(ids));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  std::vector<Point> found;
  for (const Uuid& id : ids) {
    const auto point = collection->points.find(id);
    if (point != collection->points.end() && visible_to(point->second.payload, who)) found.push_back(point->second);
  }
  return found;
}

Result<std::vector<Point>> MemoryVectorStore::scroll(const std::string& name, const Filter& filter,
                                                     const std::optional<Uuid>& after, std::size_t limit,
                                                     const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("listing points"));
  PANDORA_CHECK(check_limit(limit));
  PANDORA_CHECK(check_filter(filter));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  std::vector<Point> found;
  for (const auto& [id, point] : collection->points)
    if (found.size() < limit && (!after || id > *after) && passes(point, filter, who))
      found.push_back({id, point.version, {}, {}, point.payload});
  return found;
}

Result<std::int64_t> MemoryVectorStore::count(const std::string& name, const Filter& filter, const Principal& who,
                                              const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("counting points"));
  PANDORA_CHECK(check_filter(filter));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  return std::ranges::count_if(collection->points,
                               [&](const auto& entry) { return passes(entry.second, filter, who); });
}

Status MemoryVectorStore::snapshot(const std::string& name, const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("copying a collection"));
  const std::lock_guard lock(mutex_);
  PANDORA_TRY(collection, find(name));
  if (!snapshots_.try_emplace(path, *collection).second) return fail(ErrorCode::kConflict, path + " exists");
  return {};
}

std::unique_ptr<VectorStore> MemoryVectorStore::open_snapshot(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto kept = snapshots_.find(path);
  if (kept == snapshots_.end()) return nullptr;
  auto store = std::make_unique<MemoryVectorStore>();
  store->collections_.emplace(kept->second.spec.name, kept->second);
  return store;
}

}  // namespace pandora
