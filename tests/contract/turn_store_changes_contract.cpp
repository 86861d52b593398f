// TurnStore: change, rewrite, remove; vectors.
#include <algorithm>
#include <iterator>
#include <map>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

class TurnStoreChangesContract : public RowsContract {
 protected:
  TurnStore& turns() { return rows->turns(); }
  Turn found(const Turn& turn) { return turns().find(turn.number, ana, kNever).value(); }
  std::vector<TurnVector> vectors(const Turn& turn, int radius, const EmbedderIdentity& embedder) {
    return turns().vectors_around(turn.uid, radius, embedder, kNever).value();
  }
  Status put(const Turn& turn, const EmbedderIdentity& embedder, const std::vector<float>& vector) {
    return turns().put_vector(turn.uid, embedder, vector, kNever);
  }
  const EmbedderIdentity words{"words", "1", 2};
};

// Beside a plain recount of what each row should say.
TEST_P(TurnStoreChangesContract, WhateverComesChangesAndGoesTurnsAndTheirKeywordsAreCountedAsTheyAre) {
  constexpr int kSteps = 400;
  const std::vector<std::string> vocabulary = {"tea", "Tea", "cup", "caf\xC3\xA9", "\xE8\x8C\xB6", "a_b", "%", "x y"};
  std::map<Uuid, Turn> there;
  const auto some_words = [&] {
    std::vector<std::string> some;
    for (std::uint64_t n = random.below(4); n > 0; --n) some.push_back(vocabulary[random.below(vocabulary.size())]);
    return some;
  };
  const auto any = [&]() -> Turn& {
    return std::next(there.begin(), static_cast<std::ptrdiff_t>(random.below(there.size())))->second;
  };
  const auto expect_recounted = [&](const Principal& who) {
    std::vector<std::int64_t> expected(vocabulary.size());
    std::int64_t count = 0;
    for (const auto& [uid, turn] : there) {
      if (turn.user != who.user) continue;
      ++count;
      for (std::size_t i = 0; i < vocabulary.size(); ++i)
        expected[i] += std::ranges::count(turn.keywords, vocabulary[i]) > 0;
    }
    ASSERT_EQ(turns().count(who, kNever).value(), count);
    ASSERT_EQ(turns().keyword_counts(vocabulary, who, kNever).value(), expected);
  };
  for (int step = 0; step < kSteps; ++step) {
    SCOPED_TRACE(step);
    const std::uint64_t what = there.size() < 8 ? 0 : random.below(8);
    const Principal& who = random.below(3) == 0 ? bea : ana;
    if (what < 3) {
      TurnRecord one = record("s" + std::to_string(random.below(3)), std::to_string(step), who);
      one.turn.keywords = some_words();
      if (random.below(4) == 0) one.memories = {memory("of " + std::to_string(step), who)};
      const Turn turn = commit(one);
      there[turn.uid] = turn;
      if (random.below(4) == 0) {  // again, and by then it would say something else: the first counts
        one.turn.keywords = some_words();
        ASSERT_TRUE(turns().commit_turn(one, who, kNever));
      }
    } else if (what < 5) {
      Turn& turn = any();
      turn.keywords = some_words();
      ASSERT_TRUE(turns().rewrite(turn, everyone, kNever));
    } else if (what < 6) {
      Turn& turn = any();
      turn.rejected = !turn.rejected;
      ASSERT_TRUE(turns().change(turn.number, {.rejected = turn.rejected}, everyone, kNever));
    } else {
      const Turn gone = any();
      ASSERT_TRUE(turns().remove(gone.number, everyone, kNever));
      there.erase(gone.uid);
    }
    if (step % 8 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_recounted(ana));
    ASSERT_NO_FATAL_FAILURE(expect_recounted(bea));
  }
  rows->reopen();
  expect_recounted(ana);
  expect_recounted(bea);
}

// ── change ──

