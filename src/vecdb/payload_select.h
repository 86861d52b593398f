// How an index of one field answers a condition, wherever its values lie. Internal to vecdb.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "vecdb/payload_condition.h"
#include "vecdb/slot_set.h"

namespace pandora {

struct SelectedSlots {
  SlotSet slots;
  bool exact = true;  // else there may be slots among them that do not meet the condition; never one too few
};

enum class FieldKind { kNone, kKeys, kNumbers, kTimes };
FieldKind kind_of(PayloadType type);

std::optional<Timestamp> as_time(const PayloadValue& value);
// The keys under which a value of a keyword or bool stands: none for what is neither. A text in a list has a key of
// another kind than the text alone.
std::vector<std::string> keys_of(const PayloadValue& value);
std::string key_of(const std::string& text);

// `add` adds the slots of a key. Nothing where keys do not answer this: ask `holds` for each slot.
std::optional<SelectedSlots> select_keys(const Condition& condition,
                                         const std::function<void(const std::string& key, SlotSet& slots)>& add);
// Of a column by slot; `has` says, a bit a slot, which have a value.
std::optional<SelectedSlots> select_numbers(std::span<const double> values, std::span<const std::uint64_t> has,
                                            const Condition& condition);
std::optional<SelectedSlots> select_times(std::span<const Timestamp> values, std::span<const std::uint64_t> has,
                                          const Condition& condition);

}  // namespace pandora
