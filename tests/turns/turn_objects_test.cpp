// Pictures and pages of turns: there when the turn is acknowledged, gone with the last turn that names them, and never
// taken for lost or for nobody's by mistake.
#include "turns/turn_objects.h"

#include <future>

#include <gmock/gmock.h>

#include "base/hash.h"
#include "contract/expect.h"
#include "turns/documents.h"
#include "world.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using testing::World;

const auto kQuiet = [](std::string_view, std::int64_t) { return Status(); };

Attachment image(const std::string& bytes) { return {{ObjectOrigin::kImage, "", 0, "image/png", ""}, bytes}; }
Attachment page(const std::string& bytes) {
  return {{ObjectOrigin::kPage, "", 0, "text/html", "https://example.com/nuts"}, bytes};
}

class Pictured : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(world.start()); }
  ~Pictured() override { world.stop(); }

  TurnNumber save(const std::string& message, const std::vector<Attachment>& attached, const char* user = "ana") {
    auto record = world.record(std::string("of-") + user, message, "I see.");
    record.turn.user = must(UserId::parse(user));
    record.turn.content_sha256 = content_sha256(record.turn.user, record.turn.message, record.turn.reply);
    EXPECT_TRUE(world.saver->save(record, attached, world.soon()));
    return must(world.saver->wait_findable(record.turn.uid, world.soon()));
  }
  Turn turn(TurnNumber number) { return must(world.rows->turns().find(number, Principal::system(), world.soon())); }
  bool is_there(const std::string& bytes) {
    const auto kept = world.objects->get(sha256_hex(bytes), world.soon());
    return kept && *kept == bytes;
  }
  ForgetReport forget(TurnNumber number) {
    return must(world.forgetting->forget_turn(number, Principal::of(turn(number).user), world.soon()));
  }
  std::vector<std::string> differences(Apply apply) {
    std::vector<std::string> kinds;
    for (const auto& difference : must(world.reconciler->run(apply, kQuiet, world.soon())).differences)
      kinds.push_back(difference.kind);
    return kinds;
  }
  std::string path_of(const std::string& bytes) {
    const std::string key = sha256_hex(bytes);
    return "/data/objects/" + key.substr(0, 2) + "/" + key;
  }

  World world{"pictured"};
};

TEST_F(Pictured, AnAcknowledgedTurnHasItsObjectsAndNamesThem) {
  const Turn kept = turn(save("Look.", {image("a picture"), page("<p>nuts"), image("a picture")}));
  ASSERT_EQ(kept.objects.size(), 2u) << "the same twice is one";
  EXPECT_EQ(kept.objects[0], (TurnObject{ObjectOrigin::kImage, sha256_hex("a picture"), 9, "image/png", ""}));
  EXPECT_EQ(kept.objects[1],
            (TurnObject{ObjectOrigin::kPage, sha256_hex("<p>nuts"), 7, "text/html", "https://example.com/nuts"}));
  EXPECT_TRUE(is_there("a picture"));
  EXPECT_TRUE(is_there("<p>nuts"));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(must(read_turn_folder(*world.documents, turn_folder(kept.number), world.soon())).turn, kept);
  EXPECT_THAT(differences(Apply::kDryRun), IsEmpty());
}

TEST_F(Pictured, AtTheMaximumItIsTakenAndOnePastItNothingIsKept) {
  std::vector<Attachment> many;
  for (std::size_t i = 0; i < kMaxTurnObjects; ++i) many.push_back(image("picture " + std::to_string(i)));
  EXPECT_EQ(turn(save("Look at all.", many)).objects.size(), kMaxTurnObjects);
  many.push_back(image("one more"));
  const auto record = world.record("s", "Look at all of them.", "I see.");
  EXPECT_FAILS(kTooLarge, world.saver->save(record, many, world.soon()));
  EXPECT_FALSE(is_there("one more"));
  const std::vector<Attachment> large{image(std::string(kMaxTurnObjectBytes + 1, 'x'))};
  EXPECT_FAILS(kTooLarge, world.saver->save(record, large, world.soon()));
  const std::vector<Attachment> three{image(std::string(kMaxTurnObjectsBytes / 2, 'x')),
                                      image(std::string(kMaxTurnObjectsBytes / 2, 'y')), image("z")};
  EXPECT_FAILS(kTooLarge, world.saver->save(record, three, world.soon()));
  EXPECT_TRUE(must(world.rows->turns().find_all({&record.turn.uid, 1}, Principal::system(), world.soon())).empty());
}

