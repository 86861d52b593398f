// `pandora config --check`: connects to every server that the configuration names.
#pragma once
#include "base/config.h"

namespace pandora {

// One line each: what was found, or what is wrong and the remedy. The exit code of the first failure, or 0.
int check_servers(const Config& config, bool json);

}  // namespace pandora
