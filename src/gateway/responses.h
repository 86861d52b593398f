// Answers as HTTP: JSON, errors in OpenAI's shape. Pure.
#pragma once
#include <string>

#include "net/http_types.h"
#include "ports/chat_model.h"
#include "wire/json_reader.h"

namespace pandora {

HttpResponse json_response(const Json& json, int status = 200);
// A model that does not exist: 404 with the code that OpenAI's clients look for.
HttpResponse model_not_found(const Error& error);
HttpResponse method_not_allowed(std::string_view method, const std::string& allowed);
// A refusal of ours in OpenAI's words: its type and code, null for none.
HttpResponse openai_refusal(int status, std::string_view message, std::string_view type, const Json& code);
// A model server's refusal, as it gave it: status, type, code, Retry-After.
HttpResponse refusal_response(const ChatRefusal& refusal);
// The error object alone, for a stream that has begun.
std::string refusal_body(const ChatRefusal& refusal);

}  // namespace pandora
