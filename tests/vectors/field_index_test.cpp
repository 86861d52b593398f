#include "vectors/field_index.h"

#include <gtest/gtest.h>
#include <malloc.h>

namespace pandora::qdrant {
namespace {

std::unique_ptr<FieldIndex> integers() {
  FieldSchema schema;
  schema.type = FieldType::kInteger;
  return FieldIndex::create(PayloadPath::parse("n").value(), schema);
}

std::size_t bytes_in_use() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(FieldIndex, a_point_that_is_changed_often_does_not_make_it_grow) {
  constexpr Slot kChanges = 300'000;  // 2.4 MB of values
  const auto index = integers();
  const JsonTape payload = JsonTape::parse(R"({"n":7})").value();
  index->put(0, payload.root());
  const std::size_t before = bytes_in_use();
  for (Slot slot = 1; slot < kChanges; ++slot) {
    index->remove(slot - 1, payload.root());
    index->put(slot, payload.root());
  }
  EXPECT_LT(bytes_in_use(), before + 1'000'000);  // some bits a slot remain
  EXPECT_EQ(index->points(), 1U);
}

TEST(FieldIndex, values_are_found_on_both_sides_of_what_has_gone) {
  const auto index = integers();
  SlotSet live;
  for (Slot slot = 0; slot < 20'000; ++slot) {
    const std::string text = "{\"n\":" + std::to_string(slot % 10) + "}";  // the tape reads in it
    const JsonTape payload = JsonTape::parse(text).value();
    index->put(slot, payload.root());
    live.insert(slot);
  }
  const JsonTape any = JsonTape::parse(R"({"n":0})").value();
  for (Slot slot = 4'000; slot < 16'000; ++slot) {
    index->remove(slot, any.root());
    live.erase(slot);
  }
  const auto found = index->select(MatchValue{std::int64_t{3}}, live);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->count(), 800U);
  EXPECT_TRUE(found->contains(3'993) && !found->contains(4'003) && found->contains(16'003));
}

}  // namespace
}  // namespace pandora::qdrant
