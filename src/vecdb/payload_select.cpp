#include "vecdb/payload_select.h"

#include <algorithm>

namespace pandora {
namespace {

std::string key_of(bool value) { return value ? "t" : "f"; }
std::string key_in_list(const std::string& text) { return "[" + text; }

// Word by word, so that the compiler can compare several values at once.
template <class T, class Test>
SlotSet passing(std::span<const T> values, std::span<const std::uint64_t> has, Test test) {
  SlotSet slots;
  for (std::size_t first = 0; first < values.size(); first += SlotSet::kWordBits) {
    const std::size_t count = std::min(SlotSet::kWordBits, values.size() - first);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t{test(values[first + i])} << i;
    const std::size_t at = first / SlotSet::kWordBits;
    slots.append_word(at < has.size() ? word & has[at] : 0);
  }
  return slots;
}

// The values in [from, to), as `holds` compares them; nothing when a bound is of another kind.
template <class T, class Convert>
std::optional<SlotSet> in_range(std::span<const T> values, std::span<const std::uint64_t> has,
                                const Condition& condition, Convert convert) {
  std::optional<T> from, to;
  if (condition.from && !(from = convert(*condition.from))) return std::nullopt;
  if (condition.to && !(to = convert(*condition.to))) return std::nullopt;
  if (from && to) return passing(values, has, [&](const T& value) { return value >= *from && !(value >= *to); });
  if (from) return passing(values, has, [&](const T& value) { return value >= *from; });
  if (to) return passing(values, has, [&](const T& value) { return !(value >= *to); });
  return SlotSet();
}

}  // namespace

FieldKind kind_of(PayloadType type) {
  using enum PayloadType;
  if (type == kKeyword || type == kBool) return FieldKind::kKeys;
  if (type == kInteger || type == kFloat) return FieldKind::kNumbers;
  return type == kDatetime ? FieldKind::kTimes : FieldKind::kNone;
}

std::optional<Timestamp> as_time(const PayloadValue& value) {
  const auto* time = std::get_if<Timestamp>(&value);
  return time ? std::optional(*time) : std::nullopt;
}

std::string key_of(const std::string& text) { return "=" + text; }

std::vector<std::string> keys_of(const PayloadValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return {key_of(*flag)};
  if (const auto* text = std::get_if<std::string>(&value)) return {key_of(*text)};
  std::vector<std::string> keys;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    for (const auto& text : *list) keys.push_back(key_in_list(text));
  return keys;
}

std::optional<SelectedSlots> select_keys(const Condition& condition,
                                         const std::function<void(const std::string& key, SlotSet& slots)>& add) {
  if (condition.any.empty()) return std::nullopt;
  SelectedSlots selected;
  for (const PayloadValue& wanted : condition.any) {
    if (const auto* flag = std::get_if<bool>(&wanted)) {
      add(key_of(*flag), selected.slots);
    } else if (const auto* text = std::get_if<std::string>(&wanted)) {
      add(key_of(*text), selected.slots);
      add(key_in_list(*text), selected.slots);
    } else {
      return std::nullopt;
    }
  }
  return selected;
}

std::optional<SelectedSlots> select_numbers(std::span<const double> values, std::span<const std::uint64_t> has,
                                            const Condition& condition) {
  if (condition.any.empty()) {
    auto slots = in_range(values, has, condition, as_number);
    return slots ? std::optional(SelectedSlots{*std::move(slots)}) : std::nullopt;
  }
  SelectedSlots selected{.exact = false};  // 3 and 3.0 are one number here
  for (const PayloadValue& wanted : condition.any) {
    const auto number = as_number(wanted);
    if (!number) return std::nullopt;
    selected.slots |= passing(values, has, [&](double value) { return value == *number; });
  }
  return selected;
}

std::optional<SelectedSlots> select_times(std::span<const Timestamp> values, std::span<const std::uint64_t> has,
                                          const Condition& condition) {
  if (!condition.any.empty()) return std::nullopt;
  auto slots = in_range(values, has, condition, as_time);
  return slots ? std::optional(SelectedSlots{*std::move(slots)}) : std::nullopt;
}

}  // namespace pandora
