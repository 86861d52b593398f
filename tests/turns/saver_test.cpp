#include <cmath>
#include <future>
#include <limits>
#include <thread>

#include <gtest/gtest.h>

#include "support/forwarding_turn_store.h"
#include "turns/archiver.h"
#include "turns/documents.h"
#include "turns/journal_id.h"
#include "wire/turn_json.h"
#include "world.h"

namespace pandora {
namespace {

using testing::World;

TEST(TurnSaver, AFindableTurnHasItsRowItsFilesAndItsPoint) {
  World world;
  ASSERT_TRUE(world.start());
  auto record = world.record("trip", "We land in Porto at nine.", "Noted: Porto at nine.");
  record.memories.push_back(world.memory(record.turn, "The user lands in Porto"));
  record.research.push_back(world.research(record.turn, "trains"));
  record.fetches.push_back({"example.com", world.clock.now(), true, "plain GET"});
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  const auto number = world.saver->wait_findable(record.turn.uid, world.soon());
  ASSERT_TRUE(number) << number.error().to_line();
  ASSERT_TRUE(world.saver->drain(world.soon()));

  auto kept = read_turn_folder(*world.documents, turn_folder(*number), world.soon());
  ASSERT_TRUE(kept) << kept.error().to_line();
  record.turn.number = *number;
  EXPECT_EQ(*kept, record);
  for (const char* name : {"response.md", "research.md", "research.json"})
    EXPECT_TRUE(world.documents->exists(turn_folder(*number) + "/" + name, world.soon()).value()) << name;
  EXPECT_FALSE(world.documents->exists(turn_folder(*number) + "/toolresults.md", world.soon()).value());
  EXPECT_EQ(world.rows->turns().find(*number, Principal::of(record.turn.user), world.soon()).value(), record.turn);
  const Uuid point = turn_point_id(record.turn.uid);
  EXPECT_EQ(world.vectors->retrieve("turns", {&point, 1}, Principal::system(), world.soon()).value().size(), 1u);
  EXPECT_TRUE(world.documents->exists(memory_path(record.memories[0].id), world.soon()).value());
  EXPECT_TRUE(world.documents->exists(research_path(record.research[0].id), world.soon()).value());
  EXPECT_TRUE(world.documents->exists(site_knowledge_path("example.com"), world.soon()).value());
  EXPECT_EQ(world.saver->status().pending, 0);
  EXPECT_EQ(world.saver->status().outbox, 0);
}

// It looks several times a second, all day.
TEST(TurnSaver, LookingForWorkWritesNothingWhenThereIsNone) {
  World world;
  world.checkpoint_interval = std::chrono::hours(1);
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.saver->save(world.record("s", "one", "two"), world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const auto before = world.files.operations();
  for (int i = 0; i < 5; ++i) {
    const auto claimed = world.stores().outbox.claim("somebody", std::chrono::seconds(60), 10, world.soon());
    ASSERT_TRUE(claimed);
    EXPECT_TRUE(claimed->empty());
  }
  EXPECT_EQ(world.files.operations(), before);
}

TEST(TurnSaver, WhatNoRowMayHoldIsRefusedBeforeItIsAcknowledged) {
  World world;
  ASSERT_TRUE(world.start());
  auto of_another = world.record("s", "one", "two");
  of_another.memories.push_back(world.memory(of_another.turn, "this is mine"));
  of_another.memories[0].user = UserId::parse("bea").value();
  EXPECT_EQ(world.saver->save(of_another, world.soon()).error().code, ErrorCode::kPermissionDenied);
  auto too_sure = world.record("s", "one", "two");
  too_sure.observations[0].confidence = 1.5;
  EXPECT_EQ(world.saver->save(too_sure, world.soon()).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(world.restart());
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 0);
  EXPECT_TRUE(world.documents->list("quarantine", world.soon()).value_or(std::vector<FileInfo>()).empty());
}

TEST(TurnSaver, ARestartDoesNotMakeAgainWhatIsThere) {
  World world;
  ASSERT_TRUE(world.start());
  const auto first = world.record("s", "The first is about boats.", "Boats."),
             second = world.record("s", "The second is about trains.", "Trains.");
  for (const auto* record : {&first, &second}) ASSERT_TRUE(world.saver->save(*record, world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));  // the journal still holds both
  const int calls = world.embedder.calls;
  ASSERT_TRUE(world.documents->put("turns/turn_000002/response.md", "torn", Durability::kNow, world.soon()));
  ASSERT_TRUE(world.restart());
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.embedder.calls, calls) << "no point is made again";
  EXPECT_EQ(world.documents->read("turns/turn_000002/response.md", world.soon()).value(), "Trains.");
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  EXPECT_TRUE(world.files.list("/data/journal").value().empty());
}

// The database is lost, the journal and the folders are not: every turn keeps the number under which it is on disk.
TEST(TurnSaver, TurnsWhoseRowsWereLostKeepTheirNumbers) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<TurnRecord> records;
  for (const char* text : {"It is about boats.", "It is about trains.", "It is about bridges."}) {
    records.push_back(world.record("s", text, "Noted."));
    ASSERT_TRUE(world.saver->save(records.back(), world.soon()));
  }
  ASSERT_TRUE(world.saver->drain(world.soon()));
  ASSERT_TRUE(world.documents->remove("turns/turn_000002", world.soon()));
  world.stop();
  const auto files = world.files.list("/data").value();
  for (const auto& file : files) {
    if (!file.name.starts_with("pandora.db")) continue;
    ASSERT_TRUE(world.files.remove_file("/data/" + file.name));
  }
  world.vfs.forget();
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.saver->drain(world.soon()));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto rows = world.rows->turns().find_all({&records[i].turn.uid, 1}, Principal::system(), world.soon());
    ASSERT_EQ(rows->size(), 1u);
    // The second has no folder any more: it gets a number that no other turn ever had.
    EXPECT_EQ(rows->front().number.value, i == 1 ? 4 : static_cast<std::int64_t>(i + 1));
  }
  EXPECT_TRUE(
      world.reconciler->run(Apply::kDryRun, [](auto, auto) { return Status(); }, world.soon())->differences.empty());
}

