// Inside models: what is known of one server and its model, shared by the calls to it.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "models/circuit_breaker.h"
#include "models/model_settings.h"
#include "net/http_types.h"
#include "wire/openai_chat.h"

namespace pandora {

// What a server refused to be asked, and is not asked again.
struct Refusals {
  bool stream_options = false;  // older servers: no usage in streams then
  bool temperature = false;     // models that have one temperature
  bool max_tokens = false;      // models that call it max_completion_tokens
};

class ModelServer {
 public:
  ModelServer(ModelServerSettings settings, const Clock& clock, BreakerOptions options)
      : breaker(clock, options), settings_(std::move(settings)), model_(settings_.model) {}

  const std::string& url() const { return settings_.url; }
  bool sleeps() const { return settings_.sleeps; }
  HttpHeaders headers() const;  // Authorization and the like
  CircuitBreaker breaker;

  std::string model() const;  // empty: not known yet
  void set_model(std::string name);
  Refusals refusals() const;
  // Does this answer refuse one of those, as yet asked? Then it is remembered, and the call is worth repeating.
  bool learn(const OpenAiError& error);

 private:
  const ModelServerSettings settings_;
  mutable std::mutex mutex_;
  std::string model_;
  Refusals refusals_;
};

// "2", "0.5", or a date; none when it is neither.
std::optional<Duration> parse_retry_after(const HttpHeaders& headers, Timestamp now);
// The names in the answer to GET /models. kUnavailable when it is no such list.
Result<std::vector<std::string>> decode_model_list(std::string_view body);

}  // namespace pandora
