// A server that keeps failing is left alone for a while, then tried with one call.
//
// Closed: every call may go. After `failures` in a row it opens: none may, for `open_for`. Then one may (half-open):
// its success closes, its failure opens again, twice as long each time up to `open_at_most`. Thread-safe.
#pragma once
#include <mutex>

#include "base/clock.h"

namespace pandora {

struct BreakerOptions {
  int failures = 5;
  Duration open_for = std::chrono::seconds(5);
  Duration open_at_most = std::chrono::minutes(2);
};
enum class BreakerState { kClosed, kOpen, kHalfOpen };

class CircuitBreaker {
 public:
  explicit CircuitBreaker(const Clock& clock, BreakerOptions options = {}) : clock_(clock), options_(options) {}
  // May a call go? One that may must end with exactly one of the next three.
  bool allow();
  void succeeded();  // the server answered sensibly, be it with a refusal
  void failed();     // no answer, a broken one, or an error of its own
  void abandoned();  // nothing was learned: cancelled
  // The server asked to be left alone so long (Retry-After). No failure.
  void rest(Duration time);
  BreakerState state() const;
  Duration opens_in() const;  // until a call may go; 0: now

 private:
  const Clock& clock_;
  const BreakerOptions options_;
  mutable std::mutex mutex_;
  int in_a_row_ = 0;
  int opened_ = 0;  // times since it was last closed
  bool probing_ = false;
  SteadyTime open_until_{}, rest_until_{};
};

}  // namespace pandora
