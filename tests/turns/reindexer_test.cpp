#include "turns/reindexer.h"

#include <thread>

#include <gmock/gmock.h>

#include "recall/recall.h"
#include "world.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using testing::World;

const auto kQuiet = [](std::string_view, std::int64_t, std::int64_t) { return Status(); };

class Reindexing : public ::testing::Test {
 protected:
  Reindexing() { start(); }
  ~Reindexing() override { world_.stop(); }
  void start() {
    const Status started = world_.start();
    ASSERT_TRUE(started) << started.error().to_line();
  }

  // A turn of words that no other has; found from then on.
  void save() {
    const std::string word = "ship" + std::to_string(++words_);
    auto record = world_.record("s" + std::to_string(words_ % 7), "The " + word + " is in the harbour", "");
    record.turn.reply.reset();
    ASSERT_TRUE(world_.saver->save(record, world_.soon()));
    const auto number = world_.saver->wait_findable(record.turn.uid, world_.soon());
    ASSERT_TRUE(number) << number.error().to_line();
    record.turn.number = *number;
    saved_.emplace(word, record.turn);
  }
  void save(int turns) {
    for (int i = 0; i < turns && !HasFatalFailure(); ++i) save();
  }

  void expect_found(const std::string& word, const Turn& turn) {
    Recall recall(world_.stores(), *world_.spaces, world_.clock);
    RecallRequest request{Principal::of(turn.user), SessionId::parse("asking").value(), "the " + word};
    request.limit = 5;
    request.candidates = 10;  // of each leg; only this turn and its neighbours have the word
    const auto found = recall.run(request, world_.soon());
    EXPECT_EQ(found.section.mode, RecallMode::kHybrid);
    EXPECT_THAT(found.section.missing, IsEmpty());
    const auto candidate = std::ranges::find(found.receipt.turns, turn.uid, &RecallCandidate::uid);
    ASSERT_NE(candidate, found.receipt.turns.end()) << word;
    EXPECT_TRUE(candidate->lexical) << word;
  }
  void expect_all_found() {
    for (const auto& [word, turn] : saved_) expect_found(word, turn);
  }
  std::vector<std::string> collections() {
    std::vector<std::string> names;
    const auto specs = world_.vectors->collections(world_.soon()).value();
    for (const auto& spec : specs) names.push_back(spec.name);
    return names;
  }
  Result<ReindexReport> move_to(const std::string& model, const Reindexer::Progress& progress = kQuiet) {
    return Reindexer(world_.stores(), *world_.spaces, world_.clock)
        .run(world_.encoder_named(model), progress, Deadline::never());
  }
  // Of all turns that were saved, by `embedder`.
  std::size_t own_vectors(const Embedder& embedder) {
    std::size_t sum = 0;
    for (const auto& [word, turn] : saved_)
      sum += world_.rows->turns().vectors_around(turn.uid, 0, embedder.identity(), world_.soon()).value().size();
    return sum;
  }
  std::string answers() { return world_.spaces->current()->origin.embedder.model; }
  void expect_equal_copies() {
    const auto report = world_.reconciler->run(Apply::kDryRun, [](auto, auto) { return Status(); }, world_.soon());
    ASSERT_TRUE(report) << report.error().to_line();
    for (const auto& difference : report->differences) ADD_FAILURE() << difference.kind << ": " << difference.what;
  }

  World world_{"reindex"};
  int words_ = 0;
  std::map<std::string, Turn> saved_;
};

TEST_F(Reindexing, EverythingIsFoundByTheOtherEncoderAndTheOldPointsAreGone) {
  save(5);
  auto told = world_.record("s1", "Tea is better than coffee", "Noted");
  told.memories.push_back(world_.memory(told.turn, "likes tea"));
  told.research.push_back(world_.research(told.turn, "kettles"));
  ASSERT_TRUE(world_.saver->save(told, world_.soon()));
  ASSERT_TRUE(world_.saver->drain(world_.soon()));

  const auto report = move_to("other words");
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(report->moved);
  EXPECT_EQ(report->from, "words@1 (16 dimensions, analyser 1, form 2)");
  EXPECT_EQ(report->to, "other words@7 (24 dimensions, analyser 1, form 2)");
  EXPECT_EQ(report->turns, 6);
  EXPECT_EQ(report->memories, 1);
  EXPECT_EQ(report->research, 1);
  EXPECT_EQ(answers(), "other words");
  const auto space = world_.spaces->current();
  EXPECT_THAT(collections(), UnorderedElementsAre(space->turns, space->memories, space->research));
  EXPECT_EQ(world_.vectors->count("turns", {}, Principal::system(), world_.soon()).value(), 6) << "an alias";
  expect_all_found();
  expect_equal_copies();
  // Also for the next process.
  ASSERT_TRUE(world_.restart());
  EXPECT_EQ(answers(), "other words");
  expect_all_found();
}

