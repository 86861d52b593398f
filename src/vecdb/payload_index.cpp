#include "vecdb/payload_index.h"

#include <algorithm>

namespace pandora {
namespace {

constexpr std::size_t kFew = 64;  // so few slots are always numbers
constexpr std::size_t kBitsOfNumber = 32;

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
    const FieldKind kind = kind_of(type);
    if (kind == FieldKind::kKeys) fields_[name] = Values();
    if (kind == FieldKind::kNumbers) fields_[name] = Column<double>();
    if (kind == FieldKind::kTimes) fields_[name] = Column<Timestamp>();
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

std::optional<SelectedSlots> PayloadIndex::select(const Values& values, const Condition& condition) {
  return select_keys(condition, [&](const std::string& key, SlotSet& slots) {
    const auto found = values.find(key);
    if (found != values.end()) found->second.add_to(slots);
  });
}
std::optional<SelectedSlots> PayloadIndex::select(const Column<double>& column, const Condition& condition) {
  return select_numbers(column.values, column.has.words(), condition);
}
std::optional<SelectedSlots> PayloadIndex::select(const Column<Timestamp>& column, const Condition& condition) {
  return select_times(column.values, column.has.words(), condition);
}

void PayloadIndex::for_each_key(const std::string& field,
                                const std::function<void(const std::string&, const SlotSet&)>& visit) const {
  for (const auto& [key, slots] : std::get<Values>(fields_.at(field))) {
    SlotSet set;
    slots.add_to(set);
    visit(key, set);
  }
}
PayloadIndex::ColumnOf<double> PayloadIndex::numbers(const std::string& field) const {
  const auto& column = std::get<Column<double>>(fields_.at(field));
  return {column.values, column.has.words()};
}
PayloadIndex::ColumnOf<Timestamp> PayloadIndex::times(const std::string& field) const {
  const auto& column = std::get<Column<Timestamp>>(fields_.at(field));
  return {column.values, column.has.words()};
}

SlotSet PayloadIndex::with_text(const std::string& field, const std::string& text) const {
  SlotSet slots;
  const auto& values = std::get<Values>(fields_.at(field));
  const auto found = values.find(key_of(text));
  if (found != values.end()) found->second.add_to(slots);
  return slots;
}

std::optional<SelectedSlots> PayloadIndex::select(const Condition& condition) const {
  const auto field = fields_.find(condition.field);
  if (field == fields_.end()) return std::nullopt;
  return std::visit([&](const auto& index) { return select(index, condition); }, field->second);
}

}  // namespace pandora
