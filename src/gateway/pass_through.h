// A request that is no turn: it goes to the model and its answer to the client, and leaves no trace.
#pragma once
#include <memory>

#include "pipeline/turn_runtime.h"

namespace pandora {

// Runs work soon, never within the call that asks for it.
using RunLater = std::function<void(std::function<void()>)>;

// Ends with on_reply_end and on_finished, as a turn does; the latter by `later`. `model` outlives it.
std::shared_ptr<RunningTurn> pass_through(ChatModel& model, ChatRequest request, const Deadline& deadline,
                                          std::shared_ptr<TurnListener> listener, RunLater later);

}  // namespace pandora
