// The rows of `pandora doctor` about an instance of the stack: of the present folder, when `pandora init` made it.
#pragma once
#include <string>
#include <vector>

#include "cli/doctor.h"

namespace pandora {

// Adds nothing where there is no instance: without containers nobody needs Docker.
void examine_stack(const std::string& folder, std::vector<CheckResult>& results);

}  // namespace pandora
