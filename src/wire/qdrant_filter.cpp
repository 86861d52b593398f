#include "wire/qdrant_filter.h"

#include <fmt/format.h>

#include "wire/qdrant_read.h"

namespace pandora::qdrant {
namespace {

constexpr std::string_view kNoCondition =
    "Expected some form of condition, which can be a field condition (like {\"key\": ..., \"match\": ... }), or some "
    "other mentioned in the documentation: https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions";

class FilterReader {
 public:
  Outcome<Filter> filter(JsonNode node, const std::string& place) {
    if (!node.is_object()) return fail(invalid_type(node, "struct Filter"));
    Filter filter;
    for (JsonNode key = node.first(); key; key = key.next().next()) {
      const JsonNode value = key.next();
      const std::string name = key.text();
      if (name == "must" || name == "should" || name == "must_not") {
        auto& list = name == "must" ? filter.must : name == "should" ? filter.should : filter.must_not;
        PANDORA_TRY(read, conditions(value, fmt::format("{}.{}", place, name)));
        list = std::move(read);
      } else if (name == "min_should") {
        if (value.is_null()) continue;
        if (!value.is_object()) return fail(invalid_type(value, "struct MinShould"));
        PANDORA_TRY(given, required(value, "conditions"));
        if (!given.is_array()) return fail(invalid_type(given, "a sequence"));
        PANDORA_TRY(read, conditions(given, place + ".min_should"));
        PANDORA_TRY(count, required(value, "min_count"));
        PANDORA_TRY(least, read_size(count));
        filter.min_should = std::move(read);
        filter.min_count = filter.min_should.empty() ? 0 : least;  // of no conditions none need be met
      } else {
        return fail(bad_format(
            fmt::format("unknown field `{}`, expected one of `should`, `min_should`, `must`, `must_not`", name)));
      }
    }
    return filter;
  }

 private:
  Outcome<std::vector<Condition>> conditions(JsonNode node, const std::string& place) {
    std::vector<Condition> all;
    if (node.is_null()) return all;
    if (node.is_object()) {
      PANDORA_TRY(one, condition(node, place));
      all.push_back(std::move(one));
      return all;
    }
    if (!node.is_array()) return fail(invalid_type(node, "null, array or map"));
    for (JsonNode item = node.first(); item; item = item.next()) {
      PANDORA_TRY(one, condition(item, fmt::format("{}[{}]", place, all.size())));
      all.push_back(std::move(one));
    }
    return all;
  }

  Outcome<Condition> condition(JsonNode node, const std::string& place) {
    if (++count_ > kMaxFilterConditions)
      return fail(bad_value(fmt::format("{}: more than {} conditions", place, kMaxFilterConditions)));
    if (!node.is_object()) return fail(bad_format(kNoCondition));
    if (node.find("key")) return field(node, place);
    if (const JsonNode about = node.find("is_empty")) return about_field(about, IsEmpty{});
    if (const JsonNode about = node.find("is_null")) return about_field(about, IsNull{});
    if (const JsonNode ids = node.find("has_id")) {
      HasId condition;
      if (!ids.is_array()) return fail(bad_format(kNoCondition));
      for (JsonNode id = ids.first(); id; id = id.next()) {
        PANDORA_TRY(read, read_point_id(id));
        condition.ids.push_back(read);
      }
      return Condition(std::move(condition));
    }
    if (const JsonNode name = node.find("has_vector")) {
      if (!name.is_string()) return fail(bad_format(kNoCondition));
      return Condition(HasVector{name.text()});
    }
    if (node.find("slice")) return fail(not_served("the condition `slice`"));
    if (const JsonNode nested = node.find("nested")) {
      PANDORA_TRY(key, required(nested, "key"));
      PANDORA_TRY(path, read_path(key));
      PANDORA_TRY(inner, required(nested, "filter"));
      PANDORA_TRY(read, filter(inner, place + ".nested.filter"));
      return Condition(Nested{path.with_every(), std::make_unique<Filter>(std::move(read))});
    }
    for (JsonNode key = node.first(); key; key = key.next().next())
      if (!key.text_is("must") && !key.text_is("should") && !key.text_is("must_not") && !key.text_is("min_should"))
        return fail(bad_format(kNoCondition));
    PANDORA_TRY(read, filter(node, place));
    return Condition(Grouped{std::make_unique<Filter>(std::move(read))});
  }

  static Outcome<Condition> about_field(JsonNode node, Predicate predicate) {
    if (!node.is_object() || !node.find("key")) return fail(bad_format(kNoCondition));
    PANDORA_TRY(path, read_path(node.find("key")));
    FieldCondition condition{std::move(path), {}};
    condition.any_of.push_back(std::move(predicate));
    return Condition(std::move(condition));
  }