TEST_F(Reindexing, OwnVectorsOfTheFormerEncoderGoWithTheMoveAndNotBefore) {
  save(70);
  const auto stopped = move_to("other words", [&](std::string_view, std::int64_t done, std::int64_t of) -> Status {
    return done < of ? Status() : Status(fail(ErrorCode::kCancelled, "cancelled"));
  });
  ASSERT_FALSE(stopped);
  ASSERT_TRUE(world_.restart());
  EXPECT_EQ(own_vectors(world_.embedder), 70U) << "these answer";
  EXPECT_EQ(own_vectors(world_.other_embedder), 70U) << "a second run needs them";
  ASSERT_TRUE(move_to("other words"));
  EXPECT_EQ(own_vectors(world_.embedder), 0U);
  EXPECT_EQ(own_vectors(world_.other_embedder), 70U);
  save();
  EXPECT_EQ(own_vectors(world_.other_embedder), 71U);
  expect_equal_copies();
}

// It goes on writing into the old points until it has heard of the move.
TEST_F(Reindexing, WhatAnotherProcessWroteAndRemovedMeanwhileIsMadeUpFor) {
  save(6);
  ASSERT_TRUE(world_.saver->drain(world_.soon()));
  world_.reconciler.reset(), world_.forgetting.reset(), world_.saver.reset();
  PointSpaces spaces(world_.spaces->current());
  SaverOptions options;
  options.journal_directory = "/data/other";
  options.owner = "other";
  const auto other = TurnSaver::open(options, world_.stores(), spaces, world_.files, world_.clock).value();
  const Turn gone = saved_.at("ship1");
  auto late = world_.record("s1", "The ship7 is in the harbour", "");
  late.turn.reply.reset();
  const auto meanwhile = [&](std::string_view, std::int64_t done, std::int64_t of) -> Status {
    if (done < of || late.turn.number.value > 0) return {};
    PANDORA_CHECK(other->save(late, world_.soon()));
    PANDORA_TRY(number, other->wait_findable(late.turn.uid, world_.soon()));
    late.turn.number = number;
    PANDORA_CHECK(world_.rows->turns().remove(gone.number, Principal::system(), world_.soon()).map([](auto&&) {}));
    return other->drain(world_.soon());
  };
  const auto follow = [&]() -> Status {
    auto writing = spaces.write();
    writing.set_next(world_.spaces->current());
    writing.switch_to_next();
    return {};
  };
  const auto report = Reindexer(world_.stores(), *world_.spaces, world_.clock, follow)
                          .run(world_.encoder_named("other words"), meanwhile, Deadline::never());
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(report->moved);
  ASSERT_GT(late.turn.number.value, 0);
  ASSERT_TRUE(other->drain(world_.soon()));
  saved_.erase("ship1");
  saved_.emplace("ship7", late.turn);
  expect_all_found();
  EXPECT_EQ(world_.vectors->count("turns", {}, Principal::system(), world_.soon()).value(), 6)
      << "what was removed meanwhile is not there";
}

TEST_F(Reindexing, WhereNothingHasChangedItDoesNothing) {
  save(2);
  const int calls = world_.embedder.calls;
  const auto report = move_to("words");
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_FALSE(report->moved);
  EXPECT_EQ(world_.embedder.calls, calls);
}

TEST_F(Reindexing, ThereAndBackAgain) {
  save(3);
  for (const char* model : {"other words", "words", "other words", "words"}) {
    const auto report = move_to(model);
    ASSERT_TRUE(report) << report.error().to_line();
    EXPECT_TRUE(report->moved);
    EXPECT_EQ(answers(), model);
    expect_all_found();
    save();
  }
  EXPECT_EQ(collections().size(), 3U);
  expect_equal_copies();
}

