// Power goes at any point of saving, replaying and checkpointing; the databases, the documents and the journal share
// the disk.
#include <gtest/gtest.h>

#include "turns/documents.h"
#include "world.h"

namespace pandora {
namespace {

using testing::World;

constexpr std::uint64_t kRuns = 60;
constexpr int kLives = 4;

Attachment picture(const TurnRecord& record) {
  return {{ObjectOrigin::kImage, "", 0, "image/png", ""}, "the picture of " + record.turn.uid.to_string()};
}

TEST(SaverCrash, NoAcknowledgedTurnIsLostOrDoubledAndEveryStartSucceeds) {
  std::int64_t acknowledged_in_all = 0, crashes = 0;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    World world("crash");
    std::vector<TurnRecord> acknowledged;
    std::vector<bool> pictured;
    for (int life = 0; life < kLives; ++life) {
      if (life > 0) world.files.die_after(random.below(400));
      const Status started = world.start();
      for (int i = 0; started && i < 4; ++i) {
        const auto record =
            world.record("s" + std::to_string(i % 2), "Message " + std::to_string(random.below(1'000'000)), "Reply");
        std::vector<Attachment> attached;
        if (i % 2 == 0) attached.push_back(picture(record));
        if (world.saver->save(record, attached, world.soon())) {
          acknowledged.push_back(record);
          pictured.push_back(!attached.empty());
        }
        if (random.below(3) == 0 && !world.files.dead())
          (void)world.saver->checkpoint(Deadline::after(world.clock, std::chrono::milliseconds(200)));
      }
      world.crash(random);
      ++crashes;
    }
    const Status started = world.start();
    ASSERT_TRUE(started) << started.error().to_line();
    const Status drained = world.saver->drain(world.soon());
    ASSERT_TRUE(drained) << drained.error().to_line();
    std::set<std::string> folders;
    for (std::size_t i = 0; i < acknowledged.size(); ++i) {
      const TurnRecord& record = acknowledged[i];
      const std::string bytes = picture(record).bytes;
      if (pictured[i]) {
        EXPECT_EQ(world.objects->get(sha256_hex(bytes), world.soon()).value_or(""), bytes);
      }
      const auto number = world.saver->wait_findable(record.turn.uid, world.soon());
      ASSERT_TRUE(number) << number.error().to_line();
      EXPECT_EQ(world.rows->turns().find(*number, Principal::system(), world.soon()).value().message,
                record.turn.message);
      EXPECT_TRUE(folders.insert(turn_folder(*number)).second) << "two turns with one number";
    }
    // The double forgets the names in a renamed folder although it was synced, which a disk does not: so folders may be
    // missing here, and what is asked of them is that reconcile makes them again.
    const auto quiet = [](auto, auto) { return Status(); };
    const auto repaired = world.reconciler->run(Apply::kApply, quiet, world.soon());
    ASSERT_TRUE(repaired) << repaired.error().to_line();
    const auto report = world.reconciler->run(Apply::kDryRun, quiet, world.soon());
    ASSERT_TRUE(report) << report.error().to_line();
    for (const auto& difference : report->differences) ADD_FAILURE() << difference.kind << ": " << difference.what;
    for (const auto& folder : folders) {
      const auto kept = read_turn_folder(*world.documents, folder, world.soon());
      EXPECT_TRUE(kept) << kept.error().to_line();
    }
    acknowledged_in_all += static_cast<std::int64_t>(acknowledged.size());
  }
  RecordProperty("acknowledged", std::to_string(acknowledged_in_all));
  RecordProperty("crashes", std::to_string(crashes));
  EXPECT_GT(acknowledged_in_all, static_cast<std::int64_t>(kRuns));
}

}  // namespace
}  // namespace pandora