TEST(TurnSaver, ATurnWhoseNumberIsTakenGetsOneOfItsOwn) {
  World world;
  ASSERT_TRUE(world.start());
  const auto first = world.record("s", "The first.", "One.");
  auto second = world.record("s", "The second.", "Two.");
  ASSERT_TRUE(world.saver->save(first, world.soon()));
  ASSERT_EQ(world.saver->wait_findable(first.turn.uid, world.soon()).value().value, 1);
  second.turn.number = {1};
  ASSERT_TRUE(world.saver->save(second, world.soon()));
  const auto third = world.record("s", "The third.", "Three.");
  ASSERT_TRUE(world.saver->save(third, world.soon()));
  EXPECT_EQ(world.saver->wait_findable(second.turn.uid, world.soon()).value().value, 2);
  EXPECT_EQ(world.saver->wait_findable(third.turn.uid, world.soon()).value().value, 3);
  EXPECT_TRUE(world.documents->list("quarantine", world.soon()).value_or(std::vector<FileInfo>()).empty());
}

TEST(TurnSaver, ATurnOfAnotherUsersUidIsSetAsideAndHoldsNobodyUp) {
  World world;
  ASSERT_TRUE(world.start());
  const auto hers = world.record("s", "Mine.", "Yours.");
  ASSERT_TRUE(world.saver->save(hers, world.soon()));
  ASSERT_TRUE(world.saver->wait_findable(hers.turn.uid, world.soon()));
  auto his = hers;
  his.turn.user = UserId::parse("ben").value();
  ASSERT_TRUE(world.saver->save(his, world.soon()));
  const auto next = world.record("s", "The next.", "Two.");
  ASSERT_TRUE(world.saver->save(next, world.soon()));
  EXPECT_EQ(world.saver->wait_findable(next.turn.uid, world.soon()).value().value, 2);
  EXPECT_TRUE(world.saver->drain(world.soon()));
  const auto aside = world.documents->list("quarantine", world.soon()).value();
  ASSERT_EQ(aside.size(), 1u);
  EXPECT_NE(aside.front().name.find(his.turn.uid.to_string()), std::string::npos) << aside.front().name;
}