TEST_F(Reindexing, PointsOfAnOlderFormAndAnalyserAnswerUntilTheyAreMadeAgain) {
  save(3);
  world_.stop();
  {
    const auto rows = SqliteStores::open("/data/pandora.db", world_.vfs.name(), world_.clock);
    ASSERT_TRUE(rows) << rows.error().to_line();
    const auto old = make_point_space({world_.embedder.identity(), kAnalyzerVersion - 1, kPointForm - 1}, "", nullptr);
    ASSERT_TRUE(write_point_space((*rows)->instance(), *old, world_.soon()));
  }
  start();
  expect_all_found();
  save();  // into the old ones
  const auto report = move_to("words");
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(report->moved);
  EXPECT_THAT(report->from, HasSubstr("analyser 0, form 1"));
  EXPECT_EQ(world_.spaces->current()->origin, PointOrigin{world_.embedder.identity()});
  expect_all_found();
  EXPECT_EQ(world_.embedder.calls, 4 + 3 + 4) << "four turns, and questions: no turn is encoded again";
}

// At every step of the walk: what was there is found, what is said is found at once, what is rejected or forgotten is
// not found again afterwards.
TEST_F(Reindexing, MeanwhileNothingIsLostAndWhatIsSaidAndForgottenHoldsAfterwards) {
  save(150);
  int steps = 0;
  std::vector<Turn> rejected, forgotten;
  const auto take = [&](bool first) {
    const auto older = [](const auto& a, const auto& b) { return a.second.number < b.second.number; };
    const auto place = first ? std::min_element(saved_.begin(), saved_.end(), older)
                             : std::max_element(saved_.begin(), saved_.end(), older);
    Turn turn = place->second;
    saved_.erase(place);
    return turn;
  };
  const auto report = move_to("other words", [&](std::string_view, std::int64_t, std::int64_t) -> Status {
    ++steps;
    EXPECT_EQ(answers(), "words");
    save();
    // One that the walk has passed, and one that it has not.
    for (const bool first : {true, false}) {
      forgotten.push_back(take(first));
      EXPECT_TRUE(
          world_.forgetting->forget_turn(forgotten.back().number, Principal::of(forgotten.back().user), world_.soon()));
      rejected.push_back(take(first));
      EXPECT_TRUE(world_.rows->turns().change(rejected.back().number, {.rejected = true},
                                              Principal::of(rejected.back().user), world_.soon()));
    }
    EXPECT_TRUE(world_.saver->drain(world_.soon()));
    for (int i = 0; i < 5; ++i) expect_found(saved_.begin()->first, saved_.begin()->second);
    save();
    return {};
  });
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_GE(steps, 3);
  EXPECT_EQ(answers(), "other words");
  expect_all_found();
  const auto space = world_.spaces->current();
  for (const auto& turn : forgotten) {
    const Uuid point = turn_point_id(turn.uid);
    EXPECT_THAT(world_.vectors->retrieve(space->turns, {&point, 1}, Principal::system(), world_.soon()).value(),
                IsEmpty());
  }
  for (const auto& turn : rejected) {
    const Uuid point = turn_point_id(turn.uid);
    const auto kept = world_.vectors->retrieve(space->turns, {&point, 1}, Principal::system(), world_.soon()).value();
    ASSERT_EQ(kept.size(), 1U);
    EXPECT_EQ(kept.front().payload.at("rejected"), PayloadValue(true));
  }
  expect_equal_copies();
}

TEST_F(Reindexing, QueriesInAnotherThreadNeverFailNorMissWhatWasThere) {
  save(70);
  const auto known = saved_;
  std::atomic<bool> ended = false;
  std::atomic<int> asked = 0;
  std::thread reader([&] {
    for (auto at = known.begin(); !ended; ++asked) {
      expect_found(at->first, at->second);
      if (++at == known.end()) at = known.begin();
      std::this_thread::yield();
    }
  });
  for (const char* model : {"other words", "words"}) {
    const auto report = move_to(model, [&](std::string_view, std::int64_t, std::int64_t) -> Status {
      const int before = asked;
      while (asked < before + 4) std::this_thread::yield();  // it is under way
      save();
      return {};
    });
    EXPECT_TRUE(report) << report.error().to_line();
  }
  ended = true;
  reader.join();
  expect_all_found();
}

TEST_F(Reindexing, AQueryThatBeganWithTheOldPointsEndsOnThem) {
  save(3);
  auto held = world_.spaces->current();
  const std::string old = held->turns;
  std::thread mover([&] {
    const auto report = move_to("other words");
    EXPECT_TRUE(report) << report.error().to_line();
  });
  while (answers() != "other words") std::this_thread::yield();
  PointQuery query{.vector = "", .nearest = std::vector<float>(16, 0.25F), .filter = {}, .limit = 10};
  EXPECT_EQ(world_.vectors->query(old, query, Principal::system(), world_.soon()).value().size(), 3U);
  held.reset();
  mover.join();
  EXPECT_EQ(collections().size(), 3U);
  EXPECT_EQ(world_.vectors->query(old, query, Principal::system(), world_.soon()).error().code,
            ErrorCode::kInvalidArgument)
      << "the plain name stands for the new ones, which have other dimensions";
}