TEST_F(Pictured, AnObjectGoesWithTheLastTurnThatNamesIt) {
  const auto of_ana = save("My cat.", {image("a cat"), image("hers alone")});
  const auto of_ben = save("A cat, isn't it?", {image("a cat")}, "ben");
  const ForgetReport first = forget(of_ana);
  EXPECT_THAT(first.objects, ElementsAre(sha256_hex("hers alone")));
  EXPECT_FALSE(is_there("hers alone"));
  EXPECT_TRUE(is_there("a cat")) << "ben's turn names it too";
  EXPECT_THAT(must(world.forgetting->verify(first, world.soon())), IsEmpty());
  const ForgetReport last = forget(of_ben);
  EXPECT_THAT(last.objects, ElementsAre(sha256_hex("a cat")));
  EXPECT_FALSE(is_there("a cat"));
  EXPECT_THAT(must(world.forgetting->verify(last, world.soon())), IsEmpty());
  EXPECT_THAT(differences(Apply::kDryRun), IsEmpty());
}

// Its turn may be in a journal that nobody here sees into.
TEST_F(Pictured, WhileOthersMayNameAnObjectItIsLeftAndReconcileRemovesItLater) {
  std::atomic<bool> alone = false;
  world.is_alone = [&](const Deadline&) -> Result<bool> { return alone.load(); };
  ASSERT_TRUE(world.restart());
  const ForgetReport report = forget(save("My cat.", {image("a cat")}));
  EXPECT_TRUE(is_there("a cat"));
  EXPECT_THAT(report.objects, IsEmpty());
  EXPECT_EQ(report.objects_left, 1);
  EXPECT_THAT(differences(Apply::kApply), IsEmpty());
  EXPECT_TRUE(is_there("a cat"));
  alone = true;
  EXPECT_THAT(differences(Apply::kApply), ElementsAre("object without a turn"));
  EXPECT_FALSE(is_there("a cat"));
}

TEST_F(Pictured, WhatIsStillThereAfterForgettingIsFound) {
  const ForgetReport report = forget(save("My cat.", {image("a cat")}));
  must(world.objects->put("a cat", "image/png", world.soon()));
  const auto left = must(world.forgetting->verify(report, world.soon()));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].store, "objects");
  save("My cat again.", {image("a cat")});
  EXPECT_THAT(must(world.forgetting->verify(report, world.soon())), IsEmpty()) << "of another turn, it may be there";
}