TEST(TurnSaver, NobodyIsKeptFromSavingWhileACheckpointWaits) {
  World world;
  world.stuck_after = std::chrono::hours(1);
  ASSERT_TRUE(world.start());
  const auto first = world.record("s", "The first.", "One.");
  ASSERT_TRUE(world.saver->save(first, world.soon()));
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));  // the journal holds nothing now
  world.embedder.down = true;
  const OutboxItem point{OutboxKind::kTurnPoint, first.turn.uid.to_string()};
  ASSERT_TRUE(world.rows->outbox().enqueue({&point, 1}, world.soon()));
  std::promise<void> begins;
  std::thread waits([&] {
    begins.set_value();
    EXPECT_TRUE(world.saver->checkpoint(Deadline::never()));
  });
  begins.get_future().wait();
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(world.saver->save(world.record("s", "Meanwhile " + std::to_string(i), "Yes."), world.soon()));
  world.embedder.down = false;
  world.clock.shift += 120'000'000;  // past every delay
  waits.join();
}

TEST(TurnSaver, ARestartReplaysAndDoublesNothing) {
  World world;
  ASSERT_TRUE(world.start());
  const auto record = world.record("trip", "Remember the blue door.", "I will.");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  const auto number = world.saver->wait_findable(record.turn.uid, world.soon());
  ASSERT_TRUE(number);
  ASSERT_TRUE(world.restart());
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 1);
  EXPECT_EQ(world.saver->wait_findable(record.turn.uid, world.soon()).value(), *number);
}

// A segment stays until its turns are in place, over many starts of a machine that has much to do.
TEST(TurnSaver, ATornEndIsSetAsideOnce) {
  World world;
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.saver->save(world.record("s", "one", "two"), world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const std::string segment = "/data/journal/" + world.files.list("/data/journal").value().front().name;
  const std::string whole = world.files.read_file(segment, 1 << 20).value();
  world.stop();
  ASSERT_TRUE(world.files.write_atomic(segment, whole + whole.substr(whole.size() / 2, 20), Durability::kNow));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(world.restart());
    ASSERT_TRUE(world.saver->drain(world.soon()));
    ASSERT_TRUE(world.files.exists(segment));
    EXPECT_EQ(world.documents->list("quarantine", world.soon()).value().size(), 1u);
  }
}

TEST(TurnSaver, ACheckpointEmptiesTheJournal) {
  World world;
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.saver->save(world.record("s", "one", "two"), world.soon()));
  ASSERT_FALSE(world.files.list("/data/journal").value().empty());
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  EXPECT_TRUE(world.files.list("/data/journal").value().empty());
}

TEST(TurnSaver, WithTheEncoderAwayTheTurnIsSavedAndItsPointFollows) {
  World world;
  ASSERT_TRUE(world.start());
  world.embedder.down = true;
  const auto record = world.record("s", "The encoder sleeps.", "So it does.");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  while (world.saver->status().last_error.empty()) std::this_thread::yield();
  EXPECT_EQ(world.saver->wait_findable(record.turn.uid, Deadline::after(world.clock, std::chrono::milliseconds(30)))
                .error()
                .code,
            ErrorCode::kDeadlineExceeded);
  EXPECT_NE(world.saver->status().last_error.find("the encoder is away"), std::string::npos);
  EXPECT_NE(world.saver->status().points_error.find("the encoder is away"), std::string::npos);
  EXPECT_EQ(world.saver->status().files_error, "");
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 1);
  world.embedder.down = false;
  world.clock.shift += 120'000'000;
  EXPECT_TRUE(world.saver->wait_findable(record.turn.uid, world.soon()));
  EXPECT_EQ(world.saver->status().points_error, "");
  EXPECT_TRUE(world.saver->wait_session(record.turn.session, world.soon()));
}

// As they do while a server of points says nothing.
TEST(TurnSaver, RowsGoOnWhilePointsHang) {
  World world;
  ASSERT_TRUE(world.start());
  world.embedder.hangs = true;
  const auto first = world.record("s", "The encoder hangs.", "So it does.");
  EXPECT_TRUE(world.saver->save(first, world.soon()));
  while (world.embedder.calls == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(world.saver->save(world.record("s", "Meanwhile " + std::to_string(i), "Yes."), world.soon()));
  EXPECT_TRUE(world.saver->wait_rows(world.soon()));
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 21);
  EXPECT_FALSE(world.saver->wait_findable(first.turn.uid, Deadline::after(world.clock, Duration(1))));
  world.embedder.hangs = false;
  world.embedder.hangs.notify_all();
  EXPECT_TRUE(world.saver->drain(world.soon()));
  EXPECT_TRUE(world.saver->wait_findable(first.turn.uid, world.soon()));
}

