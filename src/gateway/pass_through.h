// A request that is no turn: it goes to the model and its answer to the client, and leaves no trace.
#pragma once
#include <memory>

#include "pipeline/turn_runtime.h"

namespace pandora {

// Ends with on_reply_end and on_finished, as a turn does. `model` outlives it.
std::shared_ptr<RunningTurn> pass_through(ChatModel& model, ChatRequest request, const Deadline& deadline,
                                          std::shared_ptr<TurnListener> listener, RunBlocking blocking);

}  // namespace pandora
