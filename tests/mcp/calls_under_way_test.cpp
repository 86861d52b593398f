#include "mcp/calls_under_way.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

TEST(CallsUnderWay, OnlyItsOwnerCancelsACallAndOnlyOnce) {
  CallsUnderWay calls;
  int told = 0;
  const auto call = calls.begin("ana", 1, [&] { ++told; });
  ASSERT_TRUE(call);
  calls.cancel("ben", 1);
  calls.cancel("ana", "1");
  calls.cancel("ana", 2);
  calls.cancel("ana", {});
  EXPECT_FALSE(call->cancelled());
  calls.cancel("ana", 1);
  calls.cancel("ana", 1);
  calls.cancel_all("ana");
  EXPECT_TRUE(call->cancelled());
  EXPECT_EQ(told, 1);
}

TEST(CallsUnderWay, AnIdIsFreeAgainWhenItsCallHasEnded) {
  CallsUnderWay calls;
  ASSERT_TRUE(calls.begin("ana", "x", {}));
  EXPECT_FALSE(calls.begin("ana", "x", {}));
  EXPECT_TRUE(calls.begin("ben", "x", {}));
  EXPECT_EQ(calls.size(), 2u);
  calls.end("ana", "x");
  calls.end("ana", "x");
  EXPECT_TRUE(calls.begin("ana", "x", {}));
  calls.end("ana", "x");
  calls.end("ben", "x");
  EXPECT_EQ(calls.size(), 0u);
}

TEST(CallsUnderWay, AllOfAnOwnerEndTogether) {
  CallsUnderWay calls;
  int told = 0;
  const auto one = calls.begin("ana", 1, [&] { ++told; }), two = calls.begin("ana", 2, [&] { ++told; }),
             other = calls.begin("ben", 1, [&] { ++told; });
  calls.cancel_all("ana");
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(other->cancelled());
}

}  // namespace
}  // namespace pandora
