#include "tools/tool_threads.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "contract/expect.h"

namespace pandora {
namespace {

ToolInfo info(const char* name) { return {{name, "a tool of a test", R"({"type": "object"})"}, {}, Approval::kAllow}; }
std::shared_ptr<Tool> tool(FunctionTool::Run run) {
  return std::make_shared<FunctionTool>(info("tool"), std::move(run));
}

class ToolThreadsTest : public ::testing::Test {
 protected:
  // A tool that never looks whether it is to stop.
  std::shared_ptr<Tool> stuck() {
    return tool([this](const ToolTask&) -> Result<ToolOutcome> {
      ++began;
      released.wait();
      return ToolOutcome{.result = "too late"};
    });
  }
  const SystemClock clock;
  const ToolCaller caller{Principal::of(must(UserId::parse("ana")))};
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> began = 0;
};

TEST_F(ToolThreadsTest, AToolThatNeverReturnsIsLeftBehindAndHoldsOneThreadOfABoundedNumber) {
  constexpr std::size_t kMost = 2;
  ToolThreads threads(kMost, std::chrono::milliseconds(40));
  for (std::size_t i = 0; i < kMost; ++i) {
    EXPECT_LT(threads.taken(), kMost);
    EXPECT_FAILS(kDeadlineExceeded,
                 threads.run(stuck(), {}, caller, Deadline::after(clock, std::chrono::milliseconds(20))));
  }
  EXPECT_EQ(threads.taken(), kMost);
  EXPECT_FAILS(kResourceExhausted, threads.run(stuck(), {}, caller, kNever));
  release.set_value();
  while (threads.taken() > 0) std::this_thread::yield();
  EXPECT_EQ(must(threads.run(stuck(), {}, caller, kNever)).result, "too late") << "the next one is not";
}

TEST_F(ToolThreadsTest, AToolIsToldToStopWhenItsTimeIsUp) {
  ToolThreads threads;
  EXPECT_FAILS(kDeadlineExceeded, threads.run(tool([](const ToolTask& task) -> Result<ToolOutcome> {
                                                while (!task.stopped()) std::this_thread::yield();
                                                EXPECT_TRUE(task.caller.cancelled());
                                                return fail(ErrorCode::kCancelled, "told to stop");
                                              }),
                                              {}, caller, Deadline::after(clock, std::chrono::milliseconds(20))));
  EXPECT_EQ(threads.taken(), 0u);
}

TEST_F(ToolThreadsTest, AToolWhoseCallerLeavesIsStopped) {
  ToolThreads threads;
  std::atomic<bool> left = false;
  ToolCaller leaving = caller;
  leaving.cancelled = [&] { return left.load(); };
  EXPECT_FAILS(kCancelled, threads.run(tool([&](const ToolTask& task) -> Result<ToolOutcome> {
                                         left = true;
                                         while (!task.stopped()) std::this_thread::yield();
                                         return fail(ErrorCode::kCancelled, "told to stop");
                                       }),
                                       {}, leaving, kNever));
}

TEST_F(ToolThreadsTest, WhatIsWholeIsAnAnswerThoughItIsLate) {
  ToolThreads threads;
  EXPECT_EQ(must(threads.run(tool([](const ToolTask& task) -> Result<ToolOutcome> {
                               while (!task.stopped()) std::this_thread::yield();
                               return ToolOutcome{.result = "saved"};
                             }),
                             {}, caller, Deadline::after(clock, std::chrono::milliseconds(20))))
                .result,
            "saved");
}

TEST_F(ToolThreadsTest, AnExceptionIsABugOfTheTool) {
  ToolThreads threads;
  EXPECT_FAILS(kInternal,
               threads.run(tool([](const ToolTask&) -> Result<ToolOutcome> { throw std::runtime_error("oh"); }), {},
                           caller, kNever));
}

TEST_F(ToolThreadsTest, TheirEndWaitsForThoseLeftBehindAndNotWithoutEnd) {
  auto threads = std::make_unique<ToolThreads>(4, std::chrono::milliseconds(20), std::chrono::milliseconds(50));
  EXPECT_FAILS(kDeadlineExceeded, threads->run(stuck(), {}, caller, past()));
  while (began == 0) std::this_thread::yield();
  threads.reset();
  release.set_value();
}

}  // namespace
}  // namespace pandora
