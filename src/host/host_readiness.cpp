#include "host/host_readiness.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "models/openai_chat_model.h"
#include "net/listeners.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxProbeAnswer = 1u << 20;
constexpr std::size_t kShownAnswer = 200;

HttpCallOptions one_attempt() {
  HttpCallOptions options;
  options.attempts = 1;
  options.max_body_bytes = kMaxProbeAnswer;
  return options;
}

std::string url_of(const HostReadiness& readiness, std::string_view path) {
  return fmt::format("http://127.0.0.1:{}{}", readiness.port, path);
}

HttpHeaders headers_of(const HostReadiness& readiness) {
  HttpHeaders headers = {{"Content-Type", "application/json"}};
  if (!readiness.api_key.empty()) headers.add("Authorization", "Bearer " + readiness.api_key);
  return headers;
}

Status expect_success(const Result<HttpResponse>& response, std::string_view what) {
  if (!response) return fail(response.error());
  if (response->status >= 200 && response->status < 300) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("{} answers {}: {}", what, response->status,
                                                   one_line(ellipsize(response->body, kShownAnswer))));
}

Status lists_model(const HostReadiness& readiness, HttpClient& client, const Clock& clock, const Deadline& deadline,
                   std::string& model) {
  PANDORA_TRY(models, list_models(client, {url_of(readiness, "/v1"), "", readiness.api_key}, clock, deadline));
  if (models.empty()) return fail(ErrorCode::kUnavailable, "it lists no model yet");
  model = readiness.model.empty() ? models.front() : readiness.model;
  if (std::ranges::find(models, model) != models.end()) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("it does not list {}, but {}", model, models.front()));
}

Status says_a_token(const HostReadiness& readiness, const std::string& model, HttpClient& client,
                    const Deadline& deadline) {
  const Json request = {{"model", model}, {"max_tokens", 1}, {"messages", {{{"role", "user"}, {"content", "Hello"}}}}};
  const auto response = client.fetch(
      {"POST", url_of(readiness, "/v1/chat/completions"), headers_of(readiness), dump_json(request), one_attempt()},
      deadline);
  PANDORA_CHECK(expect_success(response, "the first token"));
  const auto json = parse_json(response->body, kMaxProbeAnswer, "an answer");
  if (json && json->is_object() && json->contains("choices") && (*json)["choices"].is_array() &&
      !(*json)["choices"].empty())
    return {};
  return fail(ErrorCode::kUnavailable, "the first token is none: " + one_line(ellipsize(response->body, kShownAnswer)));
}

// Asked of the kernel, which knows without a connection; where there are many it takes a while.
bool somebody_listens(std::uint16_t port) {
  const std::vector<Listener> all = listeners();
  return std::ranges::any_of(all, [&](const Listener& one) { return one.port == port; });
}

Status nobody_yet(std::uint16_t port) {
  return fail(ErrorCode::kUnavailable, fmt::format("nobody listens on port {} yet", port));
}

Status all_steps(const HostReadiness& readiness, ProbeDepth depth, HttpClient& client, const Clock& clock,
                 const Deadline& deadline) {
  if (readiness.port == 0) return {};
  if (!readiness.health_path.empty()) {
    const auto response =
        client.fetch({"GET", url_of(readiness, readiness.health_path), {}, "", one_attempt()}, deadline);
    if (!response && !somebody_listens(readiness.port)) return nobody_yet(readiness.port);
    PANDORA_CHECK(expect_success(response, readiness.health_path));
  } else if (!somebody_listens(readiness.port)) {
    return nobody_yet(readiness.port);
  }
  if (depth == ProbeDepth::kQuick || !readiness.speaks_chat) return {};
  std::string model;
  PANDORA_CHECK(lists_model(readiness, client, clock, deadline, model));
  return says_a_token(readiness, model, client, deadline);
}

}  // namespace

ProbeAnswer probe_host_process(const HostReadiness& readiness, ProbeDepth depth, HttpClient& client, const Clock& clock,
                               const Deadline& deadline) {
  const SteadyTime begun = clock.steady();
  const Status status = all_steps(readiness, depth, client, clock, deadline);
  ProbeAnswer answer;
  answer.ready = status.has_value();
  answer.latency = std::chrono::duration_cast<Duration>(clock.steady() - begun);
  if (!status) answer.detail = one_line(status.error().message);
  return answer;
}

std::string stranger_on_port(std::uint16_t port, const std::vector<int>& pids, const std::string& proc) {
  if (port == 0) return "";
  for (const Listener& one : listeners(proc)) {
    if (one.port != port || !one.keeps("127.0.0.1")) continue;  // where it is asked
    const auto owner = process_of(one.inode, proc);
    if (!owner) return "a process of another user";
    if (std::ranges::find(pids, owner->pid) == pids.end()) return fmt::format("{} (pid {})", owner->name, owner->pid);
  }
  return "";
}

}  // namespace pandora
