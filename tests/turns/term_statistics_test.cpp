#include "turns/term_statistics.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/forwarding_turn_store.h"
#include "world.h"

namespace pandora {
namespace {

// What was counted, a list for each call.
class CountingTurns final : public testing::ForwardingTurnStore {
 public:
  using ForwardingTurnStore::ForwardingTurnStore;
  Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                   const Deadline& deadline) override {
    asked.emplace_back(terms.begin(), terms.end());
    if (is_away) return fail(ErrorCode::kUnavailable, "nobody listens");
    return turns_.keyword_counts(terms, who, deadline);
  }
  Result<std::int64_t> count(const Principal& who, const Deadline& deadline) override {
    ++counted;
    if (is_away) return fail(ErrorCode::kUnavailable, "nobody listens");
    return turns_.count(who, deadline);
  }
  std::vector<std::vector<std::string>> asked;
  int counted = 0;
  bool is_away = false;
};

struct TermStatisticsTest : ::testing::Test {
  void SetUp() override {
    ASSERT_TRUE(world.start());
    for (const char* message : {"tea", "tea and coffee", "tea, milk"})
      ASSERT_TRUE(world.rows->turns().commit_turn(world.record("s", message, ""), ana, world.soon()));
    turns = std::make_unique<CountingTurns>(world.rows->turns());
  }
  TermStatistics statistics() { return term_statistics(*turns, counts, ana, world.soon()); }
  const Principal ana = Principal::of(UserId::parse("ana").value());
  testing::World world{"terms"};
  std::unique_ptr<CountingTurns> turns;
  TurnCounts counts;
};

TEST_F(TermStatisticsTest, ATurnsTermsAreCountedInOneCall) {
  Turn turn = world.record("s", "Is the milk for my tea?", "Coffee is better than tea.").turn;
  derive_fields(turn, {}, statistics());
  ASSERT_EQ(turns->asked.size(), 1U);
  std::ranges::sort(turns->asked.front());
  EXPECT_EQ(turns->asked.front(), (std::vector<std::string>{"better", "coffe", "milk", "tea"}));
  EXPECT_EQ(turn.keywords, (std::vector<std::string>{"better", "tea", "milk", "coffe"}))
      << "tea, said twice, is in all";
}

TEST_F(TermStatisticsTest, EachTermHasItsOwnCountInTheOrderAsked) {
  const TermStatistics counted = statistics();
  EXPECT_EQ(counted.turns, 3);
  const std::vector<std::string_view> first = {"tea", "sugar"}, then = {"milk", "sugar", "tea", "coffe"};
  EXPECT_EQ(counted.turns_with(first), (std::vector<double>{3, 0}));
  EXPECT_EQ(counted.turns_with(then), (std::vector<double>{1, 0, 3, 1}));
  EXPECT_EQ(turns->asked.back(), (std::vector<std::string>{"milk", "coffe"})) << "the others are remembered";
}

TEST_F(TermStatisticsTest, AStoreThatDoesNotAnswerCountsAsEmpty) {
  turns->is_away = true;
  const std::vector<std::string_view> terms = {"tea", "milk"};
  EXPECT_EQ(statistics().turns_with(terms), (std::vector<double>{0, 0}));
}

TEST_F(TermStatisticsTest, ManyTurnsAreNotCountedForEachThatComes) {
  const auto add = [&](int n) {
    const TurnRecord record = world.record("s", "tea " + std::to_string(n), "");
    ASSERT_TRUE(world.rows->turns().commit_turn(record, ana, world.soon()));
  };
  for (int n = 3; n < 48; ++n) {
    EXPECT_EQ(statistics().turns, n);
    add(n);
  }
  EXPECT_LT(turns->counted, 35) << "while they are few, each time";
  turns->counted = 0;
  EXPECT_EQ(TurnCounts().of(*turns, ana, world.soon()), 48);
  TurnCounts fresh;
  for (int n = 48; n < 52; ++n) {
    EXPECT_EQ(fresh.of(*turns, ana, world.soon()), n);
    add(n);
  }
  EXPECT_EQ(turns->counted, 2);
  EXPECT_EQ(fresh.of(*turns, ana, world.soon()), 52);
  EXPECT_EQ(turns->counted, 3) << "a sixteenth more has come";
  turns->is_away = true;
  EXPECT_EQ(TurnCounts().of(*turns, ana, world.soon()), 0);
  EXPECT_EQ(fresh.of(*turns, ana, world.soon()), 53) << "what is known goes on being known";
}

}  // namespace
}  // namespace pandora