TEST(TurnSaver, ADrainThatCannotGoOnSaysWhyAndTheNextOneIsDone) {
  World world;
  world.stuck_after = std::chrono::milliseconds(1);
  ASSERT_TRUE(world.start());
  world.embedder.down = true;
  ASSERT_TRUE(world.saver->save(world.record("s", "The encoder sleeps.", "So it does."), world.soon()));
  const Status stuck = world.saver->drain(Deadline::never());
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(stuck.error().message.find("the encoder is away"), std::string::npos);
  world.embedder.down = false;
  world.clock.shift += 120'000'000;
  EXPECT_TRUE(world.saver->drain(Deadline::never()));
  EXPECT_TRUE(world.saver->status().last_error.empty());
}

TEST(TurnSaver, WhoWaitsForASessionIsToldWhyOnceRowsHaveFailedForAWhile) {
  World world;
  testing::FaultFileSystem journal;
  world.journal_files = &journal;
  ASSERT_TRUE(world.start());
  world.files.limit_bytes(0);
  const auto record = world.record("s", "The disk is full.", "So it is.");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  const Deadline never = Deadline::never();
  const Status in_vain = world.saver->wait_session(record.turn.session, never);
  ASSERT_FALSE(in_vain);
  EXPECT_NE(in_vain.error().message.find("not yet findable: "), std::string::npos) << in_vain.error().message;
  std::promise<Status> told;
  ASSERT_FALSE(world.saver->after_session(record.turn.session, never, [&](Status how) { told.set_value(how); }));
  EXPECT_FALSE(told.get_future().get());
  EXPECT_TRUE(world.saver->wait_session(SessionId::parse("other").value(), never));
  world.files.limit_bytes(std::nullopt);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_TRUE(world.saver->wait_session(record.turn.session, never));
}

// Another gateway sees rows alone.
TEST(TurnSaver, WhileOthersShareTheRowsASaveReturnsWithTheRowUnlessRowsFail) {
  World world;
  testing::FaultFileSystem journal;
  world.journal_files = &journal;
  ASSERT_TRUE(world.start());
  world.saver->set_shared(true);
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(world.saver->save(world.record("s", "one", "two"), world.soon()));
    EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), i);
  }
  world.files.limit_bytes(0);
  EXPECT_TRUE(world.saver->save(world.record("s", "The disk is full.", "So it is."), world.soon()));
  world.files.limit_bytes(std::nullopt);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 21);
}

// Hours of a server of documents that is away: neither memory nor a segment may grow with them.
TEST(TurnSaver, WhatWaitsForItsDirectoryIsBoundedAndNothingOfItIsLost) {
  World world;
  const std::size_t one = encode_record(world.record("s", "fact 0", "Noted.")).size();
  world.segment_bytes = 2 * one;
  world.max_held_bytes = 5 * one;
  ASSERT_TRUE(world.files.create_directories("/data/docs"));
  ASSERT_TRUE(world.files.write_atomic("/data/docs/turns", "in the way", Durability::kNow));
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(world.saver->save(world.record("s", "fact " + std::to_string(i), "Noted."), world.soon())) << i;
  const Status refused = world.saver->save(world.record("s", "fact 5", "Noted."), world.soon());
  ASSERT_FALSE(refused) << "one past the bound";
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(world.saver->wait_rows(world.soon())) << "rows do not wait for it";
  EXPECT_FALSE(world.saver->save(world.record("s", "fact 5", "Noted."), world.soon())) << "their directories still do";
  for (const auto& segment : world.files.list("/data/journal").value())
    EXPECT_LT(segment.size, world.segment_bytes + 2 * one) << segment.name;

  world.max_held_bytes = 1;  // less than what the journal holds: it is acknowledged
  ASSERT_TRUE(world.restart());
  EXPECT_FALSE(world.saver->save(world.record("s", "fact 5", "Noted."), world.soon()));
  ASSERT_TRUE(world.files.remove_file("/data/docs/turns"));
  world.clock.shift += 120'000'000;
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_TRUE(world.saver->save(world.record("s", "fact 5", "Noted."), world.soon())) << "one alone has room always";
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  EXPECT_TRUE(world.files.list("/data/journal").value().empty());
  for (std::int64_t number = 1; number <= 6; ++number) {
    const auto kept = read_turn_folder(*world.documents, turn_folder({number}), world.soon());
    ASSERT_TRUE(kept) << kept.error().to_line();
    EXPECT_EQ(kept->turn.message.text, "fact " + std::to_string(number - 1));
  }
}

