#include "wire/openai_chat.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

// ── bytes that are no UTF-8 pass through JSON's parser as private code points, U+10FE80 to U+10FEFF ──

std::string hide_broken_bytes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = 1;
    while (length <= 4 && at + length <= text.size() && !is_valid_utf8(text.substr(at, length))) ++length;
    if (length <= 4 && at + length <= text.size()) {
      out += text.substr(at, length);
      at += length;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at++]);
    out += "\xF4\x8F";
    out += static_cast<char>(0xBA | (byte >> 6 & 1));
    out += static_cast<char>(0x80 | (byte & 0x3F));
  }
  return out;
}

std::string show_broken_bytes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool hidden = text.substr(at, 2) == "\xF4\x8F" && at + 3 < text.size() &&
                        (static_cast<unsigned char>(text[at + 2]) & 0xFE) == 0xBA;
    if (!hidden) {
      out += text[at];
      continue;
    }
    out += static_cast<char>(0x80 | (text[at + 2] & 1) << 6 | (text[at + 3] & 0x3F));
    at += 3;
  }
  return out;
}

// An object whose known fields are taken out one by one; the rest is kept.
class Fields {
 public:
  Fields(Json json, std::string place, ErrorCode code) : json_(std::move(json)), place_(std::move(place)), code_(code) {
    if (json_.is_object()) return;
    fault("", "must be an object");
    json_ = Json::object();
  }
  // Null when it is absent.
  Json take(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end()) return {};
    Json value = std::move(*found);
    json_.erase(found);
    return value;
  }
  std::optional<std::string> optional_text(const char* name) {
    const Json value = take(name);
    if (value.is_null()) return std::nullopt;
    if (value.is_string()) return value.get<std::string>();
    fault(name, "must be a string");
    return std::nullopt;
  }
  std::string text(const char* name) { return optional_text(name).value_or(""); }
  std::optional<double> number(const char* name) {
    const Json value = take(name);
    if (value.is_null()) return std::nullopt;
    if (value.is_number()) return value.get<double>();
    fault(name, "must be a number");
    return std::nullopt;
  }
  std::optional<std::int64_t> integer(const char* name) {
    const auto value = number(name);
    if (!value) return std::nullopt;
    if (std::trunc(*value) == *value && std::abs(*value) < 9e15) return static_cast<std::int64_t>(*value);
    fault(name, "must be a whole number");
    return std::nullopt;
  }
  bool boolean(const char* name) {
    const Json value = take(name);
    if (!value.is_null() && !value.is_boolean()) fault(name, "must be true or false");
    return value.is_boolean() && value.get<bool>();
  }
  Json array(const char* name) {
    Json value = take(name);
    if (value.is_array()) return value;
    if (!value.is_null()) fault(name, "must be an array");
    return Json::array();
  }
  std::string place_of(const char* name, std::size_t i) const { return fmt::format("{}.{}[{}]", place_, name, i); }
  std::string place_of(const char* name) const { return fmt::format("{}.{}", place_, name); }
  void fault(std::string_view name, std::string_view what) {
    if (!error_) error_ = Error{code_, fmt::format("{}{}{} {}", place_, name.empty() ? "" : ".", name, what), {}};
  }
  void absorb(const Fields& nested) {
    if (!error_) error_ = nested.error_;
  }
  Json rest() { return std::move(json_); }
  Status status() const { return error_ ? Status(fail(*error_)) : Status(); }

 private:
  Json json_;
  std::string place_;
  ErrorCode code_;
  std::optional<Error> error_;
};

Result<Fields> parse(std::string_view text, std::size_t max_bytes, const std::string& what, ErrorCode code) {
  auto json = parse_json(text, max_bytes, what);
  if (!json) return fail(json.error().code == ErrorCode::kTooLarge ? ErrorCode::kTooLarge : code, json.error().message);
  Fields fields(*std::move(json), what, code);
  PANDORA_CHECK(fields.status());
  return fields;
}

