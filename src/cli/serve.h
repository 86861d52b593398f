// `pandora serve`: the Gateway in this process, until SIGTERM or Ctrl-C; a second one ends it at once.
#pragma once
#include "base/config.h"

namespace pandora {

// The exit code. With `json` the URL is printed as JSON on stdout once it listens.
int serve(const Config& config, bool json);

}  // namespace pandora
