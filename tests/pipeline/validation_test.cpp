#include "pipeline/validation.h"

#include <limits>

#include <gtest/gtest.h>

namespace pandora {
namespace {

ToolBlock block(ToolStatus status) { return {1, 1, "search", "{}", status, "", {}}; }
ValidationAttempt judge(std::string_view reply, ReplyEnd end = ReplyEnd::kWhole, std::vector<ToolBlock> tools = {}) {
  return validate_reply("Which nuts should I avoid?", reply, end, tools);
}

TEST(Validation, AWholeReplyIsApproved) {
  const auto attempt = judge("Peanuts.");
  EXPECT_EQ(attempt.verdict, Verdict::kApprove);
  EXPECT_DOUBLE_EQ(attempt.confidence, 0.9);
  EXPECT_TRUE(attempt.issues.empty());
}

TEST(Validation, AReplyWithoutAWordFails) {
  for (const char* reply : {"", " \n\t"}) {
    const auto attempt = judge(reply);
    EXPECT_EQ(attempt.verdict, Verdict::kFail);
    EXPECT_EQ(attempt.confidence, 0);
    EXPECT_EQ(attempt.issues.size(), 1u);
  }
}

TEST(Validation, AReplyThatStoppedInTheMiddleIsNotApproved) {
  const auto attempt = judge("Peanuts, and", ReplyEnd::kCutOff);
  EXPECT_EQ(attempt.verdict, Verdict::kRetry);
  EXPECT_DOUBLE_EQ(attempt.confidence, 0.4);
}

TEST(Validation, OneFailedToolOfSeveralIsAReasonToRevise) {
  for (const auto status : {ToolStatus::kFailed, ToolStatus::kTimedOut, ToolStatus::kRefused}) {
    const auto attempt = judge("Peanuts.", ReplyEnd::kWhole, {block(ToolStatus::kOk), block(status)});
    EXPECT_EQ(attempt.verdict, Verdict::kRevise);
    EXPECT_DOUBLE_EQ(attempt.confidence, 0.7);
  }
}

TEST(Validation, WhenEveryToolFailedItIsAReasonToRetry) {
  const auto attempt = judge("Peanuts.", ReplyEnd::kWhole, {block(ToolStatus::kFailed), block(ToolStatus::kTimedOut)});
  EXPECT_EQ(attempt.verdict, Verdict::kRetry);
  EXPECT_DOUBLE_EQ(attempt.confidence, 0.45);
}

TEST(Validation, ACallThatTheUserStoppedIsNoFailure) {
  EXPECT_EQ(judge("Peanuts.", ReplyEnd::kWhole, {block(ToolStatus::kCancelled)}).verdict, Verdict::kApprove);
  EXPECT_EQ(judge("Peanuts.", ReplyEnd::kWhole, {block(ToolStatus::kCancelled), block(ToolStatus::kFailed)}).verdict,
            Verdict::kRetry);
}

TEST(Validation, ToolsThatWorkedTakeNothingAway) {
  EXPECT_DOUBLE_EQ(judge("Peanuts.", ReplyEnd::kWhole, {block(ToolStatus::kOk)}).confidence, 0.9);
}

TEST(Validation, AReplyThatOnlyRepeatsTheMessageIsNoReply) {
  EXPECT_EQ(judge("  Which nuts\nshould I avoid? ").verdict, Verdict::kRetry);
  EXPECT_EQ(judge("Which nuts should I avoid? Peanuts.").verdict, Verdict::kApprove);
}

TEST(Validation, TheWorstFaultCountsAndEachIsNamed) {
  const auto attempt = judge("Which nuts should I avoid?", ReplyEnd::kCutOff, {block(ToolStatus::kFailed)});
  EXPECT_DOUBLE_EQ(attempt.confidence, 0.4);
  EXPECT_EQ(attempt.issues.size(), 3u);
}

TEST(Validation, AVerdictChangesAtItsThreshold) {
  EXPECT_EQ(verdict_for(0.80), Verdict::kApprove);
  EXPECT_EQ(verdict_for(0.799), Verdict::kRevise);
  EXPECT_EQ(verdict_for(0.50), Verdict::kRevise);
  EXPECT_EQ(verdict_for(0.499), Verdict::kRetry);
  EXPECT_EQ(verdict_for(0.30), Verdict::kRetry);
  EXPECT_EQ(verdict_for(0.299), Verdict::kFail);
}

TEST(Validation, AConfidenceThatIsNoNumberNeverApproves) {
  EXPECT_EQ(verdict_for(std::numeric_limits<double>::quiet_NaN()), Verdict::kFail);
}

}  // namespace
}  // namespace pandora
