#include "turns/live_turns.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

class LiveTurnsTest : public ::testing::Test {
 protected:
  static Uuid id_of(std::size_t n) {
    Uuid id;
    for (std::size_t i = 0; i < 4; ++i) id.bytes[12 + i] = static_cast<std::uint8_t>(n >> (24 - 8 * i));
    return id;
  }
  // Acknowledged, with its row and its directory.
  void bring(std::size_t n) {
    TurnRecord record;
    record.turn.uid = id_of(n);
    record.turn.session = SessionId::parse("s" + std::to_string(n)).value();
    EXPECT_TRUE(live_.hold(kBytes, kBytes)) << "what has its directory holds no room";
    live_.add(std::make_shared<const TurnRecord>(std::move(record)), kBytes);
    live_.has_row(id_of(n), TurnNumber{static_cast<std::int64_t>(n) + 1});
    live_.arrived(id_of(n), OutboxKind::kTurnDirectory);
  }
  static constexpr std::size_t kBytes = 10;
  LiveTurns live_;
};

TEST_F(LiveTurnsTest, AsManyWaitForTheirPointsAsMayAndOneMoreLetsGoOfTheOldest) {
  for (std::size_t n = 0; n < kMaxWithoutPoint; ++n) bring(n);
  EXPECT_TRUE(live_.find(id_of(0)));
  bring(kMaxWithoutPoint);
  EXPECT_FALSE(live_.find(id_of(0)));
  EXPECT_TRUE(live_.is_quiet(SessionId::parse("s0").value())) << "nobody waits for it any more";
  EXPECT_TRUE(live_.find(id_of(1)));
  EXPECT_FALSE(live_.is_quiet(SessionId::parse("s1").value()));
  live_.arrived(id_of(0), OutboxKind::kTurnPoint);  // late
  live_.arrived(id_of(1), OutboxKind::kTurnPoint);
  EXPECT_FALSE(live_.find(id_of(1))) << "it is in all its places";
  bring(kMaxWithoutPoint + 1);
  EXPECT_TRUE(live_.find(id_of(2))) << "there was room again";
  live_.forget(id_of(2));
  bring(2);
  EXPECT_TRUE(live_.find(id_of(3)));
}

TEST_F(LiveTurnsTest, WhatHasNoDirectoryIsNeverLetGo) {
  TurnRecord record;
  record.turn.uid = id_of(0);
  record.turn.session = SessionId::parse("first").value();
  live_.add(std::make_shared<const TurnRecord>(std::move(record)), 0);
  for (std::size_t n = 1; n <= kMaxWithoutPoint + 1; ++n) bring(n);
  EXPECT_TRUE(live_.find(id_of(0)));
  EXPECT_FALSE(live_.find(id_of(1)));
  EXPECT_EQ(live_.without_directory(), std::set<Uuid>{id_of(0)});
}

}  // namespace
}  // namespace pandora
