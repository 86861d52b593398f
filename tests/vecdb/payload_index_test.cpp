#include "vecdb/payload_index.h"

#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "vectors.h"

namespace pandora {
namespace {

const std::map<std::string, PayloadType> kFields = {
    {"user_id", PayloadType::kKeyword}, {"rejected", PayloadType::kBool}, {"turn_number", PayloadType::kInteger},
    {"quality", PayloadType::kFloat},   {"at", PayloadType::kDatetime},   {"topic", PayloadType::kText},
    {"turn_uid", PayloadType::kUuid},
};

// Values of every kind, few of each, so that conditions meet some; in any field, as nothing keeps a writer from it.
PayloadValue random_value(std::mt19937& random) {
  const auto text = [&] { return std::string(1, static_cast<char>('a' + random() % 4)); };
  switch (random() % 7) {
    case 0:
      return random() % 2 == 0;
    case 1:
      return static_cast<std::int64_t>(random() % 6);
    case 2:
      return static_cast<double>(random() % 12) / 2;
    case 3:
      return text();
    case 4:
      return Timestamp{static_cast<std::int64_t>(random() % 6)};
    case 5:
      return random() % 5 == 0 ? std::numeric_limits<double>::quiet_NaN() : 1e300;
    default:
      return std::vector<std::string>{text(), text()};
  }
}
Payload random_payload(std::mt19937& random) {
  Payload payload;
  for (const auto& [name, type] : kFields)
    if (random() % 3 != 0) payload[name] = random_value(random);
  if (random() % 2) payload["unheard_of"] = random_value(random);
  return payload;
}
Condition random_condition(std::mt19937& random) {
  auto field = kFields.begin();
  std::advance(field, random() % kFields.size());
  Condition condition{.field = field->first};
  if (random() % 2 == 0)
    for (auto wanted = 1 + random() % 2; wanted > 0; --wanted) condition.any.push_back(random_value(random));
  if (random() % 3 != 0) condition.from = random_value(random);
  if (random() % 3 != 0) condition.to = random_value(random);
  return condition;
}

TEST(PayloadIndex, agrees_with_the_definition_while_payloads_come_and_go) {
  const unsigned seed = 101;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  constexpr Slot kSlots = 300;
  PayloadIndex index(kFields);
  std::map<Slot, Payload> model;
  std::map<std::string, int> answered, exact;
  for (int step = 0; step < 20'000; ++step) {
    const Slot slot = random() % kSlots;
    if (const auto old = model.find(slot); old != model.end()) {
      index.remove(slot, old->second);
      model.erase(old);
    }
    if (random() % 4 != 0) index.put(slot, model[slot] = random_payload(random));
    if (step % 10 != 0) continue;
    const Condition condition = random_condition(random);
    const auto selected = index.select(condition);
    if (!selected) continue;
    ++answered[condition.field];
    exact[condition.field] += selected->exact;
    for (Slot one = 0; one < kSlots; ++one) {
      const auto entry = model.find(one);
      const bool meets = entry != model.end() && holds(id_of(one), entry->second, condition);
      const bool found = selected->slots.contains(one);
      ASSERT_TRUE(found == meets || (found && !selected->exact)) << condition.field << ", slot " << one;
    }
  }
  for (const char* field : {"user_id", "rejected", "turn_number", "quality", "at"}) {
    EXPECT_GT(answered[field], 15) << field;
    EXPECT_GT(exact[field], 5) << field;
  }
  EXPECT_EQ(answered["topic"], 0);
  EXPECT_EQ(answered["turn_uid"], 0);
}

TEST(PayloadIndex, what_is_asked_most_is_answered_exactly) {
  PayloadIndex index(kFields);
  index.put(0, {{"user_id", "ana"}, {"turn_number", std::int64_t{7}}, {"at", Timestamp{50}}, {"rejected", false}});
  index.put(1, {{"user_id", "bob"}, {"turn_number", std::int64_t{8}}, {"at", Timestamp{60}}, {"rejected", true}});
  index.put(2, {{"user_id", std::vector<std::string>{"ana", "bob"}}});
  const auto slots = [&](const Condition& condition) {
    const auto selected = index.select(condition);
    EXPECT_TRUE(selected && selected->exact);
    std::vector<Slot> all;
    selected->slots.for_each([&](Slot slot) { all.push_back(slot); });
    return all;
  };
  EXPECT_EQ(slots({.field = "user_id", .any = {"ana"}}), (std::vector<Slot>{0, 2}));
  EXPECT_EQ(slots({.field = "rejected", .any = {true}}), (std::vector<Slot>{1}));
  EXPECT_EQ(slots({.field = "turn_number", .from = std::int64_t{8}}), (std::vector<Slot>{1}));
  EXPECT_EQ(slots({.field = "at", .from = Timestamp{50}, .to = Timestamp{60}}), (std::vector<Slot>{0}));
}

// Who owns a point is a text; a list of owners owns nothing.
TEST(PayloadIndex, a_text_is_not_a_list_that_holds_it) {
  PayloadIndex index(kFields);
  index.put(0, {{"user_id", "ana"}});
  index.put(1, {{"user_id", std::vector<std::string>{"ana"}}});
  EXPECT_TRUE(index.with_text("user_id", "ana").contains(0));
  EXPECT_FALSE(index.with_text("user_id", "ana").contains(1));
  EXPECT_EQ(index.with_text("user_id", "nobody").count(), 0u);
}

TEST(ValueSlots, is_the_same_set_as_numbers_and_as_bits) {
  const unsigned seed = 103;
  std::mt19937 random(seed);
  SCOPED_TRACE(seed);
  for (const Slot bound : {200U, 100'000U}) {  // soon dense; long sparse
    ValueSlots slots;
    std::set<Slot> model;
    for (int step = 0; step < 12'000; ++step) {
      const Slot slot = random() % bound;
      if (random() % 3 != 0)
        slots.insert(slot), model.insert(slot);
      else
        slots.erase(slot), model.erase(slot);
      ASSERT_EQ(slots.empty(), model.empty());
      if (step % 500 != 0) continue;
      SlotSet set;
      slots.add_to(set);
      std::set<Slot> all;
      set.for_each([&](Slot one) { all.insert(one); });
      ASSERT_EQ(all, model);
    }
    for (const Slot slot : model) slots.erase(slot);
    EXPECT_TRUE(slots.empty());
  }
}

}  // namespace
}  // namespace pandora
