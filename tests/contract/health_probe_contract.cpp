#include "contract/health_probe_contract.h"

#include <atomic>
#include <thread>

#include "base/text.h"

namespace pandora {
namespace {

constexpr Duration kShort = std::chrono::milliseconds(50);

class HealthProbeContract : public ::testing::TestWithParam<Implementation<HealthProbeSetup>> {
 protected:
  Health probe(Duration budget = std::chrono::seconds(10)) {
    return setup_->probe().probe(Deadline::after(clock_, budget));
  }
  static void expect_down(const Health& health) {
    EXPECT_EQ(health.state, HealthState::kDown);
    EXPECT_FALSE(health.detail.empty());
    EXPECT_EQ(health.detail, one_line(health.detail));
  }

  const SystemClock clock_;
  std::unique_ptr<HealthProbeSetup> setup_ = GetParam().make();
};

TEST_P(HealthProbeContract, WhatIsReadySaysSoWithoutAReason) {
  const std::string name = setup_->probe().name();
  EXPECT_FALSE(name.empty());
  const Health health = probe();
  EXPECT_EQ(health.state, HealthState::kReady);
  EXPECT_EQ(health.detail, "");
  EXPECT_GE(health.latency, Duration(0));
  EXPECT_LT(health.latency, std::chrono::seconds(10));
  EXPECT_EQ(setup_->probe().name(), name);
}

TEST_P(HealthProbeContract, WhatIsDownSaysWhyAndMayComeBack) {
  setup_->make_down();
  expect_down(probe());
  setup_->make_ready();
  EXPECT_EQ(probe().state, HealthState::kReady);
}

TEST_P(HealthProbeContract, NotAnsweringByTheDeadlineIsDown) {
  setup_->make_hang();
  const Health health = probe(kShort);
  expect_down(health);
  EXPECT_GE(health.latency, kShort);
}

TEST_P(HealthProbeContract, AfterADeadlineNothingIsAsked) { expect_down(setup_->probe().probe(past())); }

TEST_P(HealthProbeContract, ManyThreadsProbeAtOnce) {
  std::atomic<int> ready = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) ready += probe().state == HealthState::kReady;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ready, 100);
}

INSTANTIATE_TEST_SUITE_P(HealthProbes, HealthProbeContract, ::testing::ValuesIn(health_probe_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
