// `clock`: the time, in the user's zone or a named one of the system's time zone database.
#pragma once
#include "tools/tool.h"

namespace pandora {

// "2026-11-25T18:04:00+01:00 (Wednesday), Europe/Madrid". kNotFound: no such zone; kUnavailable: no database.
Result<std::string> time_in_zone(Timestamp at, const std::string& zone);

std::shared_ptr<Tool> make_clock_tool(const Clock& clock);

}  // namespace pandora