OpenAiToolCall read_tool_call(Json json, Fields& parent, std::size_t i, ErrorCode code) {
  Fields fields(std::move(json), parent.place_of("tool_calls", i), code);
  OpenAiToolCall call;
  const auto index = fields.integer("index");
  if (index && *index >= 0 && *index < std::numeric_limits<int>::max()) call.index = static_cast<int>(*index);
  call.id = fields.text("id");
  call.type = fields.text("type");
  if (Json function = fields.take("function"); !function.is_null()) {
    Fields inner(std::move(function), fields.place_of("function"), code);
    call.name = inner.text("name");
    const Json arguments = inner.take("arguments");
    if (arguments.is_string())
      call.arguments = arguments.get<std::string>();
    else if (!arguments.is_null())
      call.arguments = dump_json(arguments);
    if (Json rest = inner.rest(); !rest.empty()) fields.absorb(inner), call.extra["function"] = std::move(rest);
    fields.absorb(inner);
  }
  if (Json rest = fields.rest(); !rest.empty()) call.extra.update(rest);
  parent.absorb(fields);
  return call;
}

std::vector<OpenAiToolCall> read_tool_calls(Fields& fields, ErrorCode code) {
  std::vector<OpenAiToolCall> calls;
  for (auto& json : fields.array("tool_calls"))
    calls.push_back(read_tool_call(std::move(json), fields, calls.size(), code));
  return calls;
}

Json write_tool_call(const OpenAiToolCall& call) {
  Json json = call.extra;
  if (call.index) json["index"] = *call.index;
  if (!call.id.empty()) json["id"] = call.id;
  if (!call.type.empty()) json["type"] = call.type;
  Json& function = json["function"];
  if (!function.is_object()) function = Json::object();
  if (!call.name.empty()) function["name"] = call.name;
  function["arguments"] = call.arguments;
  return json;
}

Json write_tool_calls(const std::vector<OpenAiToolCall>& calls) {
  Json json = Json::array();
  for (const auto& call : calls) json.push_back(write_tool_call(call));
  return json;
}

OpenAiMessage read_message(Json json, Fields& parent, const std::string& place, ErrorCode code) {
  Fields fields(std::move(json), place, code);
  OpenAiMessage message;
  message.role = fields.text("role");
  message.content = fields.take("content");
  if (!message.content.is_null() && !message.content.is_string() && !message.content.is_array())
    fields.fault("content", "must be a string or an array of parts");
  message.tool_calls = read_tool_calls(fields, code);
  message.tool_call_id = fields.text("tool_call_id");
  message.extra = fields.rest();
  parent.absorb(fields);
  return message;
}

Json write_message(const OpenAiMessage& message) {
  Json json = message.extra;
  json["role"] = message.role;
  json["content"] = message.content;
  if (!message.tool_calls.empty()) json["tool_calls"] = write_tool_calls(message.tool_calls);
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  return json;
}

std::optional<OpenAiUsage> read_usage(Fields& parent, ErrorCode code) {
  Json json = parent.take("usage");
  if (!json.is_object()) return std::nullopt;
  Fields fields(std::move(json), parent.place_of("usage"), code);
  OpenAiUsage usage;
  usage.prompt_tokens = fields.integer("prompt_tokens").value_or(0);
  usage.completion_tokens = fields.integer("completion_tokens").value_or(0);
  usage.total_tokens = fields.integer("total_tokens").value_or(usage.prompt_tokens + usage.completion_tokens);
  usage.extra = fields.rest();
  parent.absorb(fields);
  return usage;
}

Json write_usage(const OpenAiUsage& usage) {
  Json json = usage.extra;
  json["prompt_tokens"] = usage.prompt_tokens;
  json["completion_tokens"] = usage.completion_tokens;
  json["total_tokens"] = usage.total_tokens;
  return json;
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// An error object where an answer should be.
Status check_no_error(Fields& fields, std::string_view whole) {
  const Json error = fields.take("error");
  if (error.is_null()) return {};
  const auto status = error.is_object() ? error.value("code", Json()) : Json();
  const int code = status.is_number_integer() ? status.get<int>() : 500;
  return fail(to_error(decode_openai_error(code >= 400 && code < 600 ? code : 500, whole), "the model server"));
}

Json write_delta(const OpenAiDelta& delta) {
  Json json = delta.extra;
  if (delta.role) json["role"] = *delta.role;
  if (delta.content) json["content"] = *delta.content;
  if (!delta.tool_calls.empty()) json["tool_calls"] = write_tool_calls(delta.tool_calls);
  return json;
}

// A whole answer, whose choices have messages, or a piece of one, whose choices have deltas.
template <class Answer, class Write>
std::string encode_answer(const Answer& answer, const char* object, const char* part, Write write) {
  Json json = answer.extra;
  json["id"] = answer.id;
  json["object"] = object;
  json["created"] = answer.created;
  json["model"] = answer.model;
  Json choices = Json::array();
  for (const auto& choice : answer.choices) {
    Json one = choice.extra;
    one["index"] = choice.index;
    one[part] = write(choice);
    one["finish_reason"] = or_null(choice.finish_reason);
    choices.push_back(std::move(one));
  }
  json["choices"] = std::move(choices);
  if (answer.usage) json["usage"] = write_usage(*answer.usage);
  return dump_json(json);
}

}  // namespace

