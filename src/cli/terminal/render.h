// The human form of an operation's result. `--json` prints the result itself. Pure.
#pragma once
#include <string>
#include <string_view>

#include "wire/json_reader.h"

namespace pandora {

std::string render_result(std::string_view operation, const Json& result);

}  // namespace pandora