TEST_P(TurnStoreChangesContract, WhatIsSetInAChangeIsChangedAndNothingElse) {
  Turn turn = commit("s", "one");
  turn.rejected = true;
  EXPECT_EQ(turns().change(turn.number, {.rejected = true}, ana, kNever).value(), turn);
  turn.quality = 0.75;
  EXPECT_EQ(turns().change(turn.number, {.quality = 0.75}, ana, kNever).value(), turn);
  turn.archived = true;
  EXPECT_EQ(turns().change(turn.number, {.archived = true}, ana, kNever).value(), turn);
  EXPECT_EQ(turns().change(turn.number, {}, ana, kNever).value(), turn);
  rows->reopen();
  EXPECT_EQ(found(turn), turn);
  turn.rejected = turn.archived = false;
  EXPECT_EQ(turns().change(turn.number, {.rejected = false, .archived = false}, everyone, kNever).value(), turn);
  EXPECT_EQ(found(turn), turn);
}

TEST_P(TurnStoreChangesContract, AChangeAsksForDirectoryAndPoint) {
  const auto all = conversation("s", 4, ana);
  take_outbox();
  ASSERT_TRUE(turns().change(all[1].number, {.quality = 1, .archived = true}, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_turn(all[1])));
  ASSERT_TRUE(turns().change(all[1].number, {.rejected = true}, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_turn(all[1])));
  ASSERT_TRUE(turns().change(all[1].number, {.rejected = false}, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_turn(all[1])));
}