  static Outcome<Condition> field(JsonNode node, const std::string& place) {
    PANDORA_TRY(path, read_path(node.find("key")));
    FieldCondition condition{std::move(path), {}};
    const auto given = [&](const char* name) {
      const JsonNode value = node.find(name);
      return value && !value.is_null() ? value : JsonNode();
    };
    for (const char* geo : {"geo_bounding_box", "geo_radius", "geo_polygon"})
      if (given(geo)) return fail(not_served("geographical conditions"));
    if (const JsonNode value = given("match")) {
      PANDORA_TRY(match, read_match(value));
      condition.any_of.push_back(std::move(match));
    }
    if (const JsonNode value = given("range")) {
      PANDORA_TRY(range, read_range(value));
      condition.any_of.push_back(std::move(range));
    }
    if (const JsonNode value = given("values_count")) {
      ValuesCount count;
      PANDORA_CHECK(read_bounds(value, count.count, [](JsonNode n) -> Outcome<std::int64_t> {
        PANDORA_TRY(size, read_size(n));
        return static_cast<std::int64_t>(size);
      }));
      condition.any_of.push_back(count);
    }
    if (const JsonNode value = given("is_empty")) {
      PANDORA_TRY(wanted, read_bool(value));
      condition.any_of.push_back(IsEmpty{wanted});
    }
    if (const JsonNode value = given("is_null")) {
      PANDORA_TRY(wanted, read_bool(value));
      condition.any_of.push_back(IsNull{wanted});
    }
    if (condition.any_of.empty())
      return fail(bad_value(
          fmt::format("{}.__all__: Validation error: At least one field condition must be specified [{{}}]", place)));
    return Condition(std::move(condition));
  }

  static Outcome<Predicate> read_match(JsonNode node) {
    const Fault none = bad_format("data did not match any variant of untagged enum MatchInterface");
    if (!node.is_object()) return fail(none);
    if (const JsonNode value = node.find("value")) {
      if (value.is_string()) return Predicate(MatchValue{value.text()});
      if (value.is_bool()) return Predicate(MatchValue{value.kind() == JsonKind::kTrue});
      if (const auto integer = value.integer()) return Predicate(MatchValue{*integer});
      return fail(none);
    }
    for (const auto& [name, kind] : {std::pair{"text", MatchText::Kind::kAll},
                                     {"text_any", MatchText::Kind::kAny},
                                     {"phrase", MatchText::Kind::kPhrase}})
      if (const JsonNode value = node.find(name)) {
        if (!value.is_string()) return fail(none);
        return Predicate(MatchText{kind, value.text()});
      }
    if (node.find("prefix")) return fail(not_served("the match `prefix`"));
    const bool except = !node.find("any");
    const JsonNode list = node.find(except ? "except" : "any");
    if (!list || !list.is_array()) return fail(none);
    std::vector<std::string> texts;
    std::vector<std::int64_t> integers;
    for (JsonNode item = list.first(); item; item = item.next()) {
      if (item.is_string())
        texts.push_back(item.text());
      else if (const auto integer = item.integer())
        integers.push_back(*integer);
      else
        return fail(none);
    }
    if (!texts.empty() && !integers.empty()) return fail(none);
    MatchAny match{except, {}};
    if (integers.empty())
      match.values = std::move(texts);
    else
      match.values = std::move(integers);
    return Predicate(std::move(match));
  }

  // Numbers, or times when any of the bounds is a text.
  static Outcome<Predicate> read_range(JsonNode node) {
    if (!node.is_object()) return fail(invalid_type(node, "a range"));
    bool times = false;
    for (const char* name : {"gt", "gte", "lt", "lte"}) times |= node.find(name) && node.find(name).is_string();
    if (times) {
      Bounds<Timestamp> bounds;
      PANDORA_CHECK(read_bounds(node, bounds, read_time));
      return Predicate(bounds);
    }
    Bounds<double> bounds;
    PANDORA_CHECK(read_bounds(node, bounds, [](JsonNode n) -> Outcome<double> {
      if (!n.is_number()) return fail(bad_format("data did not match any variant of untagged enum RangeInterface"));
      return n.number();
    }));
    return Predicate(bounds);
  }

  template <class T, class Read>
  static Outcome<void> read_bounds(JsonNode node, Bounds<T>& bounds, Read read) {
    if (!node.is_object()) return fail(invalid_type(node, "a map of bounds"));
    for (const auto& [name, bound] :
         {std::pair{"gt", &bounds.gt}, {"gte", &bounds.gte}, {"lt", &bounds.lt}, {"lte", &bounds.lte}}) {
      const JsonNode value = node.find(name);
      if (!value || value.is_null()) continue;
      PANDORA_TRY(parsed, read(value));
      *bound = parsed;
    }
    return {};
  }

  std::size_t count_ = 0;
};

}  // namespace

Outcome<Filter> read_filter(JsonNode node, const std::string& place) { return FilterReader().filter(node, place); }

}  // namespace pandora::qdrant
