// Filters of Qdrant's API as values.
//
// A filter holds for a point when every one of `must` does, none of `must_not`, at least one of `should` when there is
// any, and `min_count` of `min_should`. Conditions on a field look at every value its path leads to, and into arrays
// one level; several predicates in one condition are alternatives. How each is judged: vectors/condition.h.
#pragma once
#include <memory>
#include <optional>
#include <variant>

#include "base/clock.h"
#include "wire/qdrant_ids.h"
#include "wire/qdrant_path.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxFilterConditions = 65'536;  // of one filter, however nested

// match: {"value": …}
struct MatchValue {
  std::variant<bool, std::int64_t, std::string> value;
};
// match: {"any": […]} or {"except": […]}; texts or integers
struct MatchAny {
  bool except = false;
  std::variant<std::vector<std::string>, std::vector<std::int64_t>> values;
};
// match: {"text": …}, {"text_any": …}, {"phrase": …}
struct MatchText {
  enum class Kind { kAll, kAny, kPhrase } kind = Kind::kAll;
  std::string text;
};
template <class T>
struct Bounds {
  std::optional<T> gt, gte, lt, lte;
  bool hold(const T& value) const {
    return (!gt || value > *gt) && (!gte || value >= *gte) && (!lt || value < *lt) && (!lte || value <= *lte);
  }
};
struct ValuesCount {
  Bounds<std::int64_t> count;
};
struct IsEmpty {
  bool wanted = true;
};
struct IsNull {
  bool wanted = true;
};
using Predicate =
    std::variant<MatchValue, MatchAny, MatchText, Bounds<double>, Bounds<Timestamp>, ValuesCount, IsEmpty, IsNull>;

struct Filter;
struct FieldCondition {
  PayloadPath path;
  std::vector<Predicate> any_of;  // at least one
};
struct HasId {
  std::vector<PointId> ids;
};
struct HasVector {
  std::string name;
};
// Some element of the array at `path` meets the filter by itself. `path` ends with "[]".
struct Nested {
  PayloadPath path;
  std::unique_ptr<Filter> filter;
};
struct Grouped {
  std::unique_ptr<Filter> filter;
};
using Condition = std::variant<FieldCondition, HasId, HasVector, Nested, Grouped>;

struct Filter {
  std::vector<Condition> must, should, must_not, min_should;
  std::size_t min_count = 0;
  bool is_empty() const {
    return must.empty() && should.empty() && must_not.empty() && min_should.empty() && min_count == 0;
  }
};

// `place` names it in messages: "internal.filter". 400, 422, 501 (geo).
Outcome<Filter> read_filter(JsonNode node, const std::string& place);

}  // namespace pandora::qdrant
