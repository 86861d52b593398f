// Is a dependency ready, and if not, why? Thread-safe. A probe never fails: not answering by the deadline (also one
// that had passed before) is an answer, kDown. It changes nothing, and costs the dependency next to nothing.
#pragma once
#include <string>

#include "base/clock.h"

namespace pandora {

enum class HealthState { kReady, kDegraded, kDown };
struct Health {
  HealthState state = HealthState::kDown;
  Duration latency{0};  // of the answer, or of the wait for it
  std::string detail;   // why, when not ready: one line, no secrets; empty when it is
};

class HealthProbe {
 public:
  virtual ~HealthProbe() = default;
  virtual const std::string& name() const = 0;  // "qdrant", the same for the life of the probe
  virtual Health probe(const Deadline& deadline) = 0;
};

}  // namespace pandora
