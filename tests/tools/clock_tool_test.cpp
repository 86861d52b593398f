#include "tools/clock_tool.h"

#include <gtest/gtest.h>

#include "contract/expect.h"

namespace pandora {
namespace {

Timestamp at(const char* text) { return must(parse_iso8601(text)); }

TEST(ClockTool, KnowsZonesAndTheirSummerTime) {
  EXPECT_EQ(must(time_in_zone(at("2026-01-05T10:00:00Z"), "Europe/Madrid")),
            "2026-01-05T11:00:00+01:00 (Monday), Europe/Madrid");
  EXPECT_EQ(must(time_in_zone(at("2026-07-05T10:00:00Z"), "Europe/Madrid")),
            "2026-07-05T12:00:00+02:00 (Sunday), Europe/Madrid");
  EXPECT_EQ(must(time_in_zone(at("2026-01-01T02:30:00Z"), "America/New_York")),
            "2025-12-31T21:30:00-05:00 (Wednesday), America/New_York");
  EXPECT_EQ(must(time_in_zone(at("2026-01-05T10:00:00Z"), "Asia/Kathmandu")),
            "2026-01-05T15:45:00+05:45 (Monday), Asia/Kathmandu");
  EXPECT_EQ(must(time_in_zone(at("1969-12-31T23:00:00Z"), "UTC")).substr(0, 37),
            "1969-12-31T23:00:00+00:00 (Wednesday)");
}

TEST(ClockTool, AZoneThatIsNoneIsNotFound) {
  for (const char* zone : {"Middle/Earth", "", "../../etc/passwd", "europe/madrid\n"})
    EXPECT_FAILS(kNotFound, time_in_zone(at("2026-01-05T10:00:00Z"), zone)) << zone;
}

TEST(ClockTool, WithoutAZoneItIsTheUsers) {
  const ManualClock clock(at("2026-01-05T10:00:00Z"));
  const auto tool = make_clock_tool(clock);
  const ToolCaller caller{Principal::of(must(UserId::parse("ana")))};
  const std::atomic<bool> stop = false;
  const Json none = Json::object();
  EXPECT_EQ(must(tool->run({none, caller, kNever, stop})).result,
            "2026-01-05T10:00:00+00:00 (Monday), the user's zone; 2026-01-05T10:00:00Z");
}

}  // namespace
}  // namespace pandora
