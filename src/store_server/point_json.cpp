#include "store_server/point_json.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "wire/qdrant_ids.h"
#include "wire/qdrant_vectors.h"

namespace pandora {
namespace {

constexpr char kEscape = '\\';
constexpr std::string_view kArrayMark = "\\[]";  // no text becomes this one: "[]" stays, "\[]" gets another "\"
constexpr std::string_view kOwnerField = "user_id", kScopeField = "scope";
constexpr Timestamp kFirstTime{-62'135'596'800'000'000}, kLastTime{253'402'300'799'999'999};  // years 1 to 9999
constexpr double kIntegersEnd = 9'223'372'036'854'775'808.0;                                  // 2^63

// Whatever Qdrant might read as a date: year, month and day, perhaps with blanks and a sign.
bool looks_like_date(std::string_view text) {
  const auto skip = [&text](auto is, std::size_t most) {
    std::size_t n = 0;
    while (n < most && !text.empty() && is(static_cast<unsigned char>(text.front()))) text.remove_prefix(1), ++n;
    return n;
  };
  const auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  const auto digit = [](unsigned char c) { return c >= '0' && c <= '9'; };
  const auto dash = [](unsigned char c) { return c == '-'; };
  skip(space, text.size());
  skip([](unsigned char c) { return c == '+' || c == '-'; }, 1);
  for (const std::size_t most : {text.size(), std::size_t{2}}) {
    skip(space, text.size());
    if (skip(digit, most) == 0) return false;
    skip(space, text.size());
    if (skip(dash, 1) == 0) return false;
  }
  skip(space, text.size());
  return skip(digit, 1) == 1;
}

void append_text(std::string& out, std::string_view text) {
  if (!text.starts_with(kEscape) && !looks_like_date(text)) return append_json_text(out, text);
  append_json_text(out, kEscape + std::string(text));
}

PayloadValue read_text(std::string text) {
  if (text.starts_with(kEscape)) return text.substr(1);
  if (looks_like_date(text))
    if (const auto time = parse_iso8601(text)) return *time;
  return text;
}
std::string read_element(std::string text) { return text.starts_with(kEscape) ? text.substr(1) : text; }

bool says_whose(std::string_view field) { return field == kOwnerField || field == kScopeField; }

void append_value(std::string& out, std::string_view field, const PayloadValue& value) {
  struct Writer {
    std::string& out;
    std::string_view field;
    void operator()(bool yes) const { out += yes ? "true" : "false"; }
    void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
    void operator()(double number) const { append_json_double(out, number); }
    void operator()(const std::string& text) const { append_text(out, text); }
    void operator()(Timestamp time) const { append_json_text(out, to_iso8601(time)); }
    void operator()(const std::vector<std::string>& texts) const {
      out += '[';
      bool first = !says_whose(field);
      if (!first) append_json_text(out, kArrayMark);
      for (const auto& text : texts) {
        if (!std::exchange(first, false)) out += ',';
        append_text(out, text);
      }
      out += ']';
    }
  };
  std::visit(Writer{out, field}, value);
}

bool is_integer_index(const CollectionSpec& spec, const std::string& field) {
  const auto index = spec.indexes.find(field);
  return index != spec.indexes.end() && index->second == PayloadType::kInteger;
}

void append_member(std::string& out, char& separator, std::string_view name) {
  out += std::exchange(separator, ',');
  append_json_text(out, name);
  out += ':';
}

void append_payload(std::string& out, const CollectionSpec& spec, const Point& point) {
  char separator = '{';
  std::string fractions;
  char fraction_separator = '{';
  for (const auto& [field, value] : point.payload) {
    const bool apart = std::holds_alternative<double>(value) && is_integer_index(spec, field);
    std::string& to = apart ? fractions : out;
    append_member(to, apart ? fraction_separator : separator, field);
    append_value(to, field, value);
  }
  append_member(out, separator, kVersionField);
  fmt::format_to(std::back_inserter(out), "{}", point.version);
  if (!fractions.empty()) {
    append_member(out, separator, kFractionsField);
    out += fractions + '}';
  }
  out += '}';
}

// ── conditions ──

std::string match(std::string_view key, std::string_view value) {
  return fmt::format(R"({{"key":"{}","match":{{"value":{}}}}})", key, value);
}
std::string match_text(std::string_view key, std::string_view text) {
  std::string quoted;
  append_text(quoted, text);
  return match(key, quoted);
}
std::string joined(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ",")); }
std::string any_of(const std::vector<std::string>& alternatives) {
  return alternatives.size() == 1 ? alternatives.front() : fmt::format(R"({{"should":[{}]}})", joined(alternatives));
}

