// A chat model whose calls are counted and timed.
#pragma once
#include <memory>

#include "metrics/metrics.h"
#include "ports/chat_model.h"

namespace pandora {

// `metrics` and `clock` outlive it.
std::unique_ptr<ChatModel> measured(std::unique_ptr<ChatModel> model, Metrics& metrics, const Clock& clock);

}  // namespace pandora
