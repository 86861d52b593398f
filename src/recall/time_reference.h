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

struct TimeReference {
  TimeRange range;
  bool any_year = false;  // "in May", "on 24 December": the latest; asked with `range.from` as now, the one before it
};

// The first one that is named, if none says its year; else the first that does ("last Friday, 23 January 2022"). None:
// no time is named. `zone_offset`: local time minus UTC at `now`.
std::optional<TimeReference> referenced_time(std::string_view question, Timestamp now, Duration zone_offset);

}  // namespace pandora
