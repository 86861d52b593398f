#include "recall/text_fallback.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "domain/derive.h"
#include "store_memory/memory_rows.h"
#include "support/forwarding_turn_store.h"

namespace pandora {
namespace {

// Rows on a server that is slow: each question of them takes kOne.
constexpr Duration kOne = std::chrono::milliseconds(10);
class Slow final : public testing::ForwardingTurnStore {
 public:
  Slow(TurnStore& turns, ManualClock& clock) : ForwardingTurnStore(turns), clock_(clock) {}
  Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                       const Deadline& deadline) override {
    clock_.advance(kOne);
    return turns_.neighbours(uid, radius, who, deadline);
  }

 private:
  ManualClock& clock_;
};

class Matched final : public TextSearch {
 public:
  Result<TextMatches> turns(const TextQuery& query, const Principal&, const Deadline&) override {
    return TextMatches{found, std::vector<std::int64_t>(query.terms.size(), 1), 100};
  }
  std::vector<Uuid> found;
};

TEST(TurnsOfRows, WhatWasReadByTheDeadlineIsGivenAndTheRestIsCounted) {
  constexpr int kTurns = 5;
  ManualClock clock;
  const auto rows = make_memory_rows(clock);
  SeededRandom random(1);
  UuidV7Generator ids(clock, random);
  const Principal ana = Principal::of(UserId::parse("ana").value());
  Matched texts;
  for (int i = 0; i < kTurns; ++i) {
    TurnRecord record;
    record.turn.uid = ids.next();
    record.turn.session = SessionId::parse("s" + std::to_string(i)).value();
    record.turn.user = ana.user;
    record.turn.created_at = clock.now();
    record.turn.message = {Role::kUser, "", "The zinnias stand behind the greenhouse."};
    ASSERT_TRUE(rows->turns().commit_turn(record, ana, Deadline::never()));
    texts.found.push_back(record.turn.uid);
  }
  Slow turns(rows->turns(), clock);
  const std::vector<float> no_vector;
  const RowsQuestion question{"zinnias", no_vector, {}, {}};
  const auto ask = [&](const Deadline& deadline) { return turns_of_rows(texts, turns, {}, question, ana, deadline); };

  const auto all = ask(Deadline::never()).value();
  EXPECT_EQ(all.turns.size(), static_cast<std::size_t>(kTurns));
  EXPECT_EQ(all.unread, 0u);
  const auto some = ask(Deadline::after(clock, 3 * kOne + kOne / 2)).value();
  ASSERT_EQ(some.turns.size(), 3u);
  EXPECT_EQ(some.unread, 2u);
  for (std::size_t i = 0; i < some.turns.size(); ++i) EXPECT_EQ(some.turns[i].uid, texts.found[i]);
  EXPECT_EQ(ask(Deadline::after(clock, kOne / 2)).error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace pandora