TEST_F(Pictured, AnArchivedTurnStillNamesItsObjects) {
  const auto number = save("Long ago.", {image("an old picture")});
  must(archive_turns(world.rows->turns(), world.clock.now() + std::chrono::hours(24), std::chrono::hours(1),
                     Apply::kApply, Principal::system(), world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_THAT(differences(Apply::kApply), IsEmpty());
  EXPECT_TRUE(is_there("an old picture"));
  EXPECT_EQ(forget(number).objects.size(), 1u);
}

TEST_F(Pictured, ReconcileRemovesWhatNoTurnNamesAndNothingElse) {
  save("Look.", {image("named")});
  must(world.objects->put("nobody's", "image/png", world.soon()));
  must(world.objects->put("of a damaged turn", "image/png", world.soon()));
  must(world.documents->put("set_aside/record", "names " + sha256_hex("of a damaged turn"), Durability::kNow,
                            world.soon()));
  must(world.documents->quarantine("set_aside/record", "a test", world.soon()));
  EXPECT_THAT(differences(Apply::kDryRun), ElementsAre("object without a turn"));
  EXPECT_TRUE(is_there("nobody's")) << "a dry run only says so";
  EXPECT_THAT(differences(Apply::kApply), ElementsAre("object without a turn"));
  EXPECT_FALSE(is_there("nobody's"));
  EXPECT_TRUE(is_there("named"));
  EXPECT_TRUE(is_there("of a damaged turn"));
  EXPECT_THAT(differences(Apply::kDryRun), IsEmpty());
}

TEST_F(Pictured, BytesThatAreLostOrDamagedAreSaidAtEveryRunAndComeBackByAnother) {
  save("Look.", {image("lost"), image("damaged")});
  ASSERT_TRUE(world.objects->remove(sha256_hex("lost"), world.soon()));
  ASSERT_TRUE(world.files.write_atomic(path_of("damaged"), "pandora object 1\nimage/png\nother", Durability::kNow));
  for (const auto apply : {Apply::kDryRun, Apply::kApply, Apply::kApply})
    EXPECT_THAT(differences(apply), UnorderedElementsAre("damaged object", "turn without its object"));
  must(world.objects->put("lost", "image/png", world.soon()));
  must(world.objects->put("damaged", "image/png", world.soon()));
  EXPECT_THAT(differences(Apply::kDryRun), IsEmpty());
}

TEST_F(Pictured, WithTheDatabasesGoneTheFilesStillNameThem) {
  save("Look.", {image("a picture")});
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  world.stop();
  for (const auto& entry : must(world.files.list("/data")))
    if (!entry.is_directory) {
      ASSERT_TRUE(world.files.remove_file("/data/" + entry.name));
    }
  world.vfs.forget();
  ASSERT_TRUE(world.start());
  for (const auto& kind : differences(Apply::kDryRun)) EXPECT_NE(kind, "object without a turn");
  EXPECT_FALSE(differences(Apply::kApply).empty());
  EXPECT_TRUE(is_there("a picture"));
  EXPECT_THAT(differences(Apply::kDryRun), IsEmpty());
  EXPECT_EQ(turn({1}).objects.size(), 1u);
}

TEST_F(Pictured, ASaveThatNamesWhatIsBeingRemovedWaitsAndPutsItAgain) {
  must(world.objects->put("a cat", "image/png", world.soon()));
  TurnObjects objects(world.stores());
  std::promise<void> settling, go;
  std::thread removing([&] {
    const auto settle = [&](const Deadline&) {
      settling.set_value();
      go.get_future().wait();
      return Status();
    };
    EXPECT_THAT(must(objects.remove_unnamed({sha256_hex("a cat")}, settle, world.soon())).keys,
                ElementsAre(sha256_hex("a cat")));
  });
  settling.get_future().wait();
  Turn turn;
  const std::vector<Attachment> cat{image("a cat")}, dog{image("a dog")};
  EXPECT_TRUE(objects.keep(dog, turn, world.soon())) << "another object is in nobody's way";
  EXPECT_EQ(objects.keep(cat, turn, Deadline::after(world.clock, std::chrono::milliseconds(50))).error().code,
            ErrorCode::kDeadlineExceeded);
  auto kept = std::async(std::launch::async, [&] { return objects.keep(cat, turn, world.soon()).has_value(); });
  go.set_value();
  removing.join();
  EXPECT_TRUE(kept.get());
  EXPECT_TRUE(is_there("a cat"));
}

TEST_F(Pictured, WhatASaveHoldsIsNotRemoved) {
  TurnObjects objects(world.stores());
  Turn turn;
  const std::vector<Attachment> cat{image("a cat")};
  auto held = objects.keep(cat, turn, world.soon());
  ASSERT_TRUE(held);
  const auto settle = [](const Deadline&) { return Status(); };
  EXPECT_EQ(
      objects.remove_unnamed({sha256_hex("a cat")}, settle, Deadline::after(world.clock, std::chrono::milliseconds(50)))
          .error()
          .code,
      ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(is_there("a cat"));
}

TEST_F(Pictured, WhenTheTurnCannotBeKeptItIsNotAcknowledgedAndItsObjectIsNobodys) {
  world.max_pending = 0;
  ASSERT_TRUE(world.restart());
  const std::vector<Attachment> cat{image("a cat")};
  EXPECT_FAILS(kResourceExhausted, world.saver->save(world.record("s", "My cat.", "I see."), cat, world.soon()));
  EXPECT_THAT(differences(Apply::kApply), ElementsAre("object without a turn"));
  EXPECT_FALSE(is_there("a cat"));
}

}  // namespace
}  // namespace pandora
