// Time, injected. Nothing but `SystemClock` asks the operating system; tests tick a `ManualClock`.
//
// Wall time is UTC in microseconds since 1970 and may jump, also backwards; steady time never does and is what
// deadlines and durations use. Both are thread-safe to read.
#pragma once
#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

struct Timestamp {
  std::int64_t micros = 0;  // UTC, microseconds since the Unix epoch
  auto operator<=>(const Timestamp&) const = default;
};
using Duration = std::chrono::microseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

inline Timestamp operator+(Timestamp t, Duration d) { return {t.micros + d.count()}; }
inline Timestamp operator-(Timestamp t, Duration d) { return {t.micros - d.count()}; }
inline Duration operator-(Timestamp a, Timestamp b) { return Duration(a.micros - b.micros); }

struct TimeRange {
  Timestamp from, to;  // [from, to)
  bool holds(Timestamp at) const { return from <= at && at < to; }
  bool operator==(const TimeRange&) const = default;
};

// "2026-01-05T10:00:00.000000Z": fixed width, so that text order is time order.
std::string to_iso8601(Timestamp time);
// RFC 3339, with or without fraction, zone or time of day ("2026-01-05"); no zone means UTC.
Result<Timestamp> parse_iso8601(std::string_view text);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual SteadyTime steady() const = 0;
  // The user's local time minus UTC at that moment; for "yesterday" and the like, not for what is stored.
  virtual Duration zone_offset(Timestamp) const { return {}; }
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
  SteadyTime steady() const override;
  Duration zone_offset(Timestamp at) const override;  // of TZ, or the machine's
};

// A clock that stands still until told. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = {1'767'600'000'000'000}) : wall_(start.micros) {}
  Timestamp now() const override { return {wall_.load()}; }
  SteadyTime steady() const override { return SteadyTime(std::chrono::microseconds(steady_.load())); }
  void advance(Duration by) { wall_ += by.count(), steady_ += by.count(); }
  void set_wall(Timestamp time) { wall_ = time.micros; }  // a jump, as an NTP step makes it

 private:
  std::atomic<std::int64_t> wall_;
  std::atomic<std::int64_t> steady_{1'000'000};
};

// The moment by which a call must have answered. Cheap to copy, passed last to every call that may wait.
class Deadline {
 public:
  static Deadline never() { return Deadline(); }
  static Deadline after(const Clock& clock, Duration budget) { return Deadline(&clock, clock.steady() + budget); }

  bool expired() const { return clock_ && clock_->steady() >= at_; }
  // Time left, never negative; Duration::max() for never().
  Duration remaining() const;
  // The earlier of this and `budget` from now.
  Deadline at_most(const Clock& clock, Duration budget) const;
  // An error when expired, naming what was being done.
  Status check(std::string_view what) const;

 private:
  Deadline() = default;
  Deadline(const Clock* clock, SteadyTime at) : clock_(clock), at_(at) {}
  const Clock* clock_ = nullptr;  // null: never expires
  SteadyTime at_{};
};

}  // namespace pandora