// A text alone; the mark stands in arrays only.
std::string is_text(std::string_view field, std::string_view text) {
  std::string mark;
  append_json_text(mark, kArrayMark);
  return fmt::format(R"({{"must":[{}],"must_not":[{}]}})", match_text(field, text), match(field, mark));
}
std::string owned_by(const Principal& who) { return is_text(kOwnerField, who.user.str()); }
std::string seen_by(const Principal& who) { return any_of({owned_by(who), is_text(kScopeField, "global")}); }

std::string bound(const PayloadValue& value) {
  std::string out;
  append_value(out, "", value);
  return out;
}
std::string range(std::string_view key, const std::optional<PayloadValue>& from, const std::optional<PayloadValue>& to,
                  std::string_view below = "lt") {
  std::vector<std::string> bounds;
  if (from) bounds.push_back(fmt::format(R"("gte":{})", bound(*from)));
  if (to) bounds.push_back(fmt::format(R"("{}":{})", below, bound(*to)));
  return fmt::format(R"({{"key":"{}","range":{{{}}}}})", key, joined(bounds));
}
std::string fraction_of(std::string_view field) { return fmt::format("{}.{}", kFractionsField, field); }

// A fraction equals no integer, but a range holds both.
std::string is_number(const CollectionSpec& spec, const std::string& field, double number) {
  if (is_integer_index(spec, field)) return range(fraction_of(field), number, number, "lte");
  const std::string both = range(field, number, number, "lte");
  if (std::trunc(number) != number || number < -kIntegersEnd || number >= kIntegersEnd) return both;
  return fmt::format(R"({{"must":[{}],"must_not":[{}]}})", both,
                     match(field, std::to_string(static_cast<std::int64_t>(number))));
}

std::string condition_json(const CollectionSpec& spec, const Condition& condition) {
  if (!condition.ids.empty()) {
    std::string out = R"({"has_id":)";
    append_ids(out, condition.ids);
    return out + '}';
  }
  const std::string& field = condition.field;
  if (condition.from || condition.to) {
    const bool times = std::holds_alternative<Timestamp>(condition.from ? *condition.from : *condition.to);
    std::vector<std::string> places = {range(field, condition.from, condition.to)};
    if (!times && is_integer_index(spec, field))
      places.push_back(range(fraction_of(field), condition.from, condition.to));
    return any_of(places);
  }
  std::vector<std::string> alternatives, texts, integers;
  for (const PayloadValue& value : condition.any) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      append_text(texts.emplace_back(), *text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      integers.push_back(std::to_string(*integer));
    } else if (const auto* number = std::get_if<double>(&value)) {
      alternatives.push_back(is_number(spec, field, *number));
    } else if (std::holds_alternative<Timestamp>(value)) {
      alternatives.push_back(range(field, value, value, "lte"));
    } else {
      alternatives.push_back(match(field, bound(value)));
    }
  }
  for (const auto* list : {&texts, &integers}) {
    if (list->size() == 1) alternatives.push_back(match(field, list->front()));
    if (list->size() > 1)
      alternatives.push_back(fmt::format(R"({{"key":"{}","match":{{"any":[{}]}}}})", field, joined(*list)));
  }
  return any_of(alternatives);
}

Status check_time(const PayloadValue& value) {
  const auto* time = std::get_if<Timestamp>(&value);
  if (!time || (*time >= kFirstTime && *time <= kLastTime)) return {};
  return fail(ErrorCode::kInvalidArgument, "a time before the year 1 or after 9999");
}

SparseVector read_sparse(JsonNode node) {
  std::vector<std::pair<std::uint32_t, float>> terms;
  JsonNode value = node.find("values") ? node.find("values").first() : JsonNode();
  for (JsonNode index = node.find("indices") ? node.find("indices").first() : JsonNode(); index && value;
       index = index.next(), value = value.next())
    terms.emplace_back(static_cast<std::uint32_t>(index.unsigned_integer().value_or(0)),
                       static_cast<float>(value.number()));
  std::ranges::sort(terms);
  SparseVector vector;
  for (const auto& [index, weight] : terms) vector.indices.push_back(index), vector.values.push_back(weight);
  return vector;
}

void read_vector(Point& point, const std::string& name, JsonNode node) {
  if (node.is_array()) {
    std::vector<float>& dense = point.dense[name];
    for (JsonNode value = node.first(); value; value = value.next())
      dense.push_back(static_cast<float>(value.number()));
  } else if (node.is_object()) {
    SparseVector sparse = read_sparse(node);
    if (!sparse.indices.empty()) point.sparse[name] = std::move(sparse);
  }
}

