// What every dependency says of itself, looked at no more often than once in kReadyFresh.
//
// Anybody may ask whether this server is ready, a stranger too: however many ask, the stores and the model servers are
// looked at by one of them at a time. Meanwhile the others get the answer before. Thread-safe; blocks.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/health_probe.h"

namespace pandora {

inline constexpr Duration kReadyFresh = std::chrono::seconds(1);
inline constexpr Duration kProbePatience = std::chrono::seconds(3);  // of one dependency

class Readiness {
 public:
  struct Answer {
    HealthState worst = HealthState::kReady;
    std::vector<std::pair<std::string, Health>> dependencies;  // by name, in the order given
  };
  // All of it outlives it.
  Readiness(std::vector<HealthProbe*> probes, const Clock& clock) : probes_(std::move(probes)), clock_(clock) {}
  Answer look();

 private:
  const std::vector<HealthProbe*> probes_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable looked_;
  bool looking_ = false;
  std::optional<Answer> last_;
  SteadyTime looked_at_;
};

}  // namespace pandora
