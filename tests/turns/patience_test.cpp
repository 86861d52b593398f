#include "turns/patience.h"

#include <vector>

#include <gtest/gtest.h>

namespace pandora {
namespace {

class PatienceTest : public ::testing::Test {
 protected:
  // Of a store that answers from this moment on.
  Result<int> asked(Duration back, ErrorCode code = ErrorCode::kUnavailable) {
    const SteadyTime there = clock_.steady() + back;
    return patience_.ask([&]() -> Result<int> {
      ++times_;
      if (clock_.steady() < there) return fail(code, "nobody listens");
      return 7;
    });
  }
  ManualClock clock_;
  int times_ = 0;
  std::vector<Duration> waited_, pauses_;
  Status note_ = {};
  Patience patience_{clock_,
                     [this](const Error&, Duration waited) {
                       waited_.push_back(waited);
                       return note_;
                     },
                     [this](Duration pause) {
                       pauses_.push_back(pause);
                       clock_.advance(pause);
                     }};
};

TEST_F(PatienceTest, what_answers_is_asked_once) {
  EXPECT_EQ(asked(Duration(0)).value(), 7);
  EXPECT_EQ(times_, 1);
  EXPECT_TRUE(waited_.empty());
}

TEST_F(PatienceTest, pauses_double_up_to_the_longest) {
  EXPECT_EQ(asked(kLongestPatience).value(), 7) << "the last try is made when the patience ends";
  ASSERT_GT(pauses_.size(), 8U);
  EXPECT_EQ(pauses_[0], kFirstPause);
  EXPECT_EQ(pauses_[1], 2 * kFirstPause);
  EXPECT_EQ(*std::ranges::max_element(pauses_), kLongestPause);
  EXPECT_EQ(waited_.front(), Duration(0));
}

TEST_F(PatienceTest, it_ends_with_the_last_error_one_moment_later) {
  const auto answer = asked(kLongestPatience + Duration(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "nobody listens");
}

TEST_F(PatienceTest, a_call_that_takes_long_has_patience_from_its_failure_on) {
  int times = 0;
  const auto answer = patience_.ask([&]() -> Result<int> {
    clock_.advance(2 * kLongestPatience);
    if (++times == 1) return fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    return times;
  });
  EXPECT_EQ(answer.value(), 2);
}

TEST_F(PatienceTest, what_does_not_pass_is_an_error_at_once) {
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kCancelled,
                               ErrorCode::kStorageFull, ErrorCode::kUnauthenticated, ErrorCode::kIncompatible}) {
    times_ = 0;
    EXPECT_EQ(asked(Duration(1), code).error().code, code);
    EXPECT_EQ(times_, 1);
  }
  for (const ErrorCode code : {ErrorCode::kDeadlineExceeded, ErrorCode::kResourceExhausted})
    EXPECT_EQ(asked(Duration(1), code).value(), 7);
}

TEST_F(PatienceTest, who_is_told_may_end_it) {
  note_ = fail(ErrorCode::kCancelled, "cancelled");
  EXPECT_EQ(asked(Duration(1)).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(times_, 1);
  EXPECT_TRUE(pauses_.empty());
}

}  // namespace
}  // namespace pandora
