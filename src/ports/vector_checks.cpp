#include "ports/vector_checks.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxNameBytes = 64, kMaxShown = 80;
constexpr double kUnitTolerance = 1e-6;
constexpr std::string_view kOwnerField = "user_id", kScopeField = "scope";

tl::unexpected<Error> wrong(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }
tl::unexpected<Error> too_many(std::string_view what, std::size_t count, std::size_t most) {
  return fail(ErrorCode::kTooLarge, fmt::format("{} {}, at most {}", count, what, most));
}

bool finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Status check_sparse(const SparseVector& vector) {
  if (vector.indices.size() != vector.values.size()) return wrong("indices and values of different lengths");
  if (!finite(vector.values)) return wrong("a value is not finite");
  if (std::ranges::any_of(vector.values, [](float value) { return value <= 0; }))
    return wrong("a weight is not above 0");
  const bool ascends = std::ranges::adjacent_find(vector.indices, std::greater_equal<>()) == vector.indices.end();
  return ascends ? Status() : Status(wrong("indices must ascend"));
}

Status check_value(const PayloadValue& value) {
  if (const auto* number = std::get_if<double>(&value); number && !std::isfinite(*number))
    return wrong("a number is not finite");
  if (const auto* text = std::get_if<std::string>(&value); text && !is_valid_utf8(*text))
    return wrong("a text is not UTF-8");
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value))
    if (!std::ranges::all_of(*texts, is_valid_utf8)) return wrong("a text is not UTF-8");
  return {};
}

Status check_payload(const Payload& payload) {
  for (const auto& [name, value] : payload) {
    PANDORA_CHECK(check_vector_name("payload field", name));
    const Status good = check_value(value);
    if (!good) return fail(Error(good.error()).with_context(name + ": "));
  }
  const std::size_t bytes = payload_bytes(payload);
  if (bytes > kMaxPayloadBytes) return too_many("bytes of payload", bytes, kMaxPayloadBytes);
  return {};
}

Status check_dense(const CollectionSpec& spec, std::string_view name, std::span<const float> vector) {
  if (!name.empty())
    return wrong(fmt::format("{} has no dense vector \"{}\"", spec.name, one_line(ellipsize(name, kMaxShown))));
  if (vector.size() != spec.dimension)
    return wrong(fmt::format("{} dimensions instead of {}", vector.size(), spec.dimension));
  return finite(vector) ? Status() : Status(wrong("a value is not finite"));
}

Status check_sparse(const CollectionSpec& spec, const std::string& name, const SparseVector& vector) {
  if (std::ranges::find(spec.sparse, name) == spec.sparse.end())
    return wrong(fmt::format("{} has no sparse vector \"{}\"", spec.name, one_line(ellipsize(name, kMaxShown))));
  return check_sparse(vector);
}

Status check_point(const CollectionSpec& spec, const Point& point) {
  for (const auto& [name, vector] : point.dense) PANDORA_CHECK(check_dense(spec, name, vector));
  for (const auto& [name, vector] : point.sparse) PANDORA_CHECK(check_sparse(spec, name, vector));
  return check_payload(point.payload);
}

bool is_number(const PayloadValue& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

Status check_condition(const Condition& condition) {
  const bool range = condition.from || condition.to;
  if (!condition.any.empty() + range + !condition.ids.empty() != 1)
    return wrong("a condition must have either values, or a range, or ids");
  for (const std::size_t count : {condition.any.size(), condition.ids.size()})
    if (count > kMaxConditionValues) return too_many("values of one condition", count, kMaxConditionValues);
  if (!condition.ids.empty()) return {};
  PANDORA_CHECK(check_vector_name("payload field", condition.field));
  for (const auto& value : condition.any) {
    if (std::holds_alternative<std::vector<std::string>>(value))
      return wrong("a condition compares with values, not with arrays");
    PANDORA_CHECK(check_value(value));
  }
  for (const auto* bound : {&condition.from, &condition.to}) {
    if (!*bound) continue;
    PANDORA_CHECK(check_value(**bound));
    if (!is_number(**bound) && !std::holds_alternative<Timestamp>(**bound))
      return wrong("a range is one of numbers or of times");
  }
  if (condition.from && condition.to && is_number(*condition.from) != is_number(*condition.to))
    return wrong("a range from a number to a time");
  return {};
}

bool is(const Payload& payload, std::string_view field, std::string_view text) {
  const auto found = payload.find(std::string(field));
  if (found == payload.end()) return false;
  const auto* value = std::get_if<std::string>(&found->second);
  return value && *value == text;
}

}  // namespace

