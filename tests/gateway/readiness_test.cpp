// Whoever asks whether the server is ready cannot have its stores looked at as often as he likes.
#include "gateway/readiness.h"

#include <atomic>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "support/raw_tcp.h"

namespace pandora {
namespace {

class Counted final : public HealthProbe {
 public:
  const std::string& name() const override { return name_; }
  Health probe(const Deadline&) override {
    ++looks;
    held.wait(true);
    return {state, Duration(5), ""};
  }
  std::atomic<int> looks = 0;
  std::atomic<bool> held = false;
  HealthState state = HealthState::kReady;

 private:
  const std::string name_ = "stores";
};

class ReadinessTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  Counted probe_;
  Readiness readiness_{{&probe_}, clock_};
};

TEST_F(ReadinessTest, ItLooksOnceInASecondHoweverManyAsk) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(readiness_.look().worst, HealthState::kReady);
  EXPECT_EQ(probe_.looks, 1);
  clock_.advance(kReadyFresh - Duration(1));
  (void)readiness_.look();
  EXPECT_EQ(probe_.looks, 1);
  clock_.advance(Duration(1));
  probe_.state = HealthState::kDown;
  EXPECT_EQ(readiness_.look().worst, HealthState::kDown) << "past it, it looks again";
  EXPECT_EQ(probe_.looks, 2);
}

TEST_F(ReadinessTest, WhileOneLooksTheOthersGetTheAnswerBefore) {
  (void)readiness_.look();
  clock_.advance(kReadyFresh);
  probe_.held = true;
  probe_.state = HealthState::kDegraded;
  std::thread slow([&] { EXPECT_EQ(readiness_.look().worst, HealthState::kDegraded); });
  ASSERT_TRUE(testing::eventually([&] { return probe_.looks == 2; }));
  EXPECT_EQ(readiness_.look().worst, HealthState::kReady);
  probe_.held = false;
  probe_.held.notify_all();
  slow.join();
  EXPECT_EQ(readiness_.look().worst, HealthState::kDegraded);
  EXPECT_EQ(probe_.looks, 2);
}

TEST_F(ReadinessTest, TheFirstAnswerIsWaitedForByAll) {
  probe_.held = true;
  std::atomic<int> answered = 0;
  std::vector<std::thread> asking;
  for (int i = 0; i < 8; ++i)
    asking.emplace_back([&] {
      EXPECT_EQ(readiness_.look().dependencies.size(), 1u);
      ++answered;
    });
  ASSERT_TRUE(testing::eventually([&] { return probe_.looks == 1; }));
  EXPECT_EQ(answered, 0);
  probe_.held = false;
  probe_.held.notify_all();
  for (auto& one : asking) one.join();
  EXPECT_EQ(probe_.looks, 1);
}

}  // namespace
}  // namespace pandora
