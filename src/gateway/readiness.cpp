#include "gateway/readiness.h"

#include <algorithm>

namespace pandora {

Readiness::Answer Readiness::look() {
  std::unique_lock lock(mutex_);
  looked_.wait(lock, [&] { return last_ || !looking_; });
  if (last_ && (looking_ || clock_.steady() - looked_at_ < kReadyFresh)) return *last_;
  looking_ = true;
  lock.unlock();
  Answer answer;
  for (HealthProbe* probe : probes_) {
    Health health = probe->probe(Deadline::after(clock_, kProbePatience));
    answer.worst = std::max(answer.worst, health.state);
    answer.dependencies.emplace_back(probe->name(), std::move(health));
  }
  lock.lock();
  looking_ = false;
  last_ = answer;
  looked_at_ = clock_.steady();
  looked_.notify_all();
  return answer;
}

}  // namespace pandora
