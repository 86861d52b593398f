// From a condition on a payload to the set of slots that meet it, without looking at payloads.
//
// Keywords and bools have a set of slots for each value: sorted numbers while few, bits once that is smaller. Integers,
// floats and times have a column by slot, which a range reads from end to end (100,000 values: some 50 µs). Texts and
// uuids, whose values hardly repeat, have no index. Not thread-safe: guarded by its owner.
#pragma once
#include <memory>
#include <unordered_map>

#include "vecdb/payload_select.h"

namespace pandora {

// The slots of one value.
class ValueSlots {
 public:
  void insert(Slot slot);
  void erase(Slot slot);
  bool empty() const { return few_.empty() && !many_; }
  void add_to(SlotSet& slots) const;

 private:
  std::vector<Slot> few_;  // ascending; empty once there are many
  std::unique_ptr<SlotSet> many_;
};

class PayloadIndex {
 public:
  explicit PayloadIndex(const std::map<std::string, PayloadType>& fields);
  void put(Slot slot, const Payload& payload);     // of a slot that has none
  void remove(Slot slot, const Payload& payload);  // the one that was put

  // Nothing where there is no index that answers this: ask `holds` for each slot. `ids` are none of its business.
  std::optional<SelectedSlots> select(const Condition& condition) const;
  // The slots whose value is this text itself, not a list that holds it. `field` is a keyword's.
  SlotSet with_text(const std::string& field, const std::string& text) const;

  // What stands in it, for a file. Of fields that have an index of this kind.
  template <class T>
  struct ColumnOf {
    std::span<const T> values;  // by slot
    std::span<const std::uint64_t> has;
  };
  void for_each_key(const std::string& field,
                    const std::function<void(const std::string& key, const SlotSet& slots)>& visit) const;
  ColumnOf<double> numbers(const std::string& field) const;
  ColumnOf<Timestamp> times(const std::string& field) const;

 private:
  using Values = std::unordered_map<std::string, ValueSlots>;  // of keywords and bools
  template <class T>
  struct Column {
    std::vector<T> values;  // by slot
    SlotSet has;
  };
  using Field = std::variant<Values, Column<double>, Column<Timestamp>>;
  static void put(Values& values, Slot slot, const PayloadValue& value);
  static void remove(Values& values, Slot slot, const PayloadValue& value);
  static std::optional<SelectedSlots> select(const Values& values, const Condition& condition);
  static std::optional<SelectedSlots> select(const Column<double>& column, const Condition& condition);
  static std::optional<SelectedSlots> select(const Column<Timestamp>& column, const Condition& condition);

  std::map<std::string, Field> fields_;
};

}  // namespace pandora
