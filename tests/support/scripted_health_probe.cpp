#include "support/scripted_health_probe.h"

#include <chrono>
#include <thread>

namespace pandora::testing {
namespace {
constexpr auto kLook = std::chrono::milliseconds(1);  // between two looks at a clock, in real time
}

void ScriptedHealthProbe::answer(HealthState state, std::string detail) {
  const std::lock_guard lock(mutex_);
  answer_ = Health{state, {}, std::move(detail)};
}

void ScriptedHealthProbe::hang() {
  const std::lock_guard lock(mutex_);
  answer_.reset();
}

Health ScriptedHealthProbe::probe(const Deadline& deadline) {
  const SteadyTime begun = clock_.steady();
  std::optional<Health> answer;
  do {
    if (deadline.expired()) {
      answer = Health{HealthState::kDown, {}, name_ + " did not answer in time"};
      break;
    }
    const std::lock_guard lock(mutex_);
    answer = answer_;
  } while (!answer && (std::this_thread::sleep_for(kLook), true));
  answer->latency = std::chrono::duration_cast<Duration>(clock_.steady() - begun);
  return *answer;
}

}  // namespace pandora::testing
