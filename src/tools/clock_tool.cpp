#include "tools/clock_tool.h"

#include <date/tz.h>
#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr const char* kSchema = R"({"type": "object", "properties": {
  "zone": {"type": "string", "minLength": 1, "maxLength": 64, "description": "such as Europe/Madrid or UTC; none: the user's own"}},
  "additionalProperties": false})";

std::string shown(Timestamp at, std::int64_t offset_seconds, std::string_view zone) {
  const Timestamp local = at + std::chrono::seconds(offset_seconds);
  const std::int64_t days =
      (local.micros - (local.micros % 86'400'000'000 + 86'400'000'000) % 86'400'000'000) / 86'400'000'000;
  constexpr std::string_view kDays[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
  const std::int64_t minutes = offset_seconds / 60;
  return fmt::format("{}{}{:02}:{:02} ({}), {}", to_iso8601(local).substr(0, 19), minutes < 0 ? '-' : '+',
                     std::abs(minutes) / 60, std::abs(minutes) % 60,
                     kDays[static_cast<std::size_t>(((days + 3) % 7 + 7) % 7)], zone);
}

}  // namespace

Result<std::string> time_in_zone(Timestamp at, const std::string& zone) {
  const auto moment = date::sys_seconds(std::chrono::floor<std::chrono::seconds>(std::chrono::microseconds(at.micros)));
  try {
    const date::time_zone* found = date::locate_zone(zone);
    return shown(at, found->get_info(moment).offset.count(), found->name());
  } catch (const std::exception&) {
    try {
      (void)date::get_tzdb();
    } catch (const std::exception& error) {
      return fail(ErrorCode::kUnavailable, fmt::format("there is no time zone database: {}", one_line(error.what())),
                  "install tzdata");
    }
    return fail(ErrorCode::kNotFound, fmt::format("there is no time zone \"{}\"", ellipsize(one_line(zone), 64)),
                "name a region and a city, such as America/New_York");
  }
}

std::shared_ptr<Tool> make_clock_tool(const Clock& clock) {
  ToolInfo info;
  info.definition = {"clock", "The date and time now, in the user's zone or a named one.", kSchema};
  info.limits = {std::chrono::seconds(2), 1024, 120};
  return std::make_shared<FunctionTool>(info, [&clock](const ToolTask& task) -> Result<ToolOutcome> {
    const Timestamp now = clock.now();
    if (!task.arguments.contains("zone")) {
      const auto offset = std::chrono::duration_cast<std::chrono::seconds>(clock.zone_offset(now)).count();
      return ToolOutcome{.result = shown(now, offset, "the user's zone") + "; " + to_iso8601(now).substr(0, 19) + "Z"};
    }
    PANDORA_TRY(text, time_in_zone(now, task.arguments["zone"].get_ref<const std::string&>()));
    return ToolOutcome{.result = text};
  });
}

}  // namespace pandora
