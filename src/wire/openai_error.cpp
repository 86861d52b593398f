#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "wire/openai_chat.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxMessageBytes = 500;
constexpr std::size_t kMaxErrorBodyBytes = 1 << 20;

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return low;
}

// What stands between two tags, on one line.
std::string between(std::string_view page, std::string_view open, std::string_view close) {
  const std::string low = lower(page);
  const std::size_t begin = low.find(open);
  const std::size_t text = begin == std::string::npos ? begin : low.find('>', begin);
  const std::size_t end = text == std::string::npos ? text : low.find(close, text);
  return end == std::string::npos ? std::string() : collapse_space(page.substr(text + 1, end - text - 1));
}

bool is_html(std::string_view body) {
  const std::string head = lower(trim(body).substr(0, 256));
  return head.starts_with("<!doctype html") || head.starts_with("<html") || head.find("<html") != std::string::npos;
}

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? dump_json(*found) : std::string();
}

void read_object(const Json& json, OpenAiError& error) {
  const auto inner = json.find("error");
  if (inner != json.end() && inner->is_object()) return read_object(*inner, error);
  if (inner != json.end() && inner->is_string()) error.message = inner->get<std::string>();
  if (error.message.empty()) error.message = text_of(json, "message");
  error.type = text_of(json, "type");
  error.code = text_of(json, "code");
  if (!error.message.empty() || !json.contains("detail")) return;
  const Json& detail = json["detail"];  // FastAPI's: a string, or a list of what is wrong
  if (detail.is_string())
    error.message = detail.get<std::string>();
  else if (detail.is_array() && !detail.empty() && detail[0].is_object())
    error.message = text_of(detail[0], "msg");
}

struct StatusMeaning {
  int status;
  ErrorCode code;
  std::string_view remedy;
};
constexpr std::array<StatusMeaning, 10> kMeanings = {{
    {400, ErrorCode::kInvalidArgument, ""},
    {401, ErrorCode::kUnauthenticated, "set the right key (model.api_key)"},
    {403, ErrorCode::kPermissionDenied, "does this key allow it?"},
    {404, ErrorCode::kNotFound, "check model.url and model.name; `pandora doctor` lists what the server has"},
    {405, ErrorCode::kNotFound, "check model.url: it should end where /chat/completions begins"},
    {408, ErrorCode::kDeadlineExceeded, ""},
    {413, ErrorCode::kTooLarge, ""},
    {422, ErrorCode::kInvalidArgument, ""},
    {429, ErrorCode::kResourceExhausted, "try again later"},
    {504, ErrorCode::kDeadlineExceeded, ""},
}};

}  // namespace

OpenAiError decode_openai_error(int status, std::string_view body) {
  OpenAiError error;
  error.status = status;
  const std::string text = sanitize_utf8(body.substr(0, kMaxErrorBodyBytes));
  if (is_html(text)) {
    std::string title = between(text, "<title", "</title");
    if (title.empty()) title = between(text, "<h1", "</h1");
    error.message = title.empty() ? "an HTML page" : "an HTML page, \"" + title + "\"";
  } else if (const auto json = parse_json(text, kMaxErrorBodyBytes, "error"); json && json->is_object()) {
    read_object(*json, error);
  } else if (!trim(text).empty()) {
    error.message = collapse_space(text);
  }
  if (error.message.empty()) error.message = "no explanation";
  error.message = one_line(ellipsize(error.message, kMaxMessageBytes));
  return error;
}

Error to_error(const OpenAiError& error, std::string_view server) {
  const auto found = std::ranges::find(kMeanings, error.status, &StatusMeaning::status);
  const bool known = found != kMeanings.end();
  const ErrorCode code = known                                       ? found->code
                         : error.status >= 400 && error.status < 500 ? ErrorCode::kInvalidArgument
                                                                     : ErrorCode::kUnavailable;
  return {code, fmt::format("{} answered {}: {}", server, error.status, error.message),
          known ? std::string(found->remedy) : std::string()};
}

std::string encode_openai_error(const Error& error) {
  const ErrorInfo& info = error_info(error.code);
  return dump_json(
      {{"error", {{"message", error.to_line()}, {"type", info.openai_type}, {"param", Json()}, {"code", info.name}}}});
}

}  // namespace pandora
