#include "vecdb/payload_index.h"

#include <algorithm>

namespace pandora {
namespace {

constexpr std::size_t kFew = 64;  // so few slots are always numbers
constexpr std::size_t kBitsOfNumber = 32;

// Keys of a value's sets: none for what is neither keyword nor bool. A text in a list has a key of another kind.
std::string key_of(bool value) { return value ? "t" : "f"; }
std::string key_of(const std::string& text) { return "=" + text; }
std::string key_in_list(const std::string& text) { return "[" + text; }
std::vector<std::string> keys_of(const PayloadValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return {key_of(*flag)};
  if (const auto* text = std::get_if<std::string>(&value)) return {key_of(*text)};
  std::vector<std::string> keys;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    for (const auto& text : *list) keys.push_back(key_in_list(text));
  return keys;
}

// Word by word, so that the compiler can compare several values at once.
template <class T, class Test>
SlotSet passing(const std::vector<T>& values, const SlotSet& has, Test test) {
  SlotSet slots;
  for (std::size_t first = 0; first < values.size(); first += SlotSet::kWordBits) {
    const std::size_t count = std::min(SlotSet::kWordBits, values.size() - first);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t{test(values[first + i])} << i;
    slots.append_word(word & has.word(first / SlotSet::kWordBits));
  }
  return slots;
}

// The values in [from, to), as `holds` compares them; nothing when a bound is of another kind.
template <class T, class Convert>
std::optional<SlotSet> in_range(const std::vector<T>& values, const SlotSet& has, const Condition& condition,
                                Convert convert) {
  std::optional<T> from, to;
  if (condition.from && !(from = convert(*condition.from))) return std::nullopt;
  if (condition.to && !(to = convert(*condition.to))) return std::nullopt;
  if (from && to) return passing(values, has, [&](const T& value) { return value >= *from && !(value >= *to); });
  if (from) return passing(values, has, [&](const T& value) { return value >= *from; });
  if (to) return passing(values, has, [&](const T& value) { return !(value >= *to); });
  return SlotSet();
}

std::optional<Timestamp> as_time(const PayloadValue& value) {
  const auto* time = std::get_if<Timestamp>(&value);
  return time ? std::optional(*time) : std::nullopt;
}

}  // namespace

void ValueSlots::insert(Slot slot) {
  if (many_) return many_->insert(slot);
  const auto place = std::ranges::lower_bound(few_, slot);
  if (place != few_.end() && *place == slot) return;
  few_.insert(place, slot);
  if (few_.size() <= kFew || few_.size() * kBitsOfNumber <= few_.back()) return;
  many_ = std::make_unique<SlotSet>();
  for (const Slot one : few_) many_->insert(one);
  few_ = {};
}

void ValueSlots::erase(Slot slot) {
  if (many_) {
    many_->erase(slot);
    if (many_->count() == 0) many_.reset();
    return;
  }
  const auto place = std::ranges::lower_bound(few_, slot);
  if (place != few_.end() && *place == slot) few_.erase(place);
}

void ValueSlots::add_to(SlotSet& slots) const {
  if (many_) slots |= *many_;
  for (const Slot slot : few_) slots.insert(slot);
}

PayloadIndex::PayloadIndex(const std::map<std::string, PayloadType>& fields) {
  for (const auto& [name, type] : fields) {
    using enum PayloadType;
    if (type == kKeyword || type == kBool) fields_[name] = Values();
    if (type == kInteger || type == kFloat) fields_[name] = Column<double>();
    if (type == kDatetime) fields_[name] = Column<Timestamp>();
  }
}

void PayloadIndex::put(Values& values, Slot slot, const PayloadValue& value) {
  for (const auto& key : keys_of(value)) values[key].insert(slot);
}

void PayloadIndex::remove(Values& values, Slot slot, const PayloadValue& value) {
  for (const auto& key : keys_of(value)) {
    const auto found = values.find(key);
    if (found == values.end()) continue;  // twice in one list
    found->second.erase(slot);
    if (found->second.empty()) values.erase(found);
  }
}

void PayloadIndex::put(Slot slot, const Payload& payload) {
  const auto fill = [&](auto& column, const auto& value) {
    if (!value) return;  // of another kind than its field: no range has it
    if (slot >= column.values.size()) column.values.resize(slot + 1);
    column.values[slot] = *value;
    column.has.insert(slot);
  };
  for (auto& [name, field] : fields_) {
    const auto found = payload.find(name);
    if (found == payload.end()) continue;
    if (auto* values = std::get_if<Values>(&field)) put(*values, slot, found->second);
    if (auto* numbers = std::get_if<Column<double>>(&field)) fill(*numbers, as_number(found->second));
    if (auto* times = std::get_if<Column<Timestamp>>(&field)) fill(*times, as_time(found->second));
  }
}

void PayloadIndex::remove(Slot slot, const Payload& payload) {
  for (auto& [name, field] : fields_) {
    const auto found = payload.find(name);
    if (found == payload.end()) continue;
    if (auto* values = std::get_if<Values>(&field)) remove(*values, slot, found->second);
    if (auto* numbers = std::get_if<Column<double>>(&field)) numbers->has.erase(slot);
    if (auto* times = std::get_if<Column<Timestamp>>(&field)) times->has.erase(slot);
  }
}

std::optional<PayloadIndex::Selected> PayloadIndex::select(const Values& values, const Condition& condition) {
  if (condition.any.empty()) return std::nullopt;
  Selected selected;
  const auto add = [&](const std::string& key) {
    const auto found = values.find(key);
    if (found != values.end()) found->second.add_to(selected.slots);
  };
  for (const PayloadValue& wanted : condition.any) {
    if (const auto* flag = std::get_if<bool>(&wanted)) {
      add(key_of(*flag));
    } else if (const auto* text = std::get_if<std::string>(&wanted)) {
      add(key_of(*text));
      add(key_in_list(*text));
    } else {
      return std::nullopt;
    }
  }
  return selected;
}

std::optional<PayloadIndex::Selected> PayloadIndex::select(const Column<double>& column, const Condition& condition) {
  if (condition.any.empty()) {
    auto slots = in_range(column.values, column.has, condition, as_number);
    return slots ? std::optional(Selected{*std::move(slots)}) : std::nullopt;
  }
  Selected selected{.exact = false};  // 3 and 3.0 are one number here
  for (const PayloadValue& wanted : condition.any) {
    const auto number = as_number(wanted);
    if (!number) return std::nullopt;
    selected.slots |= passing(column.values, column.has, [&](double value) { return value == *number; });
  }
  return selected;
}

std::optional<PayloadIndex::Selected> PayloadIndex::select(const Column<Timestamp>& column,
                                                           const Condition& condition) {
  if (!condition.any.empty()) return std::nullopt;
  auto slots = in_range(column.values, column.has, condition, as_time);
  return slots ? std::optional(Selected{*std::move(slots)}) : std::nullopt;
}

SlotSet PayloadIndex::with_text(const std::string& field, const std::string& text) const {
  SlotSet slots;
  const auto& values = std::get<Values>(fields_.at(field));
  const auto found = values.find(key_of(text));
  if (found != values.end()) found->second.add_to(slots);
  return slots;
}

std::optional<PayloadIndex::Selected> PayloadIndex::select(const Condition& condition) const {
  const auto field = fields_.find(condition.field);
  if (field == fields_.end()) return std::nullopt;
  return std::visit([&](const auto& index) { return select(index, condition); }, field->second);
}

}  // namespace pandora
