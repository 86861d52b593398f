// A health probe that answers what a test sets, or not at all, as ports/health_probe.h promises. Thread-safe.
#pragma once
#include <mutex>
#include <optional>
#include <string>

#include "ports/health_probe.h"

namespace pandora::testing {

class ScriptedHealthProbe final : public HealthProbe {
 public:
  ScriptedHealthProbe(std::string name, const Clock& clock) : name_(std::move(name)), clock_(clock) {}
  void answer(HealthState state, std::string detail = "");
  void hang();  // it answers no more: the probe waits for its deadline

  const std::string& name() const override { return name_; }
  Health probe(const Deadline& deadline) override;

 private:
  const std::string name_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<Health> answer_ = Health{HealthState::kReady, {}, ""};
};

}  // namespace pandora::testing