std::string OpenAiMessage::text() const {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const auto& part : content) {
    if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) continue;
    if (!text.empty()) text += '\n';
    text += part["text"].get<std::string>();
  }
  return text;
}

std::vector<std::string> OpenAiMessage::image_urls() const {
  std::vector<std::string> urls;
  if (!content.is_array()) return urls;
  for (const auto& part : content) {
    if (!part.is_object()) continue;
    const auto found = part.find("image_url");
    if (found == part.end()) continue;
    if (found->is_string())
      urls.push_back(found->get<std::string>());
    else if (found->is_object() && found->contains("url") && (*found)["url"].is_string())
      urls.push_back((*found)["url"].get<std::string>());
  }
  return urls;
}

Result<OpenAiChatRequest> decode_chat_request(std::string_view body, std::size_t max_bytes) {
  constexpr ErrorCode kCode = ErrorCode::kInvalidArgument;
  PANDORA_TRY(fields, parse(body, max_bytes, "request", kCode));
  OpenAiChatRequest request;
  request.model = fields.text("model");
  for (auto& json : fields.array("messages")) {
    const std::string place = fields.place_of("messages", request.messages.size());
    OpenAiMessage message = read_message(std::move(json), fields, place, kCode);
    if (message.role.empty() && fields.status())
      fields.fault(fmt::format("messages[{}].role", request.messages.size()), "is missing");
    request.messages.push_back(std::move(message));
  }
  if (request.messages.empty()) fields.fault("messages", "must hold at least one message");
  request.stream = fields.boolean("stream");
  if (Json options = fields.take("stream_options"); !options.is_null()) {
    Fields inner(std::move(options), fields.place_of("stream_options"), kCode);
    request.include_usage = inner.boolean("include_usage");
    if (Json rest = inner.rest(); !rest.empty()) request.extra["stream_options"] = std::move(rest);
    fields.absorb(inner);
  }
  request.temperature = fields.number("temperature");
  request.max_tokens = fields.integer("max_tokens");
  request.max_completion_tokens = fields.integer("max_completion_tokens");
  for (auto& tool : fields.array("tools")) {
    if (!tool.is_object()) fields.fault(fmt::format("tools[{}]", request.tools.size()), "must be an object");
    request.tools.push_back(std::move(tool));
  }
  request.tool_choice = fields.take("tool_choice");
  request.response_format = fields.take("response_format");
  request.metadata = fields.take("metadata");
  request.user = fields.text("user");
  PANDORA_CHECK(fields.status());
  request.extra.update(fields.rest());
  return request;
}

std::string encode_chat_request(const OpenAiChatRequest& request) {
  Json json = request.extra;
  json["model"] = request.model;
  Json messages = Json::array();
  for (const auto& message : request.messages) messages.push_back(write_message(message));
  json["messages"] = std::move(messages);
  if (request.stream) json["stream"] = true;
  if (request.stream && request.include_usage) json["stream_options"]["include_usage"] = true;
  if (!request.stream) json.erase("stream_options");
  if (request.temperature) json["temperature"] = *request.temperature;
  if (request.max_tokens) json["max_tokens"] = *request.max_tokens;
  if (request.max_completion_tokens) json["max_completion_tokens"] = *request.max_completion_tokens;
  if (!request.tools.empty()) json["tools"] = request.tools;
  if (!request.tools.empty() && !request.tool_choice.is_null()) json["tool_choice"] = request.tool_choice;
  if (!request.response_format.is_null()) json["response_format"] = request.response_format;
  if (!request.metadata.is_null()) json["metadata"] = request.metadata;
  if (!request.user.empty()) json["user"] = request.user;
  return dump_json(json);
}

