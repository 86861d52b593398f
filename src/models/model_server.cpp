#include "models/model_server.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <time.h>

namespace pandora {
namespace {

constexpr std::size_t kMaxModelListBytes = 8 << 20;
constexpr double kMaxRetryAfterSeconds = 86'400;

bool mentions(const OpenAiError& error, std::string_view word) {
  return error.message.find(word) != std::string::npos || error.code.find(word) != std::string::npos;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(value >= 0))
    return std::nullopt;
  return std::min(value, kMaxRetryAfterSeconds);
}

}  // namespace

HttpHeaders ModelServer::headers() const {
  HttpHeaders headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream, application/json"}};
  if (!settings_.api_key.empty()) headers.add("Authorization", "Bearer " + settings_.api_key);
  return headers;
}

std::string ModelServer::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

void ModelServer::set_model(std::string name) {
  const std::lock_guard lock(mutex_);
  model_ = std::move(name);
}

Refusals ModelServer::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

bool ModelServer::learn(const OpenAiError& error) {
  if (error.status != 400 && error.status != 422) return false;
  const std::lock_guard lock(mutex_);
  if (mentions(error, "max_completion_tokens") && mentions(error, "max_tokens"))
    return !std::exchange(refusals_.max_tokens, true);
  if (mentions(error, "stream_options") || mentions(error, "include_usage"))
    return !std::exchange(refusals_.stream_options, true);
  if (mentions(error, "temperature")) return !std::exchange(refusals_.temperature, true);
  return false;
}

std::optional<Duration> parse_retry_after(const HttpHeaders& headers, Timestamp now) {
  if (const auto millis = number(headers.get("Retry-After-Ms")))
    return Duration(static_cast<std::int64_t>(*millis * 1e3));
  const std::string text(headers.get("Retry-After"));
  if (const auto seconds = number(text)) return Duration(static_cast<std::int64_t>(*seconds * 1e6));
  std::tm utc{};
  if (text.empty() || ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc) == nullptr) return std::nullopt;
  const double seconds = static_cast<double>(::timegm(&utc)) - static_cast<double>(now.micros) / 1e6;
  return Duration(static_cast<std::int64_t>(std::clamp(seconds, 0.0, kMaxRetryAfterSeconds) * 1e6));
}

Result<std::vector<std::string>> decode_model_list(std::string_view body) {
  const auto wrong = [] {
    return fail(ErrorCode::kUnavailable, "it does not list its models", "is it an OpenAI-compatible server?");
  };
  const auto json = parse_json(body, kMaxModelListBytes, "list of models");
  if (!json || !json->is_object() || !json->contains("data") || !(*json)["data"].is_array()) return wrong();
  std::vector<std::string> names;
  for (const auto& model : (*json)["data"])
    if (model.is_object() && model.contains("id") && model["id"].is_string())
      names.push_back(model["id"].get<std::string>());
  return names;
}

}  // namespace pandora
