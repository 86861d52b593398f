#include "vectors/condition.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "vectors/text_tokens.h"

namespace pandora::qdrant {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

bool contains_text(std::string_view text, const MatchText& match) {
  if (match.kind != MatchText::Kind::kAny) return text.find(match.text) != std::string_view::npos;
  std::string_view rest = match.text;
  while (!(rest = trim(rest)).empty()) {
    const std::size_t end = std::min(rest.find_first_of(" \t\r\n"), rest.size());
    if (text.find(rest.substr(0, end)) != std::string_view::npos) return true;
    rest.remove_prefix(end);
  }
  return false;
}

// An index of uuids knows a uuid however it is spelled. Nothing: it cannot tell.
std::optional<bool> is_uuid_among(std::span<const std::string> texts, JsonNode value) {
  std::vector<Uuid> uuids;
  for (const std::string& text : texts) {
    const auto uuid = parse_uuid(text);
    if (!uuid) return std::nullopt;
    uuids.push_back(*uuid);
  }
  const auto uuid = value.is_string() ? parse_uuid(value.text()) : std::nullopt;
  return uuid && std::ranges::find(uuids, *uuid) != uuids.end();
}

// Of one value: arrays were taken apart. `index`: of the field, when it answers here (field_index.h): what is looked at
// for want of it, as while it is being filled, is found as it would be there.
bool value_meets(const Predicate& predicate, JsonNode value, const FieldSchema* schema, const FieldSchema* index) {
  const bool by_uuid = index && index->type == FieldType::kUuid;
  return std::visit(Overloaded{[&](const MatchValue& match) {
                                 const auto* text = by_uuid ? std::get_if<std::string>(&match.value) : nullptr;
                                 const auto found = text ? is_uuid_among({text, 1}, value) : std::nullopt;
                                 return found ? *found : matches(match, value);
                               },
                               [&](const MatchAny& match) {
                                 const auto* texts = by_uuid && !match.except
                                                         ? std::get_if<std::vector<std::string>>(&match.values)
                                                         : nullptr;
                                 const auto found = texts ? is_uuid_among(*texts, value) : std::nullopt;
                                 return found ? *found : matches(match, value);
                               },
                               [&](const MatchText& match) {
                                 if (!value.is_string()) return false;
                                 if (!schema || schema->type != FieldType::kText)
                                   return contains_text(value.text(), match);
                                 if (match.kind == MatchText::Kind::kPhrase && !schema->text.phrases) return false;
                                 return tokens_match(document_tokens(value.text(), schema->text),
                                                     query_tokens(match.text, schema->text), match.kind);
                               },
                               [&](const Bounds<double>& bounds) {
                                 if (!index || index->type != FieldType::kInteger)
                                   return value.is_number() && bounds.hold(value.number());
                                 const auto integer = value.integer();
                                 return integer && bounds.hold(static_cast<double>(*integer));
                               },
                               [&](const Bounds<Timestamp>& bounds) {
                                 if (!value.is_string()) return false;
                                 const auto time = parse_iso8601(value.text());
                                 return time && bounds.hold(*time);
                               },
                               [&](const auto&) { return false; }},
                    predicate);
}

class FieldValues {
 public:
  FieldValues(JsonNode payload, const PayloadPath& path) {
    auto visit = [&](JsonNode value) { return values_.push_back(value), true; };
    visit_values(payload, path.steps(), 0, visit);
  }
  // An index of a field takes an array with a null in it for a null, the payload by itself does not.
  bool meet(const Predicate& predicate, const FieldSchema* schema, const FieldSchema* index) const {
    if (const auto* count = std::get_if<ValuesCount>(&predicate)) return counts(*count);
    if (const auto* empty = std::get_if<IsEmpty>(&predicate)) return is_empty() == empty->wanted;
    if (const auto* null = std::get_if<IsNull>(&predicate)) return is_null(index != nullptr) == null->wanted;
    return std::ranges::any_of(values_, [&](JsonNode value) {
      if (!value.is_array()) return value_meets(predicate, value, schema, index);
      for (JsonNode item = value.first(); item; item = item.next())
        if (value_meets(predicate, item, schema, index)) return true;
      return false;
    });
  }