TEST_F(Reindexing, OneAtATime) {
  save(2);
  bool asked = false;
  const auto report = move_to("other words", [&](std::string_view, std::int64_t, std::int64_t) -> Status {
    if (asked) return {};
    asked = true;
    const auto second = move_to("other words");
    EXPECT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    return {};
  });
  EXPECT_TRUE(report) << report.error().to_line();
  EXPECT_TRUE(asked);
}

TEST_F(Reindexing, WhenItIsStoppedNothingHasChangedAndNoTurnIsEncodedTwice) {
  save(70);
  const auto stopped = move_to("other words", [](std::string_view, std::int64_t done, std::int64_t of) -> Status {
    return done < of ? Status() : Status(fail(ErrorCode::kCancelled, "cancelled"));
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(answers(), "words");
  EXPECT_THAT(collections(), UnorderedElementsAre("turns", "memories", "research"));
  expect_all_found();
  save();
  const int calls = world_.other_embedder.calls;
  const auto again = move_to("other words");
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(world_.other_embedder.calls, calls + 1) << "for the turn that came after";
  expect_all_found();
}

TEST_F(Reindexing, AnEncoderThatFailsEndsItAndTheOldPointsAnswer) {
  save(70);
  int steps = 0;
  const auto failed = move_to("other words", [&](std::string_view, std::int64_t, std::int64_t) -> Status {
    if (++steps == 1) {
      world_.other_embedder.down = true;
      save();  // findable, although the new points lack it
    }
    return {};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(answers(), "words");
  EXPECT_EQ(collections().size(), 3U);
  expect_all_found();
  world_.other_embedder.down = false;
  const auto again = move_to("other words");
  ASSERT_TRUE(again) << again.error().to_line();
  expect_all_found();
}

TEST(ReindexCrash, AfterAnyPowerCutOneOfBothAnswersWholeAndASecondRunEnds) {
  constexpr std::uint64_t kRuns = 60;
  int moved = 0, stayed = 0, left_behind = 0;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    World world("reindex crash");
    ASSERT_TRUE(world.start());
    std::vector<Uuid> turns, points;
    for (int i = 0; i < 5; ++i) {
      const auto record = world.record("s" + std::to_string(i % 2), "Message " + std::to_string(i), "Reply");
      ASSERT_TRUE(world.saver->save(record, world.soon()));
      turns.push_back(record.turn.uid);
      points.push_back(turn_point_id(record.turn.uid));
    }
    ASSERT_TRUE(world.saver->checkpoint(world.soon()));
    const auto run = [&] {
      return Reindexer(world.stores(), *world.spaces, world.clock)
          .run(world.encoder_named("other words"), kQuiet, world.soon());
    };
    world.files.die_after(random.below(120));
    const bool ended = run().has_value();
    world.crash(random);
    const Status started = world.start();
    ASSERT_TRUE(started) << started.error().to_line();
    auto space = world.spaces->current();
    const bool has_moved = space->origin.embedder.model == "other words";
    EXPECT_TRUE(has_moved || !ended);
    (has_moved ? moved : stayed)++;
    const auto found = world.vectors->retrieve(space->turns, points, Principal::system(), world.soon());
    ASSERT_TRUE(found) << found.error().to_line();
    EXPECT_EQ(found->size(), points.size());
    for (const auto& point : *found) EXPECT_EQ(point.dense.at("").size(), space->origin.embedder.dimension);
    for (const Uuid& turn : turns) {
      const auto of_before =
          world.rows->turns().vectors_around(turn, 0, world.embedder.identity(), world.soon()).value();
      EXPECT_EQ(of_before.size(), has_moved ? 0U : 1U);
    }
    space.reset();  // whoever holds it holds up the drop
    EXPECT_EQ(world.vectors->collections(world.soon()).value().size(), 3U) << "what was half made is gone";
    left_behind += ended ? 0 : 1;
    const auto again = run();
    ASSERT_TRUE(again) << again.error().to_line();
    EXPECT_EQ(again->moved, !has_moved);
    EXPECT_EQ(world.vectors->count("turns", {}, Principal::system(), world.soon()).value(), 5);
    world.stop();
  }
  EXPECT_GT(moved, 0);
  EXPECT_GT(stayed, 0);
  EXPECT_GT(left_behind, 0);
}

}  // namespace
}  // namespace pandora
