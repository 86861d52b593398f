#include "recall/time_reference.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

constexpr const char* kNow = "2026-11-25T09:30:00Z";  // a Wednesday

// The days that are named, as "from..to" (to is not part of it); "none" when no time is.
std::string days(const std::string& question, Duration zone = {}, const std::string& now = kNow) {
  const auto range = referenced_time(question, parse_iso8601(now).value(), zone);
  if (!range) return "none";
  return to_iso8601(range->range.from + zone).substr(0, 10) + ".." + to_iso8601(range->range.to + zone).substr(0, 10);
}

struct Example {
  const char* question;
  const char* range;
};

TEST(TimeReference, EachFormNamesItsDays) {
  for (const auto& [question, range] : {
           Example{"What did I eat today?", "2026-11-25..2026-11-26"},
           {"What did I say this morning?", "2026-11-25..2026-11-26"},
           {"And yesterday?", "2026-11-24..2026-11-25"},
           {"who called the day before yesterday", "2026-11-23..2026-11-24"},
           {"What did we talk about last night?", "2026-11-24..2026-11-25"},
           {"What did I tell you last Tuesday?", "2026-11-24..2026-11-25"},
           {"What did I tell you last Wednesday?", "2026-11-18..2026-11-19"},
           {"What did I say on Wednesday?", "2026-11-25..2026-11-26"},
           {"What did I say on Thursday?", "2026-11-19..2026-11-20"},
           {"the plan of last week", "2026-11-16..2026-11-23"},
           {"what happened this week", "2026-11-23..2026-11-30"},
           {"last month", "2026-10-01..2026-11-01"},
           {"this year", "2026-01-01..2027-01-01"},
           {"past year", "2025-01-01..2026-01-01"},
           {"three days ago", "2026-11-22..2026-11-23"},
           {"a week ago", "2026-11-16..2026-11-23"},
           {"2 weeks ago", "2026-11-09..2026-11-16"},
           {"a couple of months ago", "2026-09-01..2026-10-01"},
           {"twelve years ago", "2014-01-01..2015-01-01"},
           {"What happened in May?", "2026-05-01..2026-06-01"},
           {"What happened in December?", "2025-12-01..2026-01-01"},
           {"last November", "2025-11-01..2025-12-01"},
           {"this November", "2026-11-01..2026-12-01"},
           {"What did Ana do in June 2023?", "2023-06-01..2023-07-01"},
           {"on 3 July 2023", "2023-07-03..2023-07-04"},
           {"on the 3rd of July, 2023", "2023-07-03..2023-07-04"},
           {"On October 13, 2023 she painted", "2023-10-13..2023-10-14"},
           {"on July 3", "2026-07-03..2026-07-04"},
           {"on 24 December", "2025-12-24..2025-12-25"},
           {"on 29 February 2024", "2024-02-29..2024-03-01"},
           {"2023-07-03, what was that?", "2023-07-03..2023-07-04"},
           {"Which trips did I make in 2024?", "2024-01-01..2025-01-01"},
       })
    EXPECT_EQ(days(question), range) << question;
}

TEST(TimeReference, WhatOnlyLooksLikeATimeIsNone) {
  for (const char* question :
       {"", "May I ask you something?", "You march on", "Who is May?", "My favourite number is 2023", "turn 12",
        "next Tuesday", "every Monday", "How many days are a week?", "30 February 2024 is wrong on 30 February",
        "on 2023-13-01", "the last one", "this one", "0 days ago", "99999 years ago", "a long time ago",
        "\xff\xfe\x80"})
    EXPECT_EQ(days(question), "none") << question;
}

TEST(TimeReference, DaysBeginAtTheUsersMidnight) {
  const Duration tokyo = std::chrono::hours(9), lima = -std::chrono::hours(5);
  EXPECT_EQ(days("yesterday", tokyo, "2026-11-25T16:00:00Z"), "2026-11-25..2026-11-26") << "there it is the 26th";
  EXPECT_EQ(days("yesterday", lima, "2026-11-25T03:00:00Z"), "2026-11-23..2026-11-24") << "there it is still the 24th";
  const auto today = referenced_time("today", parse_iso8601(kNow).value(), tokyo);
  ASSERT_TRUE(today);
  const TimeRange range = today->range;
  EXPECT_EQ(to_iso8601(range.from), "2026-11-24T15:00:00.000000Z");
  EXPECT_TRUE(range.holds(range.from));
  EXPECT_FALSE(range.holds(range.to));
}

TEST(TimeReference, TheFirstOneCountsAndOneWithItsYearBeforeAnyOther) {
  EXPECT_EQ(days("yesterday or last week?"), "2026-11-24..2026-11-25");
  EXPECT_EQ(days("What did I finish last Friday on 23 January, 2022?"), "2022-01-23..2022-01-24");
  EXPECT_EQ(days("on 1 May 2020 or on 2 May 2021"), "2020-05-01..2020-05-02");
}

TEST(TimeReference, OneWithoutItsYearCanBeAskedForInTheYearBefore) {
  const auto now = parse_iso8601(kNow).value();
  auto may = referenced_time("What happened in May?", now, {});
  ASSERT_TRUE(may);
  EXPECT_TRUE(may->any_year);
  may = referenced_time("What happened in May?", may->range.from - Duration(1), {});
  ASSERT_TRUE(may);
  EXPECT_EQ(to_iso8601(may->range.from), "2025-05-01T00:00:00.000000Z");
  for (const char* question : {"yesterday", "in May 2020", "in 2020", "last May"})
    EXPECT_FALSE(referenced_time(question, now, {})->any_year) << question;
}

}  // namespace
}  // namespace pandora