TEST(TurnSaver, ARecordThatTheDiskDoesNotTakeHoldsNoRoom) {
  World world;
  testing::FaultFileSystem journal;
  world.journal_files = &journal;
  world.max_held_bytes = 1;
  ASSERT_TRUE(world.start());
  journal.limit_bytes(0);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(world.saver->save(world.record("s", "one", "two"), world.soon()).error().code, ErrorCode::kStorageFull);
  journal.limit_bytes(std::nullopt);
  EXPECT_TRUE(world.saver->save(world.record("s", "one", "two"), world.soon()));
}

// A sequence of the database's may be behind its rows: that is no fault of the turn's.
TEST(TurnSaver, AConflictOverANumberOfTheDatabasesOwnIsWaitedForAndNamed) {
  class Behind final : public testing::ForwardingTurnStore {
   public:
    Behind(TurnStore& turns, const std::atomic<bool>& is_behind) : ForwardingTurnStore(turns), is_behind_(is_behind) {}
    Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) override {
      if (is_behind_) return fail(ErrorCode::kConflict, "duplicate key value (23505)");
      return turns_.commit_turn(record, who, deadline);
    }

   private:
    const std::atomic<bool>& is_behind_;
  };
  std::atomic<bool> is_behind = true;
  World world;
  world.around_turns = [&](TurnStore& turns) { return std::make_unique<Behind>(turns, is_behind); };
  ASSERT_TRUE(world.start());
  EXPECT_EQ(world.saver->status().rows_error, "");
  const auto record = world.record("s", "one", "two");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  while (world.saver->status().rows_error.empty()) std::this_thread::yield();
  EXPECT_NE(world.saver->status().rows_error.find("23505"), std::string::npos);
  EXPECT_EQ(world.saver->pending(), 1);
  is_behind = false;
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.saver->status().rows_error, "");
  EXPECT_EQ(world.saver->wait_findable(record.turn.uid, world.soon()).value().value, 1);
  EXPECT_TRUE(world.documents->list("quarantine", world.soon()).value_or(std::vector<FileInfo>()).empty());
}

// The commit's answer is lost, and before it is tried again somebody at another gateway has seen the turn and forgotten
// it.
TEST(TurnSaver, ATurnThatWasForgottenBeforeItsCommitIsTriedAgainStaysForgotten) {
  class Unheard final : public testing::ForwardingTurnStore {
   public:
    Unheard(TurnStore& turns, World& world) : ForwardingTurnStore(turns), world_(world) {}
    Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) override {
      const auto number = turns_.commit_turn(record, who, deadline);
      if (++tries > 1 || !number) return number;
      EXPECT_TRUE(world_.documents->put(tombstone_path(record.turn.uid), "{}", Durability::kNow, deadline));
      EXPECT_TRUE(turns_.remove(*number, who, deadline));
      EXPECT_TRUE(world_.documents->remove(turn_folder(*number), deadline));  // as whoever forgets does, after the row
      return fail(ErrorCode::kUnavailable, "the answer was lost");
    }
    int tries = 0;

   private:
    World& world_;
  };
  World world;
  world.around_turns = [&](TurnStore& turns) { return std::make_unique<Unheard>(turns, world); };
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.saver->save(world.record("s", "My door code is 4711.", "Noted."), world.soon()));
  ASSERT_TRUE(world.saver->save(world.record("s", "The next.", "Noted."), world.soon()));
  ASSERT_TRUE(world.saver->drain(world.soon()));
  const auto rows = world.rows->turns().list({}, Principal::system(), world.soon()).value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].message.text, "The next.");
  EXPECT_FALSE(world.documents->exists("turns/turn_000001", world.soon()).value());
  ASSERT_TRUE(world.saver->checkpoint(world.soon()));
  EXPECT_TRUE(world.files.list("/data/journal").value().empty());
}

