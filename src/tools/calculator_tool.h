// `calculate`: calculator.h as a tool.
#pragma once
#include "tools/tool.h"

namespace pandora {

std::shared_ptr<Tool> make_calculator_tool();

}  // namespace pandora
