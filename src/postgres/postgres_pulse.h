// Does a server that says nothing still live? Thread-safe.
//
// Whoever has waited for kSilence tells it. Then a thread of its own knocks at the server: one that answers is only
// slow, and who waits waits on. One that does not is *away*: who waits is told at once, and who comes is refused at
// once, until it answers a knock again. So a server that hangs holds nobody up for longer than kSilence and
// kKnockPatience, whatever his deadline, and one that is back is used again within kKnockPatience.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "postgres/postgres_options.h"

namespace pandora {

inline constexpr Duration kSilence = std::chrono::milliseconds(1500);
inline constexpr Duration kKnockPatience = std::chrono::seconds(2);
inline constexpr Duration kKnockPause = std::chrono::milliseconds(250);  // after one that was not answered

class PostgresPulse {
 public:
  explicit PostgresPulse(PostgresOptions options) : options_(std::move(options)) {}
  ~PostgresPulse();  // a knock under way ends first

  void note_silence();  // returns at once
  bool is_away() const { return away_; }
  // How often it was found to be away: a connection from before is worth nothing afterwards.
  std::uint64_t times_away() const { return times_away_; }
  Error why() const;  // for who is refused

 private:
  void watch();
  const PostgresOptions options_;
  std::atomic<bool> away_ = false;
  std::atomic<std::uint64_t> times_away_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, stopping_ = false;
  Error why_;           // the last knock was not answered
  std::thread thread_;  // from the first silence on
};

}  // namespace pandora
