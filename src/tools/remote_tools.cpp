#include "tools/remote_tools.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "tools/tool_registry.h"
#include "tools/tool_wire.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // for a caller that leaves

class Answer final : public HttpCallSink {
 public:
  void on_head(const ResponseHead& head) override {
    const std::lock_guard lock(mutex_);
    status_ = head.status;
  }
  Flow on_body(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    body_ += bytes;
    return Flow::kMore;
  }
  void on_done() override { end(std::nullopt); }
  void on_error(Error error) override { end(std::move(error)); }

  // Until it has ended, or the caller leaves.
  Result<std::pair<int, std::string>> wait(HttpCall& call, const std::function<bool()>& cancelled) {
    bool told = false;
    std::unique_lock lock(mutex_);
    while (!ended_) {
      lock.unlock();
      if (!told && cancelled && cancelled()) {
        told = true;
        call.cancel();
      }
      lock.lock();
      if (!ended_) changed_.wait_for(lock, kLook);
    }
    if (error_) return fail(*error_);
    return std::pair(status_, std::move(body_));
  }

 private:
  void end(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    error_ = std::move(error);
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 0;
  std::string body_;
  bool ended_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<std::unique_ptr<RemoteTools>> RemoteTools::create(std::string url, std::vector<ToolDefinition> catalogue,
                                                         Duration patience, Secret secret, HttpClient& client,
                                                         const Clock& clock) {
  std::unique_ptr<RemoteTools> tools(
      new RemoteTools(std::move(url), std::move(catalogue), patience, std::move(secret), client, clock));
  for (const auto& tool : tools->catalogue_) {
    PANDORA_TRY(schema, ArgumentSchema::parse(tool.name, tool.schema));
    tools->schemas_.emplace(tool.name, std::move(schema));
  }
  return tools;
}

Result<ToolOutcome> RemoteTools::run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) {
  const auto schema = schemas_.find(call.name);
  if (schema == schemas_.end())
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no tool \"{}\"", ellipsize(one_line(sanitize_utf8(call.name)), 64)));
  PANDORA_CHECK(schema->second.read(call.arguments, kMaxCallArgumentBytes));
  PANDORA_CHECK(deadline.check(fmt::format("calling {}", call.name)));
  PANDORA_TRY(secret, secret_());
  HttpCallRequest request;
  request.method = "POST";
  request.url = url_ + "/tools/" + call.name;
  request.headers = caller_headers(caller);
  request.headers.add("Authorization", "Bearer " + secret);
  request.headers.add("Content-Type", "application/json");
  request.body = call.arguments;
  request.options.repeatable = Repeatable::kNo;
  request.options.max_body_bytes = kMaxToolAnswerBytes;
  request.options.timeouts = {kOrchestratorConnect, patience_, patience_};
  Answer answer;
  const auto under_way = client_.start(std::move(request), deadline.at_most(clock_, patience_), answer);
  auto got = answer.wait(*under_way, caller.cancelled);
  if (!got && got.error().code == ErrorCode::kUnavailable)
    return fail(ErrorCode::kUnavailable,
                fmt::format("the Orchestrator, which runs the tools, does not answer ({})", got.error().message),
                "answer without it; `pandora orchestrator` starts it");
  if (!got) return fail(std::move(got).error());
  const auto& [status, body] = *got;
  if (status != 200) return fail(error_from_answer(status, body));
  auto outcome = outcome_from_json(body);
  if (!outcome) return fail(std::move(outcome).error().with_context("the Orchestrator's answer"));
  outcome->result = ellipsize(sanitize_utf8(outcome->result), kMaxToolResultBytes);
  return outcome;
}

}  // namespace pandora
