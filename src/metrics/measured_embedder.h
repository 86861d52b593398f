// An encoder that is counted and timed.
#pragma once
#include <memory>

#include "metrics/metrics.h"
#include "ports/embedder.h"

namespace pandora {

// `metrics` and `clock` outlive it.
std::unique_ptr<Embedder> measured(std::shared_ptr<Embedder> embedder, Metrics& metrics, const Clock& clock);

}  // namespace pandora
