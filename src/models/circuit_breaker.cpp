#include "models/circuit_breaker.h"

#include <algorithm>

namespace pandora {

bool CircuitBreaker::allow() {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  if (now < rest_until_) return false;
  if (opened_ == 0) return true;
  if (now < open_until_ || probing_) return false;
  return probing_ = true;
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  in_a_row_ = opened_ = 0;
  probing_ = false;
}

void CircuitBreaker::failed() {
  const std::lock_guard lock(mutex_);
  ++in_a_row_;
  const bool was_probe = std::exchange(probing_, false);
  if (opened_ > 0 ? !was_probe : in_a_row_ < options_.failures) return;  // calls from before it opened change nothing
  constexpr int kMaxDoublings = 16;
  open_until_ = clock_.steady() + std::min(options_.open_at_most,
                                           options_.open_for * (std::int64_t{1} << std::min(opened_, kMaxDoublings)));
  ++opened_;
}

void CircuitBreaker::abandoned() {
  const std::lock_guard lock(mutex_);
  probing_ = false;
}

void CircuitBreaker::rest(Duration time) {
  const std::lock_guard lock(mutex_);
  probing_ = false;
  rest_until_ = std::max(rest_until_, clock_.steady() + time);
}

BreakerState CircuitBreaker::state() const {
  const std::lock_guard lock(mutex_);
  if (opened_ == 0) return BreakerState::kClosed;
  return clock_.steady() < open_until_ ? BreakerState::kOpen : BreakerState::kHalfOpen;
}

Duration CircuitBreaker::opens_in() const {
  const std::lock_guard lock(mutex_);
  const SteadyTime until = opened_ > 0 ? std::max(open_until_, rest_until_) : rest_until_;
  return std::max(Duration(0), std::chrono::duration_cast<Duration>(until - clock_.steady()));
}

}  // namespace pandora
