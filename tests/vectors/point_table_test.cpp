#include "vectors/point_table.h"

#include <set>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/fault_file_system.h"
#include "vecdb/index_files.h"
#include "vectors/bodies.h"
#include "vectors/collection_memory.h"

namespace pandora::qdrant {
namespace {

TEST(PointTable, integers_come_before_uuids_and_a_uuid_of_zeros_is_no_integer) {
  CollectionMemory memory(params_of(kPlain));
  const PointTable& table = memory.table();
  const auto uuid = [](const char* text) { return PointId::of(*parse_uuid(text)); };
  const std::vector<PointId> ids = {PointId::of(0),
                                    PointId::of(7),
                                    PointId::of(~0ULL),
                                    uuid("00000000-0000-0000-0000-000000000000"),
                                    uuid("00000000-0000-0000-0000-000000000007"),
                                    uuid("00000000-0000-0001-0000-000000000000"),
                                    uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")};
  std::uint64_t version = 0;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) memory.put({*id, ++version, "{}", {}});
  ASSERT_EQ(table.size(), ids.size());
  for (std::size_t from = 0; from < ids.size(); ++from) {
    std::vector<PointId> seen;
    table.visit_from(ids[from], [&](const PointId& id, Slot slot) {
      EXPECT_EQ(table.id(slot), id);
      seen.push_back(id);
      return true;
    });
    EXPECT_EQ(seen, std::vector<PointId>(ids.begin() + static_cast<std::ptrdiff_t>(from), ids.end()));
  }
  memory.remove(ids[4], ++version);
  EXPECT_FALSE(table.find(ids[4]));
  EXPECT_TRUE(table.find(ids[1]));
}

TEST(PointTable, a_uuid_that_is_the_made_up_key_of_another_is_a_point_of_its_own) {
  CollectionMemory memory(params_of(kPlain));
  const PointId zeros = PointId::of(Uuid{});
  memory.put({zeros, 1, R"({"a":1})", {}});
  const PointId key = PointId::of(memory.table().key_of(zeros));
  EXPECT_FALSE(memory.table().find(key));
  memory.put({key, 2, R"({"a":2})", {}});
  EXPECT_EQ(memory.table().size(), 2U);
  EXPECT_EQ(memory.payload(*memory.table().find(zeros)), R"({"a":1})");
  EXPECT_EQ(memory.payload(*memory.table().find(key)), R"({"a":2})");
}

// In files, so that slots of points that have gone are given again.
TEST(PointTable, order_holds_when_slots_are_given_again) {
  constexpr std::uint64_t kPoints = 9'000, kRounds = 6;
  testing::FaultFileSystem disk;
  IndexFiles files(disk, "/parts", Uuid{}, IndexFiles::Truth::kHere);
  CollectionMemory memory(params_of(kPlain));
  SeededRandom random(4);
  std::set<PointId> there;
  std::uint64_t version = 0;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    for (std::uint64_t i = 0; i < kPoints; ++i) {
      const PointId id = PointId::of((i * 5 + round) % kPoints);
      if (random.below(10) == 0) {
        memory.remove(id, ++version);
        there.erase(id);
      } else {
        memory.put({id, ++version, "{\"n\":" + std::to_string(id.number()) + "}", {}});
        there.insert(id);
      }
      if (i % 3'000 != 2'999) continue;
      while (memory.move_some(256)) {
      }
      const auto checkpoint = files.begin(memory.points(), IndexFiles::Scope::kTail);
      ASSERT_TRUE(checkpoint && checkpoint->write());
      files.end(memory.points(), *checkpoint);
      auto next = there.begin();
      memory.table().visit_from(PointId(), [&](const PointId& seen, Slot slot) {
        EXPECT_TRUE(next != there.end() && seen == *next);
        EXPECT_EQ(memory.payload(slot), "{\"n\":" + std::to_string(seen.number()) + "}");
        return !HasFailure() && next++ != there.end();
      });
      ASSERT_TRUE(next == there.end());
    }
  }
  EXPECT_LT(memory.table().bound(), 3 * kPoints);
}

TEST(PointTable, order_holds_when_many_come_and_go) {
  CollectionMemory memory(params_of(kPlain));
  SeededRandom random(3);
  std::set<PointId> there;
  for (std::uint64_t version = 1; version <= 12'000; ++version) {
    const PointId id = PointId::of(random.below(9'000));
    if (random.below(5) == 0) {
      memory.remove(id, version);
      there.erase(id);
    } else {
      memory.put({id, version, "{}", {}});
      there.insert(id);
    }
    if (version % 3'000 != 0) continue;
    std::vector<PointId> seen;
    memory.table().visit_from(PointId::of(100), [&](const PointId& one, Slot) { return seen.push_back(one), true; });
    EXPECT_EQ(seen, std::vector<PointId>(there.lower_bound(PointId::of(100)), there.end()));
  }
}

}  // namespace
}  // namespace pandora::qdrant
