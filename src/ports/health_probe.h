// Is a dependency ready, and if not, why? Thread-safe. A probe never fails: not answering is an answer.
#pragma once
#include <string>

#include "base/clock.h"

namespace pandora {

enum class HealthState { kReady, kDegraded, kDown };
struct Health {
  HealthState state = HealthState::kDown;
  Duration latency{0};
  std::string detail;  // why, when not ready; no secrets
};

class HealthProbe {
 public:
  virtual ~HealthProbe() = default;
  virtual const std::string& name() const = 0;
  virtual Health probe(const Deadline& deadline) = 0;
};

}  // namespace pandora
