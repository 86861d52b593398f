// TextSearch.
#include <algorithm>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

class TextSearchContract : public RowsContract {
 protected:
  // With words: they come with a vector of the turn's own.
  Turn said(const std::string& message, const std::string& session = "s", std::optional<Principal> who = {}) {
    TurnRecord one = record(session, message, who.value_or(ana));
    one.turn.reply.reset();
    const Turn turn = commit(one);
    give_words(turn);
    return turn;
  }
  void give_words(const Turn& turn) {
    ASSERT_TRUE(rows->turns().put_vector(turn.uid, {"encoder", "1", 1}, std::vector{1.0F}, kNever));
  }
  TextMatches found(TextQuery query, std::optional<Principal> who = {}) {
    return rows->texts()->turns(query, who.value_or(ana), kNever).value();
  }
  std::vector<Uuid> found(const std::vector<std::string>& terms) { return found(TextQuery{.terms = terms}).turns; }
};
using Uids = std::vector<Uuid>;
using Counts = std::vector<std::int64_t>;

TEST_P(TextSearchContract, TheTurnWithTheRarestWordsComesFirstAndOfEqualOnesTheLatest) {
  const Turn common = said("tea"), rare = said("a kettle"), both = said("tea out of a kettle"), again = said("tea");
  const Turn none = said("biscuits");
  rows->reopen();
  const TextMatches matches = found(TextQuery{.terms = {"tea", "kettl", "dragon"}});
  EXPECT_EQ(matches.turns, (Uids{both.uid, rare.uid, again.uid, common.uid}));
  EXPECT_EQ(matches.with_term, (Counts{3, 2, 0}));
  EXPECT_EQ(matches.turns_in_all, 5);
}

TEST_P(TextSearchContract, ReplyAndWhoeverSpeaksCountAsWords) {
  TurnRecord one = record("s", "good morning");
  one.turn.message.name = "Bruno";
  one.turn.reply = Utterance{Role::kAssistant, "", "the lighthouse is closed"};
  const Turn turn = commit(one);
  give_words(turn);
  EXPECT_EQ(found({"lighthous"}), Uids{turn.uid});
  EXPECT_EQ(found({"bruno"}), Uids{turn.uid});
}

TEST_P(TextSearchContract, OneUsersTurnsAreNeitherFoundNorCountedForAnother) {
  const Turn mine = said("a kettle");
  const Turn theirs = said("a kettle", "s", bea);
  const TextMatches matches = found(TextQuery{.terms = {"kettl"}});
  EXPECT_EQ(matches.turns, Uids{mine.uid});
  EXPECT_EQ(matches.with_term, Counts{1});
  EXPECT_EQ(matches.turns_in_all, 1);
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}}, bea).turns, Uids{theirs.uid});
}

TEST_P(TextSearchContract, RejectedTurnsAreNotFoundAndForgottenOnesNotEvenCounted) {
  const Turn kept = said("a kettle"), rejected = said("a kettle"), gone = said("a kettle");
  ASSERT_TRUE(rows->turns().change(rejected.number, {.rejected = true}, ana, kNever));
  ASSERT_TRUE(rows->turns().remove(gone.number, ana, kNever));
  const TextMatches matches = found(TextQuery{.terms = {"kettl"}});
  EXPECT_EQ(matches.turns, Uids{kept.uid});
  EXPECT_EQ(matches.with_term, Counts{2});
  EXPECT_EQ(matches.turns_in_all, 2);
}

TEST_P(TextSearchContract, ATurnThatIsRewrittenIsFoundByItsNewWordsOnceItHasThem) {
  Turn turn = said("a kettle");
  turn.message.text = "a teapot";
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  ASSERT_TRUE(rows->turns().rewrite(turn, ana, kNever));
  EXPECT_TRUE(found({"kettl"}).empty());
  give_words(turn);
  EXPECT_TRUE(found({"kettl"}).empty());
  EXPECT_EQ(found({"teapot"}), Uids{turn.uid});
}

TEST_P(TextSearchContract, ASessionAndATimeNarrowWhatIsFoundButNotWhatIsCounted) {
  const Turn early = said("a kettle", "one");
  clock.advance(std::chrono::hours(1));
  const Timestamp middle = clock.now();
  const Turn between = said("a kettle", "two");
  clock.advance(std::chrono::hours(1));
  const Timestamp end = clock.now();
  const Turn late = said("a kettle", "one");
  const TextMatches of_session = found(TextQuery{.terms = {"kettl"}, .session = session_id("one")});
  EXPECT_EQ(of_session.turns, (Uids{late.uid, early.uid}));
  EXPECT_EQ(of_session.with_term, Counts{3});
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}, .from = middle, .to = end}).turns, Uids{between.uid});
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}, .from = end}).turns, Uids{late.uid});
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}, .to = middle}).turns, Uids{early.uid});
}

TEST_P(TextSearchContract, ATermIsTakenAsItIsWhateverSignsItHas) {
  const Turn turn = said("C++ in a kettle");
  EXPECT_EQ(found({"c++"}), Uids{turn.uid});
  for (const char* term : {"kett:*", "kettl | tea", "kettl & c++", "!tea", "'kettl'", "\\", "'", "kettl:A", "<->", " "})
    EXPECT_TRUE(found({term}).empty()) << term;
  EXPECT_EQ(found({"it's", "\\'", "kettl"}), Uids{turn.uid});
}

TEST_P(TextSearchContract, WithoutTermsNothingIsFoundAndEverythingCounted) {
  (void)said("a kettle");
  (void)commit("s", "no words yet");
  const TextMatches matches = found(TextQuery{});
  EXPECT_TRUE(matches.turns.empty());
  EXPECT_TRUE(matches.with_term.empty());
  EXPECT_EQ(matches.turns_in_all, 2);
}

TEST_P(TextSearchContract, TermsPastTheMostAreNotLookedAt) {
  const Turn turn = said("a kettle");
  std::vector<std::string> terms;
  while (terms.size() + 1 < kMaxTextTerms) terms.push_back("word" + std::to_string(terms.size()));
  terms.emplace_back("kettl");
  EXPECT_EQ(found(terms), Uids{turn.uid});
  terms.insert(terms.begin(), "one");
  const TextMatches matches = found(TextQuery{.terms = terms});
  EXPECT_TRUE(matches.turns.empty());
  EXPECT_EQ(matches.with_term, Counts(kMaxTextTerms + 1, 0));
}

TEST_P(TextSearchContract, NoMoreTurnsAreGivenThanAreWantedNorEverMoreThanTheMost) {
  Uids all;
  for (std::size_t i = 0; i <= kMaxTextMatches; ++i) all.insert(all.begin(), said("a kettle").uid);
  const auto first = [&](std::size_t n) { return Uids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)); };
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}, .limit = 3}).turns, first(3));
  EXPECT_EQ(found(TextQuery{.terms = {"kettl"}, .limit = kMaxTextMatches + 1}).turns, first(kMaxTextMatches));
  EXPECT_TRUE(found(TextQuery{.terms = {"kettl"}, .limit = 0}).turns.empty());
}

TEST_P(TextSearchContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  EXPECT_EQ(error_of(rows->texts()->turns({.terms = {"kettl"}}, ana, passed())), ErrorCode::kDeadlineExceeded);
}

INSTANTIATE_TEST_SUITE_P(Rows, TextSearchContract, ::testing::ValuesIn(factories_that_find_words()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace pandora::testing
