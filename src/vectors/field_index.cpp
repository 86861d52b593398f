#include "vectors/field_index.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "vecdb/payload_index.h"
#include "vectors/text_tokens.h"

namespace pandora::qdrant {
namespace {

// Sets of slots by text.
class TextSets {
 public:
  void insert(const std::string& text, Slot slot) { sets_[text].insert(slot); }
  void erase(const std::string& text, Slot slot) {
    const auto found = sets_.find(text);
    if (found == sets_.end()) return;
    found->second.erase(slot);
    if (found->second.empty()) sets_.erase(found);
  }
  void add_to(SlotSet& slots, const std::string& text) const {
    if (const auto found = sets_.find(text); found != sets_.end()) found->second.add_to(slots);
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [text, slots] : sets_) visit(text, slots);
  }

 private:
  std::unordered_map<std::string, ValueSlots> sets_;
};

// The values of an index's type, each once.
template <class T, class Read>
std::vector<T> distinct(const std::vector<JsonNode>& values, Read read) {
  std::vector<T> found;
  for (const JsonNode value : values)
    if (auto one = read(value)) found.push_back(*std::move(one));
  if (found.size() > 1) {
    std::ranges::sort(found);
    found.erase(std::ranges::unique(found).begin(), found.end());
  }
  return found;
}

std::optional<std::string> as_text(JsonNode value) {
  return value.is_string() ? std::optional<std::string>(value.text()) : std::nullopt;
}

class KeywordIndex final : public FieldIndex {
 public:
  using FieldIndex::FieldIndex;

 private:
  bool insert(Slot slot, const std::vector<JsonNode>& values) override {
    const auto texts = distinct<std::string>(values, as_text);
    for (const std::string& text : texts) sets_.insert(text, slot);
    return !texts.empty();
  }
  bool erase(Slot slot, const std::vector<JsonNode>& values) override {
    const auto texts = distinct<std::string>(values, as_text);
    for (const std::string& text : texts) sets_.erase(text, slot);
    return !texts.empty();
  }
  std::optional<SlotSet> find(const Predicate& predicate) const override {
    SlotSet slots;
    if (const auto* match = std::get_if<MatchValue>(&predicate)) {
      const auto* text = std::get_if<std::string>(&match->value);
      if (!text) return std::nullopt;
      sets_.add_to(slots, *text);
      return slots;
    }
    const auto* match = std::get_if<MatchAny>(&predicate);
    const auto* texts = match && !match->except ? std::get_if<std::vector<std::string>>(&match->values) : nullptr;
    if (!texts) return std::nullopt;  // values of other types are no exceptions, and not here
    for (const std::string& text : *texts) sets_.add_to(slots, text);
    return slots;
  }
  TextSets sets_;
};

class BoolIndex final : public FieldIndex {
 public:
  using FieldIndex::FieldIndex;

 private:
  bool insert(Slot slot, const std::vector<JsonNode>& values) override {
    bool any = false;
    for (const JsonNode value : values) {
      if (!value.is_bool()) continue;
      any = true;
      slots_[value.kind() == JsonKind::kTrue ? 1 : 0].insert(slot);
    }
    return any;
  }
  bool erase(Slot slot, const std::vector<JsonNode>&) override {
    const bool was_there = slots_[0].contains(slot) || slots_[1].contains(slot);
    for (SlotSet& slots : slots_) slots.erase(slot);
    return was_there;
  }
  std::optional<SlotSet> find(const Predicate& predicate) const override {
    const auto* match = std::get_if<MatchValue>(&predicate);
    const auto* wanted = match ? std::get_if<bool>(&match->value) : nullptr;
    if (!wanted) return std::nullopt;
    return slots_[*wanted ? 1 : 0];
  }
  SlotSet slots_[2];
};

class TextIndex final : public FieldIndex {
 public:
  using FieldIndex::FieldIndex;

 private:
  std::vector<std::string> tokens(const std::vector<JsonNode>& values, bool& any) const {
    std::vector<std::string> all;
    for (const JsonNode value : values) {
      if (!value.is_string()) continue;
      any = true;
      for (std::string& token : document_tokens(value.text(), schema().text)) all.push_back(std::move(token));
    }
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    return all;
  }
  bool insert(Slot slot, const std::vector<JsonNode>& values) override {
    bool any = false;
    for (const std::string& token : tokens(values, any)) sets_.insert(token, slot);
    if (any && values.size() > 1) several_.insert(slot);
    return any;
  }
  bool erase(Slot slot, const std::vector<JsonNode>& values) override {
    bool any = false;
    for (const std::string& token : tokens(values, any)) sets_.erase(token, slot);
    several_.erase(slot);
    return any;
  }
  std::optional<SlotSet> find(const Predicate& predicate) const override {
    const auto* match = std::get_if<MatchText>(&predicate);
    if (!match || match->kind == MatchText::Kind::kPhrase || several_.count() > 0) return std::nullopt;
    const auto query = query_tokens(match->text, schema().text);
    SlotSet slots;
    for (std::size_t i = 0; i < query.size(); ++i) {
      SlotSet of_token;
      sets_.add_to(of_token, query[i]);
      if (match->kind == MatchText::Kind::kAny || i == 0)
        slots |= of_token;
      else
        slots &= of_token;
    }
    return slots;
  }
  TextSets sets_;
  SlotSet several_;  // slots with several texts: words of one query might be of different ones
};

// Values by slot, with how they are read and what predicates ask of them.
template <class Traits>
class ColumnIndex final : public FieldIndex {
 public:
  using T = typename Traits::Value;
  using FieldIndex::FieldIndex;

