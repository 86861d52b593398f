#include "vectors/filter_slots.h"

#include <algorithm>

namespace pandora::qdrant {
namespace {

constexpr std::size_t kLookAtOnce = 256;  // payloads between two looks at the clock

struct MemoryView final : PointView {
  MemoryView(const CollectionMemory& the_memory, Slot the_slot, const PointId& point_id, JsonNode the_payload)
      : PointView(point_id, the_payload), memory(the_memory), slot(the_slot) {}
  bool has_vector(const std::string& name) const override {
    const auto number = memory.number_of(name);
    return number && memory.present(*number).contains(slot);
  }
  const CollectionMemory& memory;
  const Slot slot;
};

class Selecting {
 public:
  Selecting(const CollectionMemory& memory, const Deadline& deadline) : memory_(memory), deadline_(deadline) {}

  Result<SlotSet> run(std::span<const Filter* const> filters) {
    SlotSet passing = memory_.live(), should;  // `should`: those that are known to meet one of them
    std::vector<const Condition*> must, must_not, should_too, several;
    bool any_should = false;
    std::size_t min_count = 0;
    for (const Filter* filter : filters) {
      for (const Condition& condition : filter->must) {
        if (const auto slots = quick(condition))
          passing &= *slots;
        else
          must.push_back(&condition);
      }
      for (const Condition& condition : filter->must_not) {
        if (const auto slots = quick(condition))
          passing -= *slots;
        else
          must_not.push_back(&condition);
      }
      for (const Condition& condition : filter->should) {
        any_should = true;
        if (const auto slots = quick(condition))
          should |= *slots;
        else
          should_too.push_back(&condition);
      }
      for (const Condition& condition : filter->min_should) several.push_back(&condition);
      min_count = std::max(min_count, filter->min_count);
    }
    if (any_should && should_too.empty()) passing &= should;
    if (must.empty() && must_not.empty() && should_too.empty() && min_count == 0) return passing;

    const auto meets = [&](const MemoryView& point, const Condition* condition) {
      return holds(*condition, point, memory_.schemas());
    };
    return looked_at(passing, [&](Slot slot, const MemoryView& point) {
      const auto met = [&](const Condition* condition) { return meets(point, condition); };
      if (!std::ranges::all_of(must, met) || std::ranges::any_of(must_not, met)) return false;
      if (!should_too.empty() && !should.contains(slot) && std::ranges::none_of(should_too, met)) return false;
      return static_cast<std::size_t>(std::ranges::count_if(several, met)) >= min_count;
    });
  }

  // Nothing when payloads must be looked at.
  std::optional<SlotSet> quick(const Condition& condition) {
    if (const auto* field = std::get_if<FieldCondition>(&condition)) {
      const FieldIndex* index = memory_.index(field->path.to_text());
      if (!index) return std::nullopt;
      SlotSet slots;
      for (const Predicate& predicate : field->any_of) {
        const auto found = index->select(predicate, memory_.live());
        if (!found) return std::nullopt;
        slots |= *found;
      }
      return slots;
    }
    if (const auto* has = std::get_if<HasId>(&condition)) {
      SlotSet slots;
      for (const PointId& id : has->ids)
        if (const auto slot = memory_.table().find(id)) slots.insert(*slot);
      return slots;
    }
    if (const auto* has = std::get_if<HasVector>(&condition)) {
      const auto number = memory_.number_of(has->name);
      return number ? memory_.present(*number) : SlotSet();
    }
    if (const auto* group = std::get_if<Grouped>(&condition)) return quick(*group->filter);
    return std::nullopt;
  }

  std::optional<SlotSet> quick(const Filter& filter) {
    if (filter.min_count > 0) return std::nullopt;
    SlotSet passing = memory_.live();
    for (const Condition& condition : filter.must) {
      const auto slots = quick(condition);
      if (!slots) return std::nullopt;
      passing &= *slots;
    }
    for (const Condition& condition : filter.must_not) {
      const auto slots = quick(condition);
      if (!slots) return std::nullopt;
      passing -= *slots;
    }
    if (filter.should.empty()) return passing;
    SlotSet should;
    for (const Condition& condition : filter.should) {
      const auto slots = quick(condition);
      if (!slots) return std::nullopt;
      should |= *slots;
    }
    passing &= should;
    return passing;
  }

 private:
  template <class Passes>
  Result<SlotSet> looked_at(const SlotSet& slots, Passes passes) {
    SlotSet passing;
    std::size_t seen = 0;
    Status in_time;
    slots.for_each([&](Slot slot) {
      if (seen++ % kLookAtOnce == 0 && in_time) in_time = deadline_.check("looking at payloads");
      if (!in_time) return;
      const auto tape = JsonTape::parse(memory_.payload(slot));
      if (!tape) return;
      const PointId id = memory_.table().id(slot);
      if (passes(slot, MemoryView(memory_, slot, id, tape->root()))) passing.insert(slot);
    });
    PANDORA_CHECK(std::move(in_time));
    return passing;
  }

  const CollectionMemory& memory_;
  const Deadline& deadline_;
};

}  // namespace

Result<SlotSet> slots_of(const Filter& filter, const CollectionMemory& memory, const Deadline& deadline) {
  const Filter* const one[] = {&filter};
  return slots_of(one, memory, deadline);
}

Result<SlotSet> slots_of(std::span<const Filter* const> filters, const CollectionMemory& memory,
                         const Deadline& deadline) {
  return Selecting(memory, deadline).run(filters);
}

double slots_looked_at(const Filter& filter, const CollectionMemory& memory) {
  constexpr double kOfListed = 32;  // a look-up costs as much as so many slots in a row
  const auto slots = static_cast<double>(memory.table().bound());
  double sum = 0;
  const auto add = [&](const Condition& condition) {
    if (const auto* field = std::get_if<FieldCondition>(&condition)) {
      for (const Predicate& predicate : field->any_of) {
        sum += slots;
        if (const auto* any = std::get_if<MatchAny>(&predicate))
          sum += kOfListed * static_cast<double>(std::visit([](const auto& list) { return list.size(); }, any->values));
        if (const auto* text = std::get_if<MatchText>(&predicate))
          sum += kOfListed * static_cast<double>(text->text.size());
      }
    } else if (const auto* has = std::get_if<HasId>(&condition)) {
      sum += slots + kOfListed * static_cast<double>(has->ids.size());
    } else if (const auto* group = std::get_if<Grouped>(&condition)) {
      sum += slots + slots_looked_at(*group->filter, memory);
    } else {
      sum += slots;
    }
  };
  for (const auto* conditions : {&filter.must, &filter.should, &filter.must_not, &filter.min_should})
    for (const Condition& condition : *conditions) add(condition);
  return sum;
}

bool is_indexed(const Filter& filter, const CollectionMemory& memory) {
  const Deadline never = Deadline::never();
  return Selecting(memory, never).quick(filter).has_value();
}

}  // namespace pandora::qdrant