Status check_vector_name(std::string_view what, std::string_view name) {
  const bool good = !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (good) return {};
  return wrong(fmt::format("\"{}\" is no name of a {}", one_line(ellipsize(name, kMaxShown)), what));
}

Status check_spec(const CollectionSpec& spec) {
  PANDORA_CHECK(check_vector_name("collection", spec.name));
  if (spec.dimension == 0) return wrong("a collection of no dimensions");
  if (spec.dimension > kMaxDimension) return too_many("dimensions", spec.dimension, kMaxDimension);
  if (spec.sparse.size() > kMaxSparseVectors) return too_many("sparse vectors", spec.sparse.size(), kMaxSparseVectors);
  for (const auto& name : spec.sparse) PANDORA_CHECK(check_vector_name("sparse vector", name));
  if (std::set(spec.sparse.begin(), spec.sparse.end()).size() != spec.sparse.size())
    return wrong("two sparse vectors of one name");
  for (const auto& [field, type] : spec.indexes) PANDORA_CHECK(check_vector_name("payload field", field));
  return is_valid_utf8(spec.embedder) ? Status() : Status(wrong("the embedder's name is not UTF-8"));
}

Status check_filter(const Filter& filter) {
  const std::size_t count = filter.must.size() + filter.should.size() + filter.must_not.size();
  if (count > kMaxConditions) return too_many("conditions", count, kMaxConditions);
  for (const auto* list : {&filter.must, &filter.should, &filter.must_not})
    for (const auto& condition : *list) PANDORA_CHECK(check_condition(condition));
  return {};
}

Status check_limit(std::size_t limit) {
  return limit <= kMaxQueryLimit ? Status() : Status(too_many("points asked for", limit, kMaxQueryLimit));
}

Status check_ids(std::span<const Uuid> ids) {
  return ids.size() <= kMaxUpsert ? Status() : Status(too_many("ids at once", ids.size(), kMaxUpsert));
}

Status check_query(const CollectionSpec& spec, const PointQuery& query) {
  PANDORA_CHECK(check_limit(query.limit));
  PANDORA_CHECK(check_filter(query.filter));
  if (query.fields.size() > kMaxConditions) return too_many("fields", query.fields.size(), kMaxConditions);
  for (const auto& field : query.fields) PANDORA_CHECK(check_vector_name("payload field", field));
  if (const auto* dense = std::get_if<std::vector<float>>(&query.nearest))
    return check_dense(spec, query.vector, *dense);
  return check_sparse(spec, query.vector, std::get<SparseVector>(query.nearest));
}

Status check_points(const CollectionSpec& spec, std::span<const Point> points, const Principal& who) {
  if (points.size() > kMaxUpsert) return too_many("points at once", points.size(), kMaxUpsert);
  for (const Point& point : points) {
    const Status good = check_point(spec, point);
    if (!good)
      return fail(Error(good.error()).with_context(fmt::format("point {} of {}: ", point.id.to_string(), spec.name)));
    if (!writable_by(point.payload, who))
      return fail(ErrorCode::kPermissionDenied,
                  fmt::format("point {} would belong to another user", point.id.to_string()));
  }
  return {};
}

Payload fields_of(const Payload& payload, std::span<const std::string> fields) {
  if (fields.empty()) return payload;
  Payload some;
  for (const auto& field : fields)
    if (const auto found = payload.find(field); found != payload.end()) some.insert(*found);
  return some;
}

bool writable_by(const Payload& payload, const Principal& who) {
  return who.access == Access::kSystem || is(payload, kOwnerField, who.user.str());
}

bool visible_to(const Payload& payload, const Principal& who) {
  return writable_by(payload, who) || is(payload, kScopeField, "global");
}

std::size_t payload_bytes(const Payload& payload) {
  constexpr std::size_t kEach = 8;
  std::size_t bytes = 0;
  for (const auto& [name, value] : payload) {
    bytes += kEach + name.size();
    const auto* text = std::get_if<std::string>(&value);
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    bytes += text ? kEach + text->size() : texts ? 0 : kEach;
    if (texts)
      for (const auto& one : *texts) bytes += kEach + one.size();
  }
  return bytes;
}

void normalise(std::vector<float>& vector) {
  double squares = 0;
  for (const float value : vector) squares += static_cast<double>(value) * value;
  if (squares == 0 || std::abs(squares - 1) <= kUnitTolerance) return;
  const double length = std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value / length);
}

}  // namespace pandora