std::optional<PayloadValue> read_value(JsonNode node) {
  if (node.is_bool()) return node.kind() == JsonKind::kTrue;
  if (node.is_string()) return read_text(node.text());
  if (node.is_number()) {
    if (const auto integer = node.integer()) return *integer;
    return node.number();
  }
  if (!node.is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (JsonNode value = node.first(); value; value = value.next()) {
    if (!value.is_string()) return std::nullopt;
    const std::string text = value.text();
    if (!texts.empty() || text != kArrayMark) texts.push_back(read_element(text));
  }
  return texts;
}

void read_payload(Point& point, JsonNode node) {
  JsonNode value;
  for (JsonNode key = node.first(); key; key = value.next()) {
    value = key.next();
    const std::string name = key.text();
    if (name == kVersionField)
      point.version = value.integer().value_or(0);
    else if (name == kFractionsField && value.is_object())
      read_payload(point, value);
    else if (auto read = read_value(value))
      point.payload[name] = *std::move(read);
  }
}

}  // namespace

Status check_times(const Payload& payload) {
  for (const auto& [field, value] : payload) PANDORA_CHECK(check_time(value));
  return {};
}

Status check_times(const Filter& filter) {
  for (const auto* list : {&filter.must, &filter.should, &filter.must_not})
    for (const Condition& condition : *list) {
      for (const auto& value : condition.any) PANDORA_CHECK(check_time(value));
      for (const auto* end : {&condition.from, &condition.to})
        if (*end) PANDORA_CHECK(check_time(**end));
    }
  return {};
}

void append_point(std::string& out, const CollectionSpec& spec, const Point& point) {
  fmt::format_to(std::back_inserter(out), R"({{"id":"{}","vector":)", point.id.to_string());
  char separator = '{';
  for (const auto& [name, vector] : point.dense) {
    append_member(out, separator, name);
    qdrant::append_dense(out, vector.data(), vector.size());
  }
  for (const auto& [name, vector] : point.sparse) {
    if (vector.indices.empty()) continue;
    append_member(out, separator, name);
    qdrant::append_sparse(out, vector);
  }
  out += separator == '{' ? "{}" : "}";
  out += R"(,"payload":)";
  append_payload(out, spec, point);
  out += '}';
}

void append_ids(std::string& out, std::span<const Uuid> ids) {
  out += '[';
  for (std::size_t i = 0; i < ids.size(); ++i)
    fmt::format_to(std::back_inserter(out), R"({}"{}")", i == 0 ? "" : ",", ids[i].to_string());
  out += ']';
}

std::string filter_json(const CollectionSpec& spec, const Filter& filter, const Principal& who) {
  std::vector<std::string> parts;
  const auto add = [&](const char* name, const std::vector<Condition>& conditions, std::vector<std::string> more) {
    for (const Condition& condition : conditions) more.push_back(condition_json(spec, condition));
    if (!more.empty()) parts.push_back(fmt::format(R"("{}":[{}])", name, joined(more)));
  };
  add("must", filter.must,
      who.access == Access::kOwn ? std::vector<std::string>{seen_by(who)} : std::vector<std::string>());
  add("should", filter.should, {});
  add("must_not", filter.must_not, {});
  return parts.empty() ? std::string() : '{' + joined(parts) + '}';
}

std::string replaceable_json(std::span<const Point* const> points, const Principal& who) {
  std::map<std::int64_t, std::vector<Uuid>> by_version;
  for (const Point* point : points) by_version[point->version].push_back(point->id);
  std::vector<std::string> alternatives;
  for (const auto& [version, ids] : by_version) {
    std::string listed;
    append_ids(listed, ids);
    alternatives.push_back(fmt::format(R"({{"must":[{{"has_id":{}}},{{"key":"{}","range":{{"lte":{}}}}}]}})", listed,
                                       kVersionField, version));
  }
  std::vector<std::string> must = {any_of(alternatives)};
  if (who.access == Access::kOwn) must.push_back(owned_by(who));
  return fmt::format(R"({{"must":[{}]}})", joined(must));
}

std::string removable_json(std::span<const Uuid> ids, const Principal& who) {
  std::string listed = R"({"has_id":)";
  append_ids(listed, ids);
  std::vector<std::string> must = {listed + '}'};
  if (who.access == Access::kOwn) must.push_back(owned_by(who));
  return fmt::format(R"({{"must":[{}]}})", joined(must));
}

std::optional<Point> read_point(JsonNode node) {
  const JsonNode id = node.find("id");
  const auto read = id ? qdrant::read_point_id(id) : fail(qdrant::Fault());
  if (!read || !read->is_uuid()) return std::nullopt;
  Point point;
  point.id = read->bytes();
  if (const JsonNode payload = node.find("payload"); payload && payload.is_object()) read_payload(point, payload);
  const JsonNode vectors = node.find("vector");
  if (!vectors) return point;
  if (vectors.is_array()) {
    read_vector(point, "", vectors);
  } else if (vectors.is_object()) {
    JsonNode vector;
    for (JsonNode name = vectors.first(); name; name = vector.next()) {
      vector = name.next();
      read_vector(point, name.text(), vector);
    }
  }
  return point;
}

}  // namespace pandora
