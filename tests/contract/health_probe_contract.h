// What ports/health_probe.h promises, for every implementation. An implementation joins by a line in
// double_implementations.cpp.
#pragma once
#include "contract/expect.h"
#include "ports/health_probe.h"

namespace pandora {

class HealthProbeSetup {
 public:
  virtual ~HealthProbeSetup() = default;
  virtual HealthProbe& probe() = 0;
  virtual void make_ready() = 0;  // as what it probes is to begin with
  virtual void make_down() = 0;   // what it probes refuses
  virtual void make_hang() = 0;   // … or accepts and never answers
};
std::vector<Implementation<HealthProbeSetup>> health_probe_implementations();

}  // namespace pandora