  std::optional<std::vector<Ordered>> ordered(const SlotSet& among) const override {
    if constexpr (!Traits::kOrdered) {
      return std::nullopt;
    } else {
      if (schema().type == FieldType::kInteger && !schema().range) return std::nullopt;
      std::vector<Ordered> all;
      SlotSet slots = has_;
      slots &= among;
      slots.for_each([&](Slot slot) {
        all.push_back({OrderValue(value(slot)), slot});
        if (const auto more = more_.find(slot); more != more_.end())
          for (const T& value : more->second) all.push_back({OrderValue(value), slot});
      });
      return all;
    }
  }

 private:
  bool insert(Slot slot, const std::vector<JsonNode>& values) override {
    auto read = distinct<T>(values, Traits::read);
    if (read.empty()) return false;
    if (slot / kChunk >= chunks_.size()) chunks_.resize(slot / kChunk + 1);
    std::unique_ptr<Chunk>& chunk = chunks_[slot / kChunk];
    if (!chunk) chunk = std::make_unique<Chunk>();
    chunk->values[slot % kChunk] = read.front();
    ++chunk->living;
    has_.insert(slot);
    if (read.size() > 1) more_[slot] = std::vector<T>(read.begin() + 1, read.end());
    return true;
  }
  bool erase(Slot slot, const std::vector<JsonNode>&) override {
    if (!has_.contains(slot)) return false;
    has_.erase(slot);
    more_.erase(slot);
    std::unique_ptr<Chunk>& chunk = chunks_[slot / kChunk];
    if (--chunk->living == 0) chunk.reset();
    return true;
  }
  std::optional<SlotSet> find(const Predicate& predicate) const override {
    if constexpr (Traits::kOrdered)
      if (const auto* bounds = std::get_if<Bounds<typename Traits::Ranged>>(&predicate))
        return slots_where([&](const T& value) { return bounds->hold(static_cast<typename Traits::Ranged>(value)); });
    if (const auto* match = std::get_if<MatchValue>(&predicate)) {
      const auto wanted = Traits::wanted(match->value);
      if (!wanted) return std::nullopt;
      return slots_where([&](const T& value) { return value == *wanted; });
    }
    const auto* match = std::get_if<MatchAny>(&predicate);
    if (!match || match->except) return std::nullopt;
    const auto wanted = Traits::wanted_any(match->values);
    if (!wanted) return std::nullopt;
    return slots_where([&](const T& value) { return std::ranges::binary_search(*wanted, value); });
  }
  template <class Fits>
  SlotSet slots_where(Fits fits) const {
    SlotSet slots;
    has_.for_each([&](Slot slot) {
      if (fits(value(slot))) slots.insert(slot);
    });
    for (const auto& [slot, values] : more_)
      if (std::ranges::any_of(values, fits)) slots.insert(slot);
    return slots;
  }