TEST_P(TurnStoreChangesContract, AChangeOfAnotherUsersTurnOrToAnImpossibleQualityChangesNothing) {
  const Turn turn = commit("s", "one");
  take_outbox();
  EXPECT_EQ(error_of(turns().change(turn.number, {.rejected = true}, bea, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().change({99}, {.rejected = true}, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().change(turn.number, {.rejected = true, .quality = 1.01}, ana, kNever)),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of(turns().change(turn.number, {.quality = -0.01}, ana, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(found(turn), turn);
  EXPECT_TRUE(take_outbox().empty());
}

// ── rewrite ──

TEST_P(TurnStoreChangesContract, ARewriteReplacesTheRowAndAsksForDirectoryAndPoint) {
  const auto all = conversation("s", 3, ana);
  ASSERT_TRUE(put(all[1], words, {1, 2}));
  ASSERT_TRUE(put(all[2], words, {3, 4}));
  take_outbox();
  Turn changed = all[1];
  changed.message.text = "[forgotten]";
  changed.reply.reset();
  changed.topic = "another";
  changed.quality = 0;
  changed.rejected = true;
  changed.content_sha256 = "0123";
  ASSERT_TRUE(turns().rewrite(changed, ana, kNever));
  EXPECT_EQ(take_outbox(), sorted(of_turn(changed)));
  rows->reopen();
  EXPECT_EQ(found(changed), changed);
  EXPECT_EQ(turns().find_content("0123", changed.session, ana, kNever).value(), changed.number);
  EXPECT_EQ(turns().find_content(all[1].content_sha256, changed.session, ana, kNever).value(), std::nullopt);
  const auto left = vectors(changed, 2, words);
  ASSERT_EQ(left.size(), 1U) << "its own vector was of other words";
  EXPECT_EQ(left[0].uid, all[2].uid);
}

TEST_P(TurnStoreChangesContract, ARewriteKeepsNumberSessionAndUser) {
  const Turn turn = commit("s", "one"), other = commit("s", "two");
  const Turn theirs = commit(record("s", "theirs", bea));
  take_outbox();
  Turn renumbered = turn;
  renumbered.number = {99};
  EXPECT_EQ(error_of(turns().rewrite(renumbered, ana, kNever)), ErrorCode::kConflict);
  renumbered.number = other.number;
  EXPECT_EQ(error_of(turns().rewrite(renumbered, ana, kNever)), ErrorCode::kConflict);
  Turn moved = turn;
  moved.session = session_id("t");
  EXPECT_EQ(error_of(turns().rewrite(moved, ana, kNever)), ErrorCode::kConflict);
  Turn given_away = turn;
  given_away.user = bea.user;
  EXPECT_EQ(error_of(turns().rewrite(given_away, everyone, kNever)), ErrorCode::kConflict);
  Turn unknown = turn;
  unknown.uid = ids.next();
  EXPECT_EQ(error_of(turns().rewrite(unknown, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().rewrite(theirs, ana, kNever)), ErrorCode::kNotFound);
  Turn impossible = turn;
  impossible.quality = 2;
  EXPECT_EQ(error_of(turns().rewrite(impossible, ana, kNever)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(found(turn), turn);
  EXPECT_EQ(found(other), other);
  EXPECT_EQ(turns().find(theirs.number, bea, kNever).value(), theirs);
  EXPECT_TRUE(take_outbox().empty());
  EXPECT_TRUE(turns().rewrite(theirs, everyone, kNever));
}

TEST_P(TurnStoreChangesContract, ARewriteOfWhatWasChangedMeanwhileIsRefused) {
  const Turn was = commit("s", "one");
  ASSERT_TRUE(turns().change(was.number, {.rejected = true}, ana, kNever));
  take_outbox();
  Turn other = was;
  other.topic = "another";
  EXPECT_EQ(error_of(turns().rewrite(other, ana, kNever, &was)), ErrorCode::kConflict);
  EXPECT_TRUE(found(was).rejected);
  EXPECT_TRUE(take_outbox().empty());
  const Turn now = found(was);
  ASSERT_TRUE(turns().rewrite(other, ana, kNever, &now));
  EXPECT_EQ(found(was), other);
}

// ── remove ──

TEST_P(TurnStoreChangesContract, RemovingATurnTakesAllThatHangsOnIt) {
  const auto before = conversation("s", 3, ana);
  TurnRecord told = record("s", "told");
  told.memories = {memory("from it"), memory("kept")};
  told.memories[0].source_turn = told.turn.uid;
  told.research = {research("from it"), research("kept")};
  told.research[0].source_turn = told.turn.uid;
  told.fetches = {{"example.com", clock.now(), true, ""}};
  told.observations = {observation(told.turn.uid, "one"), observation(told.turn.uid, "two")};
  const Turn turn = commit(told);
  const Turn after = commit("s", "after");
  Memory later = memory("from it, later");
  later.source_turn = turn.uid;
  ASSERT_TRUE(rows->memories().put(later, {}, ana, kNever));
  ASSERT_TRUE(rows->observations().add({observation(turn.uid, "three"), observation(after.uid, "kept")}, kNever));
  ASSERT_TRUE(put(turn, words, {1, 2}));
  take_outbox();

  const RemovedTurn removed = turns().remove(turn.number, ana, kNever).value();
  EXPECT_EQ(removed.turn, turn);
  EXPECT_EQ(removed.memories, (std::vector{told.memories[0].id, later.id}));
  EXPECT_EQ(removed.research, std::vector{told.research[0].id});
  EXPECT_EQ(removed.observations, 3);
  EXPECT_EQ(removed.neighbours, (std::vector{before[2].uid, after.uid, before[1].uid}));
  auto expected = joined(of_turn(turn), {point_of(before[1]), point_of(before[2]), point_of(after)});
  expected = joined(expected, joined(of_memory(told.memories[0].id), of_memory(later.id)));
  expected = joined(expected, of_research(told.research[0].id));
  EXPECT_EQ(take_outbox(), sorted(expected));

  rows->reopen();
  EXPECT_EQ(error_of(turns().find(turn.number, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().neighbours(turn.uid, 1, ana, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(turns().vectors_around(turn.uid, 1, words, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(numbers_of(turns().list({}, ana, kNever).value()), (std::vector<std::int64_t>{5, 3, 2, 1}));
  EXPECT_EQ(rows->memories().list({}, ana, kNever).value(), std::vector{told.memories[1]});
  EXPECT_EQ(rows->research().list({}, ana, kNever).value(), std::vector{told.research[1]});
  const auto observations = rows->observations().list({}, ana, kNever).value();
  ASSERT_EQ(observations.size(), 1U);
  EXPECT_EQ(observations[0].observation.name, "kept");
  EXPECT_EQ(rows->sources().find("example.com", clock.now(), kNever).value().successes, 1) << "of the installation";
}

TEST_P(TurnStoreChangesContract, WhatIsNotOnesOwnOrGoneAlreadyIsNotRemoved) {
  TurnRecord told = record("s", "told");
  told.memories = {memory("from it")};
  told.memories[0].source_turn = told.turn.uid;
  const Turn turn = commit(told);
  EXPECT_EQ(error_of(turns().remove(turn.number, bea, kNever)), ErrorCode::kNotFound);
  EXPECT_EQ(found(turn), turn);
  EXPECT_EQ(rows->memories().list({}, ana, kNever).value().size(), 1U);
  ASSERT_TRUE(turns().remove(turn.number, everyone, kNever));
  EXPECT_EQ(error_of(turns().remove(turn.number, everyone, kNever)), ErrorCode::kNotFound);
}

TEST_P(TurnStoreChangesContract, WhatARemovedMemorySupersededStaysSuperseded) {
  const Memory old = memory("red");
  ASSERT_TRUE(rows->memories().put(old, {}, ana, kNever));
  TurnRecord told = record("s", "green");
  const Turn turn = commit(told);
  Memory newer = memory("green");
  newer.source_turn = turn.uid;
  ASSERT_TRUE(rows->memories().put(newer, {{old.id}}, ana, kNever));
  ASSERT_TRUE(turns().remove(turn.number, ana, kNever));
  EXPECT_EQ(rows->memories().find(old.id, ana, kNever).value().superseded_by, newer.id);
  EXPECT_TRUE(rows->memories().list({}, ana, kNever).value().empty());
}

// ── vectors ──

TEST_P(TurnStoreChangesContract, VectorsComeBackAsTheyWereInTheOrderOfTheNeighbours) {
  const auto all = conversation("s", 4, ana);
  const Turn elsewhere = commit("t", "elsewhere");
  const Turn theirs = commit(record("s", "theirs", bea));
  ASSERT_TRUE(put(all[0], words, {0.1F, -0.0F}));
  ASSERT_TRUE(put(all[1], words, {9, 9}));
  ASSERT_TRUE(put(all[1], words, {1e-30F, 2}));  // replaces
  ASSERT_TRUE(put(all[3], words, {3, 3}));
  ASSERT_TRUE(put(elsewhere, words, {4, 4}));
  ASSERT_TRUE(put(theirs, words, {5, 5}));
  rows->reopen();
  const auto around = vectors(all[1], 2, words);
  ASSERT_EQ(around.size(), 3U) << "turn 3 has none and is left out";
  EXPECT_EQ(around[0].uid, all[1].uid);
  EXPECT_EQ(around[0].distance, 0);
  EXPECT_EQ(around[0].vector, (std::vector<float>{1e-30F, 2}));
  EXPECT_EQ(around[1].uid, all[0].uid);
  EXPECT_EQ(around[1].distance, 1);
  EXPECT_EQ(around[1].vector, (std::vector<float>{0.1F, -0.0F}));
  EXPECT_EQ(around[2].uid, all[3].uid);
  EXPECT_EQ(around[2].distance, 2);
  EXPECT_EQ(vectors(all[1], 0, words).size(), 1U);
  EXPECT_TRUE(vectors(all[2], 0, words).empty());
}

TEST_P(TurnStoreChangesContract, VectorsOfAnotherEmbedderStandApart) {
  const Turn turn = commit("s", "one");
  const EmbedderIdentity revised{"words", "2", 2}, wider{"words", "1", 3};
  ASSERT_TRUE(put(turn, words, {1, 2}));
  EXPECT_TRUE(vectors(turn, 0, revised).empty());
  EXPECT_TRUE(vectors(turn, 0, wider).empty());
  ASSERT_TRUE(put(turn, revised, {3, 4}));
  EXPECT_EQ(vectors(turn, 0, words).at(0).vector, (std::vector<float>{1, 2}));
  EXPECT_EQ(vectors(turn, 0, revised).at(0).vector, (std::vector<float>{3, 4}));
}

TEST_P(TurnStoreChangesContract, VectorsOfOtherEmbeddersAreDroppedPieceByPiece) {
  auto all = conversation("s", 4, ana);
  all.push_back(commit(record("s", "theirs", bea)));
  const Turn without = commit("t", "has none");
  const EmbedderIdentity revised{"words", "2", 2}, other{"others", "1", 3};
  for (const Turn& turn : all) {
    ASSERT_TRUE(put(turn, words, {1, 2}));
    ASSERT_TRUE(put(turn, other, {5, 6, 7}));
  }
  for (const Turn& turn : {all[0], all[1], all[4]}) ASSERT_TRUE(put(turn, revised, {3, 4}));
  std::ranges::sort(all, {}, &Turn::uid);
  const auto drop = [&](const std::optional<Uuid>& after, std::size_t limit) {
    return turns().drop_other_vectors(revised, after, limit, kNever).value();
  };
  EXPECT_EQ(drop({}, 0), std::nullopt) << "nothing was looked at";
  EXPECT_EQ(vectors(all[0], 0, words).size(), 1U);
  EXPECT_EQ(drop({}, 2), all[1].uid);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(vectors(all[i], 0, words).size(), i < 2 ? 0U : 1U) << i;
    EXPECT_EQ(vectors(all[i], 0, other).size(), i < 2 ? 0U : 1U) << i;
  }
  EXPECT_EQ(drop(all[1].uid, kMaxPage + 1), all[4].uid);
  EXPECT_EQ(drop(all[4].uid, 1), std::nullopt);
  rows->reopen();
  std::size_t kept = 0;
  for (const Turn& turn : all) {
    EXPECT_TRUE(vectors(turn, 0, words).empty());
    EXPECT_TRUE(vectors(turn, 0, other).empty());
    kept += vectors(turn, 0, revised).size();
  }
  EXPECT_EQ(kept, 3U);
  EXPECT_TRUE(vectors(without, 0, words).empty());
  EXPECT_TRUE(drop({}, 10)) << "again does no harm";
  for (const Turn& turn : all) kept -= vectors(turn, 0, revised).size();
  EXPECT_EQ(kept, 0U);
}

TEST_P(TurnStoreChangesContract, AVectorNeedsItsTurnAndItsEmbeddersDimension) {
  const Turn turn = commit("s", "one");
  Turn unknown = turn;
  unknown.uid = ids.next();
  EXPECT_EQ(error_of(put(unknown, words, {1, 2})), ErrorCode::kNotFound);
  EXPECT_EQ(error_of(put(turn, words, {1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of(put(turn, words, {1, 2, 3})), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(vectors(turn, 0, words).empty());
  EXPECT_EQ(error_of(turns().vectors_around(unknown.uid, 2, words, kNever)), ErrorCode::kNotFound);
}

TEST_P(TurnStoreChangesContract, AVectorOfWordsThatWereChangedMeanwhileIsRefused) {
  const Turn old = commit("s", "one");
  const std::vector<float> vector = {1, 2};
  const auto kept = [&](const Turn& of) { return turns().put_vector(of.uid, words, vector, kNever, &of); };
  for (const auto& change : std::vector<std::function<void(Turn&)>>{
           [](Turn& turn) { turn.message.text = "other"; }, [](Turn& turn) { turn.message.name = "Zoe"; },
           [](Turn& turn) { turn.reply->text = "other"; }, [](Turn& turn) { turn.model = "another"; }}) {
    Turn changed = old;
    change(changed);
    ASSERT_TRUE(turns().rewrite(changed, ana, kNever));
    EXPECT_EQ(error_of(kept(old)), std::optional(ErrorCode::kConflict));
    EXPECT_TRUE(vectors(old, 0, words).empty());
    ASSERT_TRUE(kept(changed));
    EXPECT_EQ(vectors(old, 0, words).size(), 1U);
  }
  Turn asked_otherwise = old;
  asked_otherwise.question = "What else?";
  asked_otherwise.rejected = true;
  ASSERT_TRUE(turns().rewrite(asked_otherwise, ana, kNever));
  ASSERT_TRUE(kept(old)) << "the words are the same";
  EXPECT_EQ(vectors(old, 0, words).size(), 1U);
}

TEST_P(TurnStoreChangesContract, ARemovedTurnLeavesNoVectorForTheNextOneOfItsUid) {
  TurnRecord told = record("s", "one");
  const Turn turn = commit(told);
  ASSERT_TRUE(put(turn, words, {1, 2}));
  ASSERT_TRUE(turns().remove(turn.number, ana, kNever));
  const Turn again = commit(told);
  EXPECT_GT(again.number, turn.number);
  EXPECT_TRUE(vectors(again, 0, words).empty());
}

INSTANTIATE_ROWS_CONTRACT(TurnStoreChangesContract);

}  // namespace
}  // namespace pandora::testing
