// Turns that wait for their client's tools.
#include "gateway/open_turns.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

const UserId kAna = UserId::parse("ana").value(), kBen = UserId::parse("ben").value();
const SessionId kHere = SessionId::parse("here").value(), kThere = SessionId::parse("there").value();

OpenTurn turn(std::uint8_t number) {
  OpenTurn open;
  open.uid.bytes[0] = number;
  return open;
}

TEST(OpenTurns, ATurnIsFoundOnceByTheCallsOfItsUserAndSession) {
  OpenTurns open;
  open.put(kAna, kHere, {"a", "b"}, turn(1));
  EXPECT_FALSE(open.take(kBen, kHere, {"a", "b"}));
  EXPECT_FALSE(open.take(kAna, kThere, {"a", "b"}));
  EXPECT_FALSE(open.take(kAna, kHere, {"a"}));
  EXPECT_FALSE(open.take(kAna, kHere, {}));
  EXPECT_EQ(open.take(kAna, kHere, {"a", "b"})->uid, turn(1).uid);
  EXPECT_FALSE(open.take(kAna, kHere, {"a", "b"}));
}

TEST(OpenTurns, OneMoreThanTheMaximumAndTheOldestGoes) {
  OpenTurns open;
  for (std::size_t i = 0; i < kMaxOpenTurns; ++i) open.put(kAna, kHere, {std::to_string(i)}, turn(1));
  EXPECT_EQ(open.size(), kMaxOpenTurns);
  open.put(kAna, kHere, {"one more"}, turn(2));
  EXPECT_EQ(open.size(), kMaxOpenTurns);
  EXPECT_FALSE(open.take(kAna, kHere, {"0"}));
  EXPECT_TRUE(open.take(kAna, kHere, {"1"}));
  EXPECT_TRUE(open.take(kAna, kHere, {"one more"}));
}

TEST(OpenTurns, PagesBeyondTheMaximumMakeTheOldestGo) {
  OpenTurns open;
  const auto with_page = [](std::uint8_t number, std::size_t bytes) {
    OpenTurn one = turn(number);
    one.pages.push_back({{}, std::string(bytes, 'x')});
    return one;
  };
  open.put(kAna, kHere, {"a"}, with_page(1, kMaxOpenBytes / 2));
  open.put(kAna, kHere, {"b"}, with_page(2, kMaxOpenBytes / 2));
  EXPECT_EQ(open.size(), 2u);
  open.put(kAna, kHere, {"c"}, with_page(3, 1));
  EXPECT_FALSE(open.take(kAna, kHere, {"a"}));
  EXPECT_TRUE(open.take(kAna, kHere, {"b"}));
  EXPECT_TRUE(open.take(kAna, kHere, {"c"}));
  open.put(kAna, kHere, {"d"}, with_page(4, kMaxOpenBytes));
  EXPECT_EQ(open.size(), 1u) << "what was taken counts no more";
}

TEST(OpenTurns, ManyThatAreTakenAgainLeaveNothing) {
  OpenTurns open;
  for (std::size_t i = 0; i < 10 * kMaxOpenTurns; ++i) {
    open.put(kAna, kHere, {std::to_string(i)}, turn(1));
    EXPECT_TRUE(open.take(kAna, kHere, {std::to_string(i)}));
  }
  EXPECT_EQ(open.size(), 0u);
}

}  // namespace
}  // namespace pandora