  // A slot is not given again soon: what is changed often would leave its values behind.
  static constexpr std::size_t kChunk = 4'096;
  struct Chunk {
    std::array<T, kChunk> values;
    std::size_t living = 0;  // it goes with the last of them
  };
  const T& value(Slot slot) const { return chunks_[slot / kChunk]->values[slot % kChunk]; }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  SlotSet has_;
  std::unordered_map<Slot, std::vector<T>> more_;  // further values of those that have several
};

using AnyValue = std::variant<bool, std::int64_t, std::string>;
using AnyValues = std::variant<std::vector<std::string>, std::vector<std::int64_t>>;

struct Integers {
  using Value = std::int64_t;
  using Ranged = double;
  static constexpr bool kOrdered = true;
  static std::optional<Value> read(JsonNode node) { return node.integer(); }
  static std::optional<Value> wanted(const AnyValue& value) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    return integer ? std::optional(*integer) : std::nullopt;
  }
  static std::optional<std::vector<Value>> wanted_any(const AnyValues& values) {
    const auto* integers = std::get_if<std::vector<std::int64_t>>(&values);
    if (!integers) return std::nullopt;
    auto sorted = *integers;
    std::ranges::sort(sorted);
    return sorted;
  }
};
struct Numbers {
  using Value = double;
  using Ranged = double;
  static constexpr bool kOrdered = true;
  static std::optional<Value> read(JsonNode node) {
    return node.is_number() ? std::optional(node.number()) : std::nullopt;
  }
  static std::optional<Value> wanted(const AnyValue&) { return std::nullopt; }
  static std::optional<std::vector<Value>> wanted_any(const AnyValues&) { return std::nullopt; }
};
struct Times {
  using Value = Timestamp;
  using Ranged = Timestamp;
  static constexpr bool kOrdered = true;
  static std::optional<Value> read(JsonNode node) {
    if (!node.is_string()) return std::nullopt;
    auto time = parse_iso8601(node.text());
    return time ? std::optional(*time) : std::nullopt;
  }
  static std::optional<Value> wanted(const AnyValue&) { return std::nullopt; }
  static std::optional<std::vector<Value>> wanted_any(const AnyValues&) { return std::nullopt; }
};
// A payload's text is the uuid that it spells, so only a search for its own spelling may be answered here.
struct Uuids {
  using Value = Uuid;
  static constexpr bool kOrdered = false;
  static std::optional<Value> read(JsonNode node) { return node.is_string() ? parse_uuid(node.text()) : std::nullopt; }
  static std::optional<Value> wanted(const AnyValue& value) {
    const auto* text = std::get_if<std::string>(&value);
    return text ? parse_uuid(*text) : std::nullopt;
  }
  static std::optional<std::vector<Value>> wanted_any(const AnyValues& values) {
    const auto* texts = std::get_if<std::vector<std::string>>(&values);
    if (!texts) return std::nullopt;
    std::vector<Uuid> uuids;
    for (const std::string& text : *texts) {
      const auto uuid = parse_uuid(text);
      if (!uuid) return std::nullopt;
      uuids.push_back(*uuid);
    }
    std::ranges::sort(uuids);
    return uuids;
  }
};

// Each value at the path, arrays taken apart one level.
struct Found {
  std::vector<JsonNode> values;
  bool filled = false, null = false;
};
Found values_at(JsonNode payload, const PayloadPath& path) {
  Found found;
  auto visit = [&](JsonNode value) {
    found.null |= value.is_null() || has_null(value);
    if (!value.is_array()) {
      found.filled |= !value.is_null();
      found.values.push_back(value);
      return true;
    }
    found.filled |= static_cast<bool>(value.first());
    for (JsonNode item = value.first(); item; item = item.next()) found.values.push_back(item);
    return true;
  };
  visit_values(payload, path.steps(), 0, visit);
  return found;
}

}  // namespace

void FieldIndex::put(Slot slot, JsonNode payload) {
  const Found found = values_at(payload, path_);
  if (found.filled) filled_.insert(slot);
  if (found.null) null_.insert(slot);
  if (insert(slot, found.values)) ++points_;
}

void FieldIndex::remove(Slot slot, JsonNode payload) {
  const Found found = values_at(payload, path_);
  filled_.erase(slot);
  null_.erase(slot);
  if (erase(slot, found.values)) --points_;
}

std::optional<SlotSet> FieldIndex::select(const Predicate& predicate, const SlotSet& all) const {
  if (const auto* empty = std::get_if<IsEmpty>(&predicate)) {
    if (!empty->wanted) return filled_;
    SlotSet slots = all;
    slots -= filled_;
    return slots;
  }
  if (const auto* null = std::get_if<IsNull>(&predicate)) {
    if (null->wanted) return null_;
    SlotSet slots = all;
    slots -= null_;
    return slots;
  }
  return find(predicate);
}

std::optional<std::vector<Ordered>> FieldIndex::ordered(const SlotSet&) const { return std::nullopt; }

std::unique_ptr<FieldIndex> FieldIndex::create(PayloadPath path, const FieldSchema& schema) {
  switch (schema.type) {
    case FieldType::kKeyword:
      return std::make_unique<KeywordIndex>(std::move(path), schema);
    case FieldType::kInteger:
      return std::make_unique<ColumnIndex<Integers>>(std::move(path), schema);
    case FieldType::kFloat:
      return std::make_unique<ColumnIndex<Numbers>>(std::move(path), schema);
    case FieldType::kBool:
      return std::make_unique<BoolIndex>(std::move(path), schema);
    case FieldType::kDatetime:
      return std::make_unique<ColumnIndex<Times>>(std::move(path), schema);
    case FieldType::kUuid:
      return std::make_unique<ColumnIndex<Uuids>>(std::move(path), schema);
    default:
      return std::make_unique<TextIndex>(std::move(path), schema);
  }
}

}  // namespace pandora::qdrant
