// AttemptLog, TurnVectorLog: what a move between stores carries besides the rows.
#include <algorithm>
#include <cstring>

#include "contract/rows_contract.h"

namespace pandora::testing {
namespace {

class AttemptLogContract : public RowsContract {
 protected:
  AttemptLog& log() { return rows->attempts(); }
  using Attempts = std::vector<SourceAttempt>;
  Attempts listed() { return log().list(kNever).value(); }
  void fetch(const std::string& domain, bool ok) {
    ASSERT_TRUE(rows->sources().record({domain, clock.now(), ok, ""}, kNever));
  }
};

TEST_P(AttemptLogContract, EveryAttemptIsListedByDomainAndTime) {
  EXPECT_TRUE(listed().empty());
  const Timestamp first = clock.now();
  fetch("b.example", true);
  fetch("a.example", true);
  fetch("a.example", false);
  clock.advance(Duration(1));
  fetch("a.example", true);
  fetch("a.example", true);  // twice the same is two
  rows->reopen();
  EXPECT_EQ(listed(), (Attempts{{"a.example", first, false},
                                {"a.example", first, true},
                                {"a.example", clock.now(), true},
                                {"a.example", clock.now(), true},
                                {"b.example", first, true}}));
}

TEST_P(AttemptLogContract, ThoseThatAreGivenReplaceAllOthersAndCountForTheirSources) {
  fetch("a.example", true);
  fetch("b.example", false);
  (void)take_outbox();
  clock.advance(std::chrono::hours(1));
  const Attempts given = {{"a.example", clock.now(), false}, {"a.example", clock.now(), false}};
  ASSERT_TRUE(log().replace(given, kNever));
  rows->reopen();
  EXPECT_EQ(listed(), given);
  const Source a = rows->sources().find("a.example", clock.now(), kNever).value();
  EXPECT_EQ(a.recent_successes, 0);
  EXPECT_EQ(a.recent_failures, 2);
  EXPECT_EQ(a.successes, 1);  // of the row, which is not theirs
  EXPECT_EQ(rows->sources().find("b.example", clock.now(), kNever).value().recent_failures, 0);
  EXPECT_TRUE(take_outbox().empty());
  ASSERT_TRUE(log().replace({}, kNever));
  EXPECT_TRUE(listed().empty());
}

TEST_P(AttemptLogContract, OneOfADomainWithoutARowLeavesEverythingAsItWas) {
  fetch("a.example", true);
  const Attempts before = listed();
  EXPECT_EQ(error_of(log().replace({{"a.example", clock.now(), false}, {"nobody.example", clock.now(), true}}, kNever)),
            ErrorCode::kConflict);
  EXPECT_EQ(listed(), before);
}

TEST_P(AttemptLogContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  fetch("a.example", true);
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(error_of(log().list(passed())), late);
  EXPECT_EQ(error_of(log().replace({}, passed())), late);
  EXPECT_EQ(listed().size(), 1U);
}

INSTANTIATE_ROWS_CONTRACT(AttemptLogContract);

class TurnVectorLogContract : public RowsContract {
 protected:
  static constexpr std::size_t kAll = 1'000;
  TurnVectorLog& log() { return rows->turn_vectors(); }
  std::vector<std::pair<Uuid, std::string>> listed(const std::optional<std::pair<Uuid, std::string>>& after = {},
                                                   std::size_t limit = kAll) {
    std::vector<std::pair<Uuid, std::string>> keys;
    for (const auto& one : got(log().list(after, limit, kNever))) keys.push_back(one.key());
    return keys;
  }
  static std::string bytes_of(const std::vector<float>& values) {
    std::string bytes(values.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  const EmbedderIdentity encoder{"encoder", "1", 3}, other{"another", "2", 2};
  const std::vector<float> values{1.0F / 3, -0.0F, 1e-30F};
};
using Keys = std::vector<std::pair<Uuid, std::string>>;

TEST_P(TurnVectorLogContract, VectorsOfAllUsersAreListedByTurnAndEncoderAsTheyWereKept) {
  EXPECT_TRUE(listed().empty());
  const Turn mine = commit("s", "mine"), theirs = commit(record("s", "theirs", bea)), without = commit("s", "none");
  ASSERT_TRUE(rows->turns().put_vector(theirs.uid, encoder, values, kNever));
  ASSERT_TRUE(rows->turns().put_vector(mine.uid, encoder, values, kNever));
  ASSERT_TRUE(rows->turns().put_vector(mine.uid, other, std::vector{1.0F, 0.0F}, kNever));
  rows->reopen();
  const Keys all = {{mine.uid, "another@2"}, {mine.uid, "encoder@1"}, {theirs.uid, "encoder@1"}};
  EXPECT_EQ(listed(), all);
  EXPECT_EQ(listed({}, 2), (Keys{all[0], all[1]}));
  EXPECT_EQ(listed(all[0], 1), Keys{all[1]});
  EXPECT_EQ(listed(all[1]), Keys{all[2]});
  EXPECT_EQ(listed(std::pair(mine.uid, std::string("b"))), (Keys{all[1], all[2]}));  // no key itself
  EXPECT_TRUE(listed(all[2]).empty());
  EXPECT_EQ(log().list({}, 3, kNever).value().at(1).values, bytes_of(values));
}

TEST_P(TurnVectorLogContract, WhatIsPutIsTheTurnsOwnAndReplacesWhatWasThere) {
  const Turn turn = commit("s", "one"), next = commit("s", "two");
  ASSERT_TRUE(rows->turns().put_vector(turn.uid, encoder, std::vector{1.0F, 2.0F, 3.0F}, kNever));
  (void)take_outbox();
  const std::vector<KeptVector> given = {{next.uid, "encoder@1", bytes_of({3, 4, 5})},
                                         {turn.uid, "encoder@1", bytes_of(values)}};
  ASSERT_TRUE(log().put(given, kNever));
  rows->reopen();
  EXPECT_EQ(listed(), (Keys{{turn.uid, "encoder@1"}, {next.uid, "encoder@1"}}));
  const auto around = rows->turns().vectors_around(turn.uid, 1, encoder, kNever).value();
  ASSERT_EQ(around.size(), 2U);
  EXPECT_EQ(around[0].vector, values);
  EXPECT_EQ(around[1].vector, (std::vector<float>{3, 4, 5}));
  EXPECT_TRUE(take_outbox().empty());
  ASSERT_TRUE(log().put({}, kNever));
}

TEST_P(TurnVectorLogContract, OneOfATurnWithoutARowIsLeftOutAndThoseOfAForgottenTurnGoWithIt) {
  const Turn turn = commit("s", "one"), gone = commit("s", "gone");
  const Uuid nobody = ids.next();
  const std::vector<KeptVector> given = {{nobody, "encoder@1", bytes_of(values)},
                                         {turn.uid, "encoder@1", bytes_of(values)},
                                         {gone.uid, "encoder@1", bytes_of(values)}};
  ASSERT_TRUE(log().put(given, kNever));
  EXPECT_EQ(listed(), (Keys{{turn.uid, "encoder@1"}, {gone.uid, "encoder@1"}}));
  ASSERT_TRUE(rows->turns().remove(gone.number, ana, kNever));
  EXPECT_EQ(listed(), (Keys{{turn.uid, "encoder@1"}}));
}

TEST_P(TurnVectorLogContract, ACallWhoseDeadlineHasPassedDoesNothing) {
  const Turn turn = commit("s", "one");
  const auto late = std::optional(ErrorCode::kDeadlineExceeded);
  const std::vector<KeptVector> given = {{turn.uid, "encoder@1", bytes_of(values)}};
  EXPECT_EQ(error_of(log().put(given, passed())), late);
  EXPECT_EQ(error_of(log().list({}, kAll, passed())), late);
  EXPECT_TRUE(listed().empty());
}

INSTANTIATE_ROWS_CONTRACT(TurnVectorLogContract);

}  // namespace
}  // namespace pandora::testing