TEST(TurnSaver, ItIsSeenThatAnotherProcessHasMadeAPoint) {
  World world;
  ASSERT_TRUE(world.start());
  world.embedder.down = true;
  const auto record = world.record("s", "Who is first?", "Not I.");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  ASSERT_TRUE(world.saver->wait_rows(world.soon()));
  EXPECT_FALSE(world.saver->wait_findable(record.turn.uid, Deadline::after(world.clock, Duration(1))));
  const auto space = world.spaces->current();
  Point point;
  point.id = turn_point_id(record.turn.uid);
  point.version = 1;
  point.payload["user_id"] = std::string("ana");
  for (const auto& spec : collection_specs(*space)) ASSERT_TRUE(world.vectors->ensure_collection(spec, world.soon()));
  const auto made = world.vectors->upsert(space->turns, {&point, 1}, Principal::system(), world.soon());
  ASSERT_TRUE(made) << made.error().to_line();
  EXPECT_TRUE(world.saver->wait_findable(record.turn.uid, world.soon()));
}

// A journal keeps its name, so that leases and directories are its successor's.
TEST(JournalId, ItIsMadeOnceAndSurvivesACrash) {
  testing::FaultFileSystem files;
  SystemClock clock;
  SeededRandom random(5);
  UuidV7Generator ids(clock, random);
  const auto made = journal_id(files, "/data/journal", ids);
  ASSERT_TRUE(made);
  files.crash(random);
  EXPECT_EQ(journal_id(files, "/data/journal", ids).value(), *made);
  ASSERT_TRUE(files.write_atomic("/data/journal/id", "nonsense", Durability::kNow));
  EXPECT_EQ(journal_id(files, "/data/journal", ids).error().code, ErrorCode::kDataCorrupt);
}

TEST(TurnSaver, ATurnThatNobodyCouldReadAgainIsRefused) {
  World world;
  ASSERT_TRUE(world.start());
  auto record = world.record("s", "a", "b");
  record.turn.quality = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(world.saver->save(record, world.soon()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(world.files.list("/data/journal").value().empty());
}

TEST(TurnSaver, ADiskThatDoesNotTakeTheRecordIsNotAnAcknowledgement) {
  World world;
  ASSERT_TRUE(world.start());
  world.files.limit_bytes(3);
  EXPECT_EQ(world.saver->save(world.record("s", "a", "b"), world.soon()).error().code, ErrorCode::kStorageFull);
  world.files.limit_bytes(std::nullopt);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_EQ(world.rows->turns().count(Principal::system(), world.soon()).value(), 0);
}

TEST(Archiver, AnOldTurnMovesToTheArchiveAndIsStillFound) {
  World world;
  ASSERT_TRUE(world.start());
  const auto record = world.record("s", "Long ago.", "Indeed.");
  ASSERT_TRUE(world.saver->save(record, world.soon()));
  const auto number = world.saver->wait_findable(record.turn.uid, world.soon());
  ASSERT_TRUE(number);
  const auto archive = [&](Timestamp now, Apply apply) {
    return archive_turns(world.rows->turns(), now, std::chrono::hours(24 * 30), apply, Principal::system(),
                         world.soon());
  };
  const Timestamp later = record.turn.created_at + std::chrono::hours(24 * 30);
  EXPECT_TRUE(archive(later - Duration(1), Apply::kApply).value().turns.empty());
  EXPECT_EQ(archive(later, Apply::kDryRun).value().turns.size(), 1u);
  EXPECT_FALSE(world.rows->turns().find(*number, Principal::system(), world.soon()).value().archived);
  EXPECT_EQ(archive(later, Apply::kApply).value().turns.size(), 1u);
  ASSERT_TRUE(world.saver->drain(world.soon()));
  EXPECT_FALSE(world.documents->exists(turn_folder(*number), world.soon()).value());
  EXPECT_TRUE(read_turn_folder(*world.documents, archived_turn_folder(*number), world.soon())->turn.archived);
  const Uuid point = turn_point_id(record.turn.uid);
  EXPECT_EQ(world.vectors->retrieve("turns", {&point, 1}, Principal::system(), world.soon()).value().size(), 1u);
}

}  // namespace
}  // namespace pandora
