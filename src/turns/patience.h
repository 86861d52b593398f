// Work of an hour must not end because a server restarts meanwhile, or is slow for a moment: a call that goes through
// here is made again while the store is not there or has no time for it (kUnavailable, kDeadlineExceeded,
// kResourceExhausted), after a pause that doubles, until it has failed for kLongestPatience; then its last error is
// given. For calls that may be made twice, whose deadline is of each and not of the whole: one that has passed looks
// like a slow store, and is asked again as long. Thread-safe.
#pragma once
#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "base/clock.h"

namespace pandora {

inline constexpr Duration kLongestPatience = std::chrono::minutes(5);  // from a call's first failure on
inline constexpr Duration kFirstPause = std::chrono::milliseconds(100), kLongestPause = std::chrono::seconds(5);

class Patience {
 public:
  // Told before each pause, by one thread at a time; an error of its own ends the call.
  using Note = std::function<Status(const Error& why, Duration waited)>;
  using Pause = std::function<void(Duration)>;
  Patience(
      const Clock& clock, Note note, Pause pause = [](Duration time) { std::this_thread::sleep_for(time); })
      : clock_(clock), note_(std::move(note)), pause_(std::move(pause)) {}

  template <class Ask>
  auto ask(Ask&& ask) -> std::invoke_result_t<Ask> {
    std::optional<SteadyTime> failed;
    for (Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
      auto answer = ask();
      if (answer || !passes(answer.error().code)) return answer;
      const SteadyTime now = clock_.steady();
      if (!failed) failed = now;
      const auto waited = std::chrono::duration_cast<Duration>(now - *failed);
      if (waited >= kLongestPatience) return answer;
      PANDORA_CHECK(tell(answer.error(), waited));
      pause_(std::min(pause, kLongestPatience - waited));
    }
  }
  static bool passes(ErrorCode code) {
    return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
           code == ErrorCode::kResourceExhausted;
  }

 private:
  Status tell(const Error& why, Duration waited) {
    const std::lock_guard lock(mutex_);
    return note_(why, waited);
  }
  const Clock& clock_;
  const Note note_;
  const Pause pause_;
  std::mutex mutex_;
};

}  // namespace pandora
