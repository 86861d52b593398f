#include "gateway/responses.h"

#include <fmt/format.h>

namespace pandora {
namespace {

Json error_object(const std::string& message, std::string_view type, const Json& code) {
  return {{"error", {{"message", message}, {"type", type}, {"param", Json()}, {"code", code}}}};
}

// What OpenAI calls a status, when the server does not say.
std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

}  // namespace

HttpResponse json_response(const Json& json, int status) {
  return {status, {{"Content-Type", "application/json"}}, dump_json(json)};
}

HttpResponse model_not_found(const Error& error) {
  return json_response(error_object(error.to_line(), "invalid_request_error", "model_not_found"), 404);
}

HttpResponse openai_refusal(int status, std::string_view message, std::string_view type, const Json& code) {
  return json_response(error_object(std::string(message), type, code), status);
}

HttpResponse method_not_allowed(std::string_view method, const std::string& allowed) {
  HttpResponse response = json_response(error_object(fmt::format("{} is not allowed here; use {}", method, allowed),
                                                     "invalid_request_error", "method_not_allowed"),
                                        405);
  response.headers.add("Allow", allowed);
  return response;
}

std::string refusal_body(const ChatRefusal& refusal) {
  return dump_json(error_object(refusal.message, refusal.type.empty() ? type_of(refusal.status) : refusal.type,
                                refusal.code.empty() ? Json() : Json(refusal.code)));
}

HttpResponse refusal_response(const ChatRefusal& refusal) {
  HttpResponse response{refusal.status, {{"Content-Type", "application/json"}}, refusal_body(refusal)};
  if (!refusal.retry_after.empty()) response.headers.add("Retry-After", refusal.retry_after);
  return response;
}

}  // namespace pandora
