// Wakes the cold ones among [model_servers.*] through the supervisor of `pandora up`.
#pragma once
#include <memory>

#include "base/clock.h"
#include "base/config.h"
#include "models/server_waker.h"

namespace pandora {

// Null: the configuration has none. `clock` outlives it. Where no supervisor runs a server is not woken, but asked all
// the same: somebody may have started it by hand.
Result<std::unique_ptr<ServerWaker>> open_sleeping_servers(const Config& config, const Clock& clock);

}  // namespace pandora
