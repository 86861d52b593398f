// Scope by use: new → user after 3 uses, trust ≥ 0.50, age ≥ 1 h; user → global after 10 uses, trust ≥ 0.80, age ≥ 24
// h; demoted one step when the trust it needed is gone. Pure; one step a call.
#pragma once
#include "base/clock.h"
#include "domain/principal.h"

namespace pandora {

Scope next_scope(Scope current, int uses, double trust, Duration age);

}  // namespace pandora
