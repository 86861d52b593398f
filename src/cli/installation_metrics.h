// What of an installation /metrics shows: its turns, and what waits in its stores.
#pragma once
#include <string>
#include <vector>

#include "metrics/metrics.h"
#include "pipeline/turn_runtime.h"
#include "ports/stores.h"
#include "turns/turn_saver.h"

namespace pandora {

void count_turn(Metrics& metrics, const TurnReport& report);
// What does not answer in time is left out.
void add_store_samples(const Stores& stores, TurnSaver& saver, const std::string& root, std::vector<Sample>& samples);

}  // namespace pandora
