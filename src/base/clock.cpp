#include "base/clock.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

// A reader of fixed-width digits: `take` fails once the text does not fit, and stays failed.
class Digits {
 public:
  explicit Digits(std::string_view text) : text_(text) {}
  int take(std::size_t width) {
    int value = 0;
    if (text_.size() < width) return ok_ = false, 0;
    const auto parsed = std::from_chars(text_.data(), text_.data() + width, value);
    ok_ = ok_ && parsed.ec == std::errc() && parsed.ptr == text_.data() + width && text_[0] != '-';
    text_.remove_prefix(width);
    return value;
  }
  void expect(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_[0]) == std::string_view::npos) {
      ok_ = false;
      return;
    }
    text_.remove_prefix(1);
  }
  // Up to six digits count, as microseconds; further ones are cut.
  std::int64_t fraction() {
    std::int64_t micros = 0, unit = kMicrosPerSecond / 10;
    std::size_t digits = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') {
      micros += (text_[digits] - '0') * unit;
      unit /= 10;
      ++digits;
    }
    ok_ = ok_ && digits > 0;
    text_.remove_prefix(digits);
    return micros;
  }
  bool at_end() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_[0]; }
  bool ok() const { return ok_; }

 private:
  std::string_view text_;
  bool ok_ = true;
};

Timestamp start_of(int year) {
  const std::chrono::year_month_day first{std::chrono::year(year), std::chrono::January, std::chrono::day(1)};
  return {std::chrono::sys_days(first).time_since_epoch().count() * kMicrosPerDay};
}

}  // namespace

std::string to_iso8601(Timestamp time) {
  using namespace std::chrono;
  const sys_time<microseconds> point{microseconds(time.micros)};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss clock{point - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<Timestamp> parse_iso8601(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no time", text),
                "write it as 2026-01-05 or 2026-01-05T10:00:00Z");
  };
  Digits digits(text);
  const int year = digits.take(4);
  digits.expect("-");
  const int month = digits.take(2);
  digits.expect("-");
  const int day = digits.take(2);
  int hour = 0, minute = 0, second = 0, offset_minutes = 0;
  std::int64_t micros = 0;
  if (digits.ok() && !digits.at_end()) {
    digits.expect("Tt ");
    hour = digits.take(2);
    digits.expect(":");
    minute = digits.take(2);
    if (digits.peek() == ':') {
      digits.expect(":");
      second = digits.take(2);
      if (digits.peek() == '.') {
        digits.expect(".");
        micros = digits.fraction();
      }
    }
    if (digits.peek() == 'Z' || digits.peek() == 'z') {
      digits.expect("Zz");
    } else if (digits.peek() == '+' || digits.peek() == '-') {
      const int sign = digits.peek() == '-' ? -1 : 1;
      digits.expect("+-");
      const int hours = digits.take(2);
      if (digits.peek() == ':') digits.expect(":");
      offset_minutes = sign * (hours * 60 + (digits.at_end() ? 0 : digits.take(2)));
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!digits.ok() || !digits.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60) return wrong();
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = (hour * 60 + minute - offset_minutes) * 60LL + second;
  const Timestamp time{days * kMicrosPerDay + seconds * kMicrosPerSecond + micros};
  // Years of four digits, in UTC too: there is no year 0 for some of those that keep it, and none of five is read
  // again.
  if (time < start_of(1) || time >= start_of(10'000)) return wrong();
  return time;
}

Timestamp SystemClock::now() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(now).count()};
}
SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }
Duration SystemClock::zone_offset(Timestamp at) const {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(Duration(at.micros)).count();
  std::tm local{};
  return ::localtime_r(&seconds, &local) ? Duration(std::chrono::seconds(local.tm_gmtoff)) : Duration(0);
}

Duration Deadline::remaining() const {
  if (!clock_) return Duration::max();
  return std::max(Duration(0), std::chrono::duration_cast<Duration>(at_ - clock_->steady()));
}

Deadline Deadline::at_most(const Clock& clock, Duration budget) const {
  const Deadline other = after(clock, budget);
  return clock_ && at_ <= other.at_ ? *this : other;
}

Status Deadline::check(std::string_view what) const {
  if (!expired()) return {};
  return fail(ErrorCode::kDeadlineExceeded, fmt::format("{} took longer than allowed", what));
}

}  // namespace pandora