 private:
  bool is_empty() const {
    return std::ranges::all_of(values_,
                               [](JsonNode value) { return value.is_null() || (value.is_array() && !value.first()); });
  }
  bool is_null(bool looks_into_arrays) const {
    return std::ranges::any_of(
        values_, [&](JsonNode value) { return value.is_null() || (looks_into_arrays && has_null(value)); });
  }
  bool counts(const ValuesCount& wanted) const {
    if (values_.empty()) return wanted.count.hold(0);
    return std::ranges::any_of(values_, [&](JsonNode value) {
      return wanted.count.hold(value.is_array() ? static_cast<std::int64_t>(value.size()) : value.is_null() ? 0 : 1);
    });
  }
  std::vector<JsonNode> values_;
};

// A part of a point's payload, judged by itself: it has neither an id nor vectors.
struct PartView final : PointView {
  PartView(const PointView& whole, JsonNode part) : PointView(whole.id, part) {}
  bool has_vector(const std::string&) const override { return false; }
};

}  // namespace

bool has_null(JsonNode value) {
  if (!value.is_array()) return false;
  JsonNode item = value.first();
  while (item && !item.is_null()) item = item.next();
  return static_cast<bool>(item);
}

bool matches(const MatchValue& match, JsonNode value) {
  return std::visit(
      Overloaded{[&](bool wanted) { return value.kind() == (wanted ? JsonKind::kTrue : JsonKind::kFalse); },
                 [&](std::int64_t wanted) { return value.integer() == wanted; },
                 [&](const std::string& wanted) { return value.text_is(wanted); }},
      match.value);
}

bool matches(const MatchAny& match, JsonNode value) {
  if (match.except && value.is_null()) return false;
  const bool found = std::visit(
      Overloaded{[&](const std::vector<std::string>& texts) {
                   return value.is_string() &&
                          std::ranges::any_of(texts, [&](const std::string& text) { return value.text_is(text); });
                 },
                 [&](const std::vector<std::int64_t>& integers) {
                   const auto integer = value.integer();
                   return integer && std::ranges::find(integers, *integer) != integers.end();
                 }},
      match.values);
  return found != match.except;
}

namespace {

// `within`: what stands before a path in the schemas: "list[]." inside of nested filters.
bool holds(const Filter& filter, const PointView& point, const FieldSchemas& schemas, const std::string& within);

bool holds(const Condition& condition, const PointView& point, const FieldSchemas& schemas, const std::string& within) {
  return std::visit(
      Overloaded{
          [&](const FieldCondition& field) {
            const auto schema = schemas.find(within + field.path.to_text());
            const FieldSchema* indexed = schema == schemas.end() ? nullptr : &schema->second;
            const FieldValues values(point.payload, field.path);
            return std::ranges::any_of(field.any_of, [&](const Predicate& predicate) {
              return values.meet(predicate, indexed, within.empty() ? indexed : nullptr);
            });
          },
          [&](const HasId& has) { return within.empty() && std::ranges::find(has.ids, point.id) != has.ids.end(); },
          [&](const HasVector& has) { return point.has_vector(has.name); },
          [&](const Nested& nested) {
            const std::string inside = within + nested.path.to_text() + '.';
            bool found = false;
            auto visit = [&](JsonNode part) {
              found = part.is_object() && holds(*nested.filter, PartView(point, part), schemas, inside);
              return !found;
            };
            visit_values(point.payload, nested.path.steps(), 0, visit);
            return found;
          },
          [&](const Grouped& group) { return holds(*group.filter, point, schemas, within); }},
      condition);
}

bool holds(const Filter& filter, const PointView& point, const FieldSchemas& schemas, const std::string& within) {
  const auto here = [&](const Condition& condition) { return holds(condition, point, schemas, within); };
  if (!std::ranges::all_of(filter.must, here) || std::ranges::any_of(filter.must_not, here)) return false;
  if (!filter.should.empty() && std::ranges::none_of(filter.should, here)) return false;
  std::size_t met = 0;
  for (auto one = filter.min_should.begin(); one != filter.min_should.end() && met < filter.min_count; ++one)
    met += here(*one) ? 1 : 0;
  return met >= filter.min_count;
}

}  // namespace

bool holds(const Condition& condition, const PointView& point, const FieldSchemas& schemas) {
  return holds(condition, point, schemas, "");
}
bool holds(const Filter& filter, const PointView& point, const FieldSchemas& schemas) {
  return holds(filter, point, schemas, "");
}

}  // namespace pandora::qdrant
