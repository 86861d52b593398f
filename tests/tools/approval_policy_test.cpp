#include "tools/approval_policy.h"

#include <gtest/gtest.h>

#include "contract/expect.h"

namespace pandora {
namespace {

TEST(ApprovalPolicy, TheMostParticularRuleDecides) {
  const auto policy =
      must(ApprovalPolicy::parse("memory_save=allow, *=deny, phone:memory_save=ask,phone:*=allow , clock = ask"));
  EXPECT_EQ(policy.decide("", "memory_save", Approval::kAsk), Approval::kAllow);
  EXPECT_EQ(policy.decide("", "calculate", Approval::kAllow), Approval::kDeny);
  EXPECT_EQ(policy.decide("phone", "memory_save", Approval::kDeny), Approval::kAsk);
  EXPECT_EQ(policy.decide("phone", "calculate", Approval::kDeny), Approval::kAllow);
  EXPECT_EQ(policy.decide("phone", "clock", Approval::kDeny), Approval::kAllow);
  EXPECT_EQ(policy.decide("desk", "clock", Approval::kDeny), Approval::kAsk);
}

TEST(ApprovalPolicy, WithoutRulesEachToolHasItsOwn) {
  const auto policy = must(ApprovalPolicy::parse("  "));
  for (const auto own : {Approval::kAllow, Approval::kAsk, Approval::kDeny})
    EXPECT_EQ(policy.decide("phone", "clock", own), own);
}

TEST(ApprovalPolicy, ARuleThatIsNoneIsRefused) {
  for (const char* rules : {"clock", "clock=", "=allow", "clock=maybe", "clock=allow,clock=deny", "clo ck=allow",
                            ":clock=allow", "pho ne:clock=allow", "clock=allow,,", "clock=allow=ask"})
    EXPECT_FAILS(kInvalidArgument, ApprovalPolicy::parse(rules)) << rules;
}

TEST(ApprovalPolicy, SoManyRulesAndNoMore) {
  std::string rules;
  for (std::size_t i = 0; i < kMaxApprovalRules; ++i) rules += (i ? ",t" : "t") + std::to_string(i) + "=allow";
  EXPECT_TRUE(ApprovalPolicy::parse(rules));
  EXPECT_FAILS(kInvalidArgument, ApprovalPolicy::parse(rules + ",one_more=allow"));
}

}  // namespace
}  // namespace pandora