Result<OpenAiChatResponse> decode_chat_response(std::string_view body, std::size_t max_bytes) {
  constexpr ErrorCode kCode = ErrorCode::kUnavailable;
  const std::string clean = is_valid_utf8(body) ? std::string() : sanitize_utf8(body);
  PANDORA_TRY(fields, parse(clean.empty() ? body : clean, max_bytes, "answer", kCode));
  PANDORA_CHECK(check_no_error(fields, body));
  OpenAiChatResponse response;
  response.id = fields.text("id");
  response.model = fields.text("model");
  response.created = fields.integer("created").value_or(0);
  for (auto& json : fields.array("choices")) {
    const std::string place = fields.place_of("choices", response.choices.size());
    Fields inner(std::move(json), place, kCode);
    OpenAiChoice choice;
    choice.index =
        static_cast<int>(inner.integer("index").value_or(static_cast<std::int64_t>(response.choices.size())));
    choice.message = read_message(inner.take("message"), inner, place + ".message", kCode);
    choice.finish_reason = inner.text("finish_reason");
    for (std::size_t i = 0; i < choice.message.tool_calls.size(); ++i) {
      OpenAiToolCall& call = choice.message.tool_calls[i];
      call.index.reset();  // belongs to streams
      if (call.id.empty()) call.id = fmt::format("call_{}", i);
      if (call.type.empty()) call.type = "function";
    }
    if (!choice.message.tool_calls.empty() && choice.finish_reason == "stop") choice.finish_reason = "tool_calls";
    choice.extra = inner.rest();
    fields.absorb(inner);
    response.choices.push_back(std::move(choice));
  }
  response.usage = read_usage(fields, kCode);
  PANDORA_CHECK(fields.status());
  if (response.choices.empty()) return fail(kCode, "answer.choices is empty");
  response.extra = fields.rest();
  return response;
}

std::string encode_chat_response(const OpenAiChatResponse& response) {
  return encode_answer(response, "chat.completion", "message",
                       [](const OpenAiChoice& choice) { return write_message(choice.message); });
}

Result<OpenAiChatChunk> decode_chat_chunk(std::string_view data) {
  constexpr ErrorCode kCode = ErrorCode::kUnavailable;
  const bool broken = !is_valid_utf8(data);
  const std::string hidden = broken ? hide_broken_bytes(data) : std::string();
  PANDORA_TRY(fields, parse(broken ? hidden : data, kMaxChatBytes, "chunk", kCode));
  PANDORA_CHECK(check_no_error(fields, data));
  OpenAiChatChunk chunk;
  chunk.id = fields.text("id");
  chunk.model = fields.text("model");
  chunk.created = fields.integer("created").value_or(0);
  for (auto& json : fields.array("choices")) {
    const std::string place = fields.place_of("choices", chunk.choices.size());
    Fields inner(std::move(json), place, kCode);
    OpenAiChunkChoice choice;
    choice.index = static_cast<int>(inner.integer("index").value_or(0));
    choice.finish_reason = inner.text("finish_reason");
    if (Json delta = inner.take("delta"); !delta.is_null()) {
      Fields words(std::move(delta), place + ".delta", kCode);
      choice.delta.role = words.optional_text("role");
      choice.delta.content = words.optional_text("content");
      choice.delta.tool_calls = read_tool_calls(words, kCode);
      choice.delta.extra = words.rest();
      inner.absorb(words);
    }
    if (broken && choice.delta.content) choice.delta.content = show_broken_bytes(*choice.delta.content);
    for (auto& call : choice.delta.tool_calls)
      if (broken) call.arguments = show_broken_bytes(call.arguments);
    choice.extra = inner.rest();
    fields.absorb(inner);
    chunk.choices.push_back(std::move(choice));
  }
  chunk.usage = read_usage(fields, kCode);
  PANDORA_CHECK(fields.status());
  chunk.extra = fields.rest();
  return chunk;
}

std::string encode_chat_chunk(const OpenAiChatChunk& chunk) {
  return encode_answer(chunk, "chat.completion.chunk", "delta",
                       [](const OpenAiChunkChoice& choice) { return write_delta(choice.delta); });
}

}  // namespace pandora
