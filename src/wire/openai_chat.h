// OpenAI's chat completions as values, both ways. Pure.
//
// What is not known is kept (`extra`) and written back, so that a gateway forwards it untouched. Requests are read
// strictly (kInvalidArgument with the place); what servers answer is read with patience: missing fields, nulls and the
// deviations named below are common (kUnavailable with the place when it makes no sense at all).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::size_t kMaxChatBytes = 64 << 20;  // of a request or a whole answer; images come inside

struct OpenAiToolCall {
  std::optional<int> index;  // in streams; some servers leave it out
  std::string id, type, name;
  std::string arguments;  // JSON text; given as an object by some servers, and then written as text here
  Json extra = Json::object();
};

struct OpenAiMessage {
  std::string role;
  Json content;  // null, a string, or an array of parts
  std::vector<OpenAiToolCall> tool_calls;
  std::string tool_call_id;
  Json extra = Json::object();
  std::string text() const;                     // of the content's text parts, joined by '\n'
  std::vector<std::string> image_urls() const;  // of its image parts, data URLs among them
};

struct OpenAiChatRequest {
  std::string model;
  std::vector<OpenAiMessage> messages;
  bool stream = false;
  bool include_usage = false;  // of stream_options
  std::optional<double> temperature;
  std::optional<std::int64_t> max_tokens, max_completion_tokens;
  std::vector<Json> tools;
  Json tool_choice, response_format, metadata;  // null: not given
  std::string user;
  Json extra = Json::object();
};
Result<OpenAiChatRequest> decode_chat_request(std::string_view body, std::size_t max_bytes = kMaxChatBytes);
// An empty list of tools is left out: vLLM answers it with 400.
std::string encode_chat_request(const OpenAiChatRequest& request);

struct OpenAiUsage {
  std::int64_t prompt_tokens = 0, completion_tokens = 0, total_tokens = 0;
  Json extra = Json::object();
};
struct OpenAiChoice {
  int index = 0;
  OpenAiMessage message;
  std::string finish_reason;  // empty: null
  Json extra = Json::object();
};
struct OpenAiChatResponse {
  std::string id, model;
  std::int64_t created = 0;
  std::vector<OpenAiChoice> choices;
  std::optional<OpenAiUsage> usage;
  Json extra = Json::object();
};
Result<OpenAiChatResponse> decode_chat_response(std::string_view body, std::size_t max_bytes = kMaxChatBytes);
std::string encode_chat_response(const OpenAiChatResponse& response);

struct OpenAiDelta {
  std::optional<std::string> role, content;
  std::vector<OpenAiToolCall> tool_calls;
  Json extra = Json::object();  // "reasoning_content" and the like
};
struct OpenAiChunkChoice {
  int index = 0;
  OpenAiDelta delta;
  std::string finish_reason;  // empty: null
  Json extra = Json::object();
};
// The data of one event of a stream. Bytes that are no UTF-8 (a character cut between two chunks) come through in
// `content` and in `arguments` as they are: a Utf8Joiner makes them whole.
struct OpenAiChatChunk {
  std::string id, model;
  std::int64_t created = 0;
  std::vector<OpenAiChunkChoice> choices;  // empty beside the usage at the end
  std::optional<OpenAiUsage> usage;
  Json extra = Json::object();
};
// An error object in a stream is that error.
Result<OpenAiChatChunk> decode_chat_chunk(std::string_view data);
std::string encode_chat_chunk(const OpenAiChatChunk& chunk);

// ── errors ──
struct OpenAiError {
  int status = 500;
  std::string message, type, code;  // of the error object; message is never empty
};
// Whatever a server sends with a status that is no success: OpenAI's object, vLLM's, FastAPI's, plain text, or the HTML
// page of a proxy, of which the title is kept. Never fails.
OpenAiError decode_openai_error(int status, std::string_view body);
// As an error of ours, about `server`: 400 and 422 kInvalidArgument, 401, 403, 404, 413 and 429 as their names say, 408
// and 504 kDeadlineExceeded, the rest kUnavailable.
Error to_error(const OpenAiError& error, std::string_view server);
std::string encode_openai_error(const Error& error);

}  // namespace pandora
