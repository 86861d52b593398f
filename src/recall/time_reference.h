// The time that a question names: "last Tuesday", "three weeks ago", "in May", "on 3 July 2023". Pure.
//
// English; by rules. Days begin at midnight of the user's zone, weeks on Monday. A weekday or month without a year is
// the latest one that is not in the future; "last" and "past" leave today, this week, this month and this year out.
// "May", "March" and a bare number count only where their neighbours make them a date ("in May", "May 3", "in 2023").
#pragma once
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace pandora {

struct TimeRange {
  Timestamp from, to;  // [from, to)
  bool holds(Timestamp at) const { return from <= at && at < to; }
  bool operator==(const TimeRange&) const = default;
};

// The first one that is named; none: no time is. `zone_offset`: local time minus UTC at `now`.
std::optional<TimeRange> referenced_time(std::string_view question, Timestamp now, Duration zone_offset);

}  // namespace pandora
