// Any OpenAI-compatible server as a ChatModel.
//
// A call goes to the first of its role's servers that is not resting; what fails before a byte of an answer has come is
// tried at the next one, and again after a pause, at most `attempts` times in all. An answer that breaks off is an
// error: what was said cannot be taken back. Tokens are what the server reports (asked for where it lets itself be
// asked), otherwise 0. Errors: those of wire/openai_chat.h's to_error for what the server answers; kUnavailable,
// kDeadlineExceeded (of the call or of model.first_token_ms and model.idle_ms), kTooLarge, kCancelled; each names the
// server.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "models/model_settings.h"
#include "models/server_waker.h"
#include "ports/chat_model.h"

namespace pandora {

// `client`, `clock`, `random` and `waker` outlive the model, and the model its calls. A server that sleeps is woken
// before it is asked, and stays awake while the call goes on; without a waker it is asked like any other.
std::unique_ptr<ChatModel> make_openai_chat_model(ModelSettings settings, HttpClient& client, const Clock& clock,
                                                  Random& random, ServerWaker* waker = nullptr);

// The names of a server's models, for whoever looks whether it is there. Blocks.
Result<std::vector<std::string>> list_models(HttpClient& client, const ModelServerSettings& server, const Clock& clock,
                                             const Deadline& deadline);

}  // namespace pandora
