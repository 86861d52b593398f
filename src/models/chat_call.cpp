#include "models/chat_call.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "wire/chat_skim.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxErrorBytes = 256 * 1024;
constexpr std::size_t kMaxModelListBytes = 8 << 20;
constexpr Duration kPauseAfter429 = std::chrono::seconds(1);         // when the server does not say how long
constexpr Duration kAfterLastWord = std::chrono::milliseconds(200);  // for the end of the HTTP answer behind [DONE]

std::string_view name_of(ChatRole role) {
  switch (role) {
    case ChatRole::kSystem:
      return "system";
    case ChatRole::kUser:
      return "user";
    case ChatRole::kAssistant:
      return "assistant";
    case ChatRole::kTool:
      return "tool";
  }
  return "user";
}

OpenAiMessage to_openai(const ChatMessage& message) {
  OpenAiMessage out;
  out.role = name_of(message.role);
  // An assistant's message that only calls tools has no content; the empty text is refused by some.
  if (!message.content.empty() || message.tool_calls.empty()) out.content = message.content;
  for (const auto& call : message.tool_calls)
    out.tool_calls.push_back({std::nullopt, call.id, "function", call.name, call.arguments, Json::object()});
  out.tool_call_id = message.tool_call_id;
  return out;
}

Json parse_schema(const std::string& text) {
  Json schema = Json::parse(text, nullptr, false);
  return schema.is_object() ? schema : Json{{"type", "object"}, {"properties", Json::object()}};
}

Json to_openai(const ToolDefinition& tool) {
  return {{"type", "function"},
          {"function",
           {{"name", tool.name}, {"description", tool.description}, {"parameters", parse_schema(tool.schema)}}}};
}

// The role's servers, or the one that is named.
std::vector<std::shared_ptr<ModelServer>> servers_for(const ChatModelCore& core, const ChatRequest& request) {
  auto servers = core.servers[static_cast<std::size_t>(request.role)];
  if (!request.server.empty()) std::erase_if(servers, [&](const auto& one) { return one->url() != request.server; });
  return servers;
}

}  // namespace

ChatCall::ChatCall(std::shared_ptr<ChatModelCore> core, ChatRequest request, const Deadline& deadline, ChatSink& sink)
    : core_(std::move(core)),
      request_(std::move(request)),
      deadline_(deadline),
      servers_(servers_for(*core_, request_)),
      sink_(&sink) {}

void ChatCall::begin() {
  const auto self = shared_from_this();  // its handle may be dropped within a call of the sink
  const std::lock_guard lock(mutex_);
  if (servers_.empty())
    return end({ErrorCode::kInvalidArgument, "no model server is set for this role", "set model.url"});
  try_next();
}

void ChatCall::cancel() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(cancelled_, true) || !sink_) return;
  if (call_) return call_->cancel();
  // Between two attempts: the last word still comes from a thread of the client.
  core_->client.after(Duration(0), [self = shared_from_this()] {
    const std::lock_guard inner(self->mutex_);
    self->end({ErrorCode::kCancelled, "cancelled", {}});
  });
}

void ChatCall::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
}

void ChatCall::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  if (call_) call_->resume();
}

void ChatCall::abandon() {
  std::unique_ptr<HttpCall> call;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    sink_ = nullptr;
    leave_server();
    call = std::move(call_);
  }
}

// The first server of the role that is not resting and was not tried in this round.
void ChatCall::try_next() {
  if (!sink_) return;
  if (cancelled_) return end({ErrorCode::kCancelled, "cancelled", {}});
  for (const auto& server : servers_) {
    if (tried_.contains(server.get()) || !server->breaker.allow()) continue;
    tried_.insert(server.get());
    server_ = server;
    ++attempts_;
    return core_->waker && server->sleeps() ? wake() : ask();
  }
  // None is left. Those that rest are looked at again in the next round, when that is soon enough.
  Duration pause = Duration::max();
  for (const auto& server : servers_) pause = std::min(pause, server->breaker.opens_in());
  if (attempts_ == 0 && last_error_.message.empty())
    last_error_ = {ErrorCode::kUnavailable,
                   fmt::format("{} failed several times and is left alone for a moment", servers_.front()->url()),
                   "is the model server running? see `pandora doctor`"};
  const auto jitter = static_cast<std::int64_t>(core_->random.below(128));
  const Duration back_off = core_->settings.back_off * (std::int64_t{1} << std::min(rounds_, 10));
  pause = std::max(pause, back_off + back_off * jitter / 256);
  if (attempts_ == 0 || attempts_ >= core_->settings.attempts || !waits(pause)) end(std::move(last_error_));
}

// It is asked when it is ready. That may take as long as the call may; who cancels it does not wait.
void ChatCall::wake() {
  stage_ = Stage::kWaking;
  const auto self = shared_from_this();
  const ModelServer* server = server_.get();
  if (const Duration left = deadline_.remaining(); left != Duration::max())
    core_->client.after(left, [self] {
      const std::lock_guard lock(self->mutex_);
      if (self->stage_ == Stage::kWaking)
        self->end({ErrorCode::kDeadlineExceeded, "the model's server took longer to start than allowed", {}});
    });
  const LogScope scope(request_.request_id);
  log_info("model.wakes", {{"server", server_->url()}});
  core_->waker->wake(server_->url(), [self, server](Result<std::shared_ptr<ServerLease>> lease) {
    self->core_->client.after(Duration(0), [self, server, lease = std::move(lease)] { self->woken(server, lease); });
  });
}

void ChatCall::woken(const ModelServer* server, Result<std::shared_ptr<ServerLease>> lease) {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (!sink_ || stage_ != Stage::kWaking || server_.get() != server) return;
  if (cancelled_) return end({ErrorCode::kCancelled, "cancelled", {}});
  stage_ = Stage::kNone;
  if (!lease) return failed(std::move(lease).error().with_context(server_->url()));
  lease_ = *std::move(lease);
  ask();
}

void ChatCall::ask() { model().empty() ? ask_models() : chat(); }

// Who passes a request on has a client that knows best when to try again.
bool ChatCall::is_patient() const { return !request_.passed_on; }

bool ChatCall::waits(Duration pause) {
  if (!is_patient()) return false;
  if (pause > core_->settings.longest_wait || pause >= deadline_.remaining()) return false;
  ++rounds_;
  tried_.clear();
  core_->client.after(pause, [self = shared_from_this()] {
    const std::lock_guard lock(self->mutex_);
    self->try_next();
  });
  return true;
}

void ChatCall::send(HttpCallRequest request, Stage stage) {
  ++sent_;
  stage_ = stage;
  gathered_.clear();
  head_ = {};
  refusal_.reset();
  request.headers = server_->headers();
  if (!request_.request_id.empty()) request.headers.add("X-Request-Id", request_.request_id);
  request.options.timeouts = core_->settings.timeouts;
  request.options.max_body_bytes = kMaxChatBytes;
  request.options.attempts = 2;                   // a kept connection may be closed under us: that costs no attempt
  request.options.repeatable = Repeatable::kYes;  // a completion changes nothing
  call_ = core_->client.start(std::move(request), deadline_, *this);
}

void ChatCall::ask_models() { send({"GET", server_->url() + "/models", {}, "", {}}, Stage::kAskingModels); }

void ChatCall::chat() {
  events_ = SseParser();
  repair_ = {};
  reply_ = {};
  said_done_ = false;
  send({"POST", server_->url() + "/chat/completions", {}, encode(), {}}, Stage::kChatting);
}

std::string ChatCall::model() const { return request_.model.empty() ? server_->model() : request_.model; }

// The client's own words, with what is decided here put before them.
std::string ChatCall::encode_passed_on() const {
  const PassedOnRequest& passed = *request_.passed_on;
  const RoleSettings& role = core_->settings.of(request_.role);
  const Refusals refusals = server_->refusals();
  std::string body = "{\"model\":" + dump_json(model());
  if (passed.streams && !refusals.stream_options) body += ",\"stream_options\":{\"include_usage\":true}";
  // Whoever names a server's own model gets it as it is.
  const bool by_role = request_.model.empty();
  if (by_role && !passed.has_temperature && !refusals.temperature)
    body += ",\"temperature\":" + dump_json(role.temperature);
  if (by_role && !passed.has_max_tokens && role.max_tokens > 0)
    body += fmt::format(",\"{}\":{}", refusals.max_tokens ? "max_completion_tokens" : "max_tokens", role.max_tokens);
  return body.append(",").append(std::string_view(passed.body).substr(1));
}

std::string ChatCall::encode() const {
  if (request_.passed_on) return encode_passed_on();
  const RoleSettings& role = core_->settings.of(request_.role);
  const Refusals refusals = server_->refusals();
  OpenAiChatRequest out;
  out.model = model();
  out.stream = true;
  out.include_usage = !refusals.stream_options;
  if (!refusals.temperature) out.temperature = role.temperature;
  int limit = role.max_tokens;
  if (request_.max_tokens > 0) limit = limit > 0 ? std::min(limit, request_.max_tokens) : request_.max_tokens;
  if (limit > 0) (refusals.max_tokens ? out.max_completion_tokens : out.max_tokens) = limit;
  for (const auto& message : request_.messages) out.messages.push_back(to_openai(message));
  for (const auto& tool : request_.tools) out.tools.push_back(to_openai(tool));
  if (!request_.json_schema.empty())
    out.response_format = {
        {"type", "json_schema"},
        {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", parse_schema(request_.json_schema)}}}};
  return encode_chat_request(out);
}

void ChatCall::on_head(const ResponseHead& head) {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  head_ = head;
  const std::string_view type = head.headers.get("Content-Type");
  const bool success = head.status >= 200 && head.status < 300;
  if (!success || type.find("html") != std::string_view::npos)
    body_ = Body::kError;
  else if (stage_ == Stage::kAskingModels || type.find("json") != std::string_view::npos)
    body_ = Body::kJson;  // some ignore "stream"
  else
    body_ = Body::kEvents;
}

Flow ChatCall::on_body(std::string_view bytes) {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (!sink_) return Flow::kMore;
  if (body_ == Body::kEvents) {
    std::vector<SseEvent> events;
    const Status read = events_.feed(bytes, [&](SseEvent event) { events.push_back(std::move(event)); });
    const int attempt = sent_;
    for (auto& event : events) {
      if (!sink_ || sent_ != attempt) return Flow::kMore;  // another attempt has begun: the rest belongs to nobody
      take_event(std::move(event));
    }
    if (!read && sink_ && sent_ == attempt && !said_done_) failed(Error(read.error()).with_context(server_->url()));
    return paused_ ? Flow::kPause : Flow::kMore;
  }
  const std::size_t most = body_ == Body::kError            ? kMaxErrorBytes
                           : stage_ == Stage::kAskingModels ? kMaxModelListBytes
                                                            : kMaxChatBytes;
  gathered_ += bytes.substr(0, most - std::min(most, gathered_.size()));
  return Flow::kMore;
}

void ChatCall::on_done() {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (!sink_) return;
  if (cancelled_) return end({ErrorCode::kCancelled, "cancelled", {}});
  if (body_ == Body::kError) return refused();
  if (stage_ == Stage::kAskingModels) return take_models();
  if (body_ == Body::kJson) return take_whole_answer();
  stream_ended();
}

void ChatCall::on_error(Error error) {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (!sink_) return;
  if (said_done_) return succeed();
  if (error.code == ErrorCode::kCancelled || cancelled_) return end({ErrorCode::kCancelled, "cancelled", {}});
  if (deadline_.expired())
    return end({ErrorCode::kDeadlineExceeded, "the model took longer than allowed: " + error.message, {}});
  failed(std::move(error));
}

void ChatCall::take_event(SseEvent event) {
  if (!sink_ || said_done_) return;
  if (event.is_done()) {
    // What follows is the end of the HTTP answer, after which the connection can be used again. Some servers keep it
    // open.
    said_done_ = true;
    core_->client.after(kAfterLastWord, [self = shared_from_this()] {
      const std::lock_guard lock(self->mutex_);
      if (self->sink_) self->succeed();
    });
    return;
  }
  if (take_plain(event.data)) return;
  auto chunk = decode_chat_chunk(event.data);
  if (!chunk) {
    Error error = std::move(chunk).error();
    if (error.message.starts_with("chunk"))
      error = std::move(error).with_context(server_->url() + " sent what is no part of a chat");
    return failed(std::move(error));
  }
  answered_ = true;
  repair_.apply(*chunk);
  if (const Status added = reply_.add(*chunk); !added) return failed(Error(added.error()).with_context(server_->url()));
  if (request_.passed_on) sink_->on_event(encode_chat_chunk(*chunk));
  for (const auto& choice : chunk->choices)
    if (sink_ && choice.index == 0 && choice.delta.content && !choice.delta.content->empty())
      sink_->on_delta(*choice.delta.content);
}

// The words of a client's own answer, when nothing needs to be put right: they go on as they came.
bool ChatCall::take_plain(const std::string& data) {
  if (!request_.passed_on || !repair_.is_clean()) return false;
  const auto chunk = skim_chat_chunk(data);
  if (!chunk) return false;
  answered_ = true;
  if (const Status added = reply_.add_text(chunk->content); !added) {
    failed(Error(added.error()).with_context(server_->url()));
    return true;
  }
  sink_->on_event(data);
  if (sink_ && !chunk->content.empty()) sink_->on_delta(chunk->content);
  return true;
}

void ChatCall::stream_ended() {
  if (auto last = events_.finish(); last && !said_done_) take_event(*std::move(last));
  if (!sink_) return;
  if (said_done_ || !reply_.finish_reason.empty()) return succeed();
  failed({ErrorCode::kUnavailable,
          server_->url() + (answered_ ? " broke off in the middle of its answer" : " ended without an answer"),
          {}});
}

void ChatCall::take_whole_answer() {
  if (request_.passed_on) {
    if (auto plain = skim_chat_response(gathered_)) {
      answered_ = true;
      sink_->on_event(gathered_);
      if (!sink_) return;
      reply_.content = std::move(plain->content);
      reply_.model = std::move(plain->model);
      reply_.finish_reason = std::move(plain->finish_reason);
      reply_.usage = plain->usage;
      if (!reply_.content.empty()) sink_->on_delta(reply_.content);
      if (sink_) succeed();
      return;
    }
  }
  auto response = decode_chat_response(gathered_);
  if (!response) return failed(std::move(response).error().with_context(server_->url()));
  const OpenAiChoice& choice = response->choices.front();
  answered_ = true;
  if (request_.passed_on) sink_->on_event(encode_chat_response(*response));
  if (!sink_) return;
  reply_.content = choice.message.text();
  reply_.tool_calls = choice.message.tool_calls;
  reply_.model = response->model;
  reply_.finish_reason = choice.finish_reason;
  reply_.usage = response->usage;
  if (!reply_.content.empty()) sink_->on_delta(reply_.content);
  if (sink_) succeed();
}

void ChatCall::take_models() {
  auto models = decode_model_list(gathered_);
  if (!models) return failed(std::move(models).error().with_context(server_->url()));
  if (models->empty())
    return failed({ErrorCode::kUnavailable, server_->url() + " has no model", "load one, or name it (model.name)"});
  server_->set_model(models->front());
  chat();
}

void ChatCall::refused() {
  const bool page = head_.status < 400;  // HTML where an answer should be
  OpenAiError refusal = decode_openai_error(head_.status, gathered_);
  if (stage_ == Stage::kChatting && server_->learn(refusal)) {
    const LogScope scope(request_.request_id);
    log_info("model.adapts", {{"server", server_->url()}, {"why", refusal.message}});
    return chat();
  }
  Error error = to_error(refusal, server_->url());
  if (page)
    error = {ErrorCode::kUnavailable, error.message, "does model.url lead to the server's API? it often ends in /v1"};
  const auto asked = parse_retry_after(head_.headers, core_->clock.now());
  const bool busy = error.code == ErrorCode::kResourceExhausted;
  if (asked) error.message += fmt::format(" (it asks to wait {:.0f} s)", static_cast<double>(asked->count()) / 1e6);
  if (!page)
    refusal_ = ChatRefusal{head_.status, refusal.type, refusal.code, refusal.message,
                           std::string(head_.headers.get("Retry-After"))};
  if (!is_patient() && servers_.size() == 1) {
    // There is no other to spare this one for, and its client is to hear every word of it.
    server_->breaker.succeeded();
    server_.reset();
    return failed(std::move(error));
  }
  if (busy || (asked && error.code == ErrorCode::kUnavailable)) server_->breaker.rest(asked.value_or(kPauseAfter429));
  if (busy) server_.reset();  // it is well, only full
  failed(std::move(error));
}

// This attempt failed. Another follows when no answer has begun and the fault may be the server's alone.
void ChatCall::failed(Error error) {
  lease_.reset();
  const bool retryable = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded ||
                         error.code == ErrorCode::kResourceExhausted;
  if (const auto server = std::exchange(server_, nullptr)) {
    if (retryable)
      server->breaker.failed();
    else
      server->breaker.succeeded();  // it lives, and says no
  }
  const LogScope scope(request_.request_id);
  log_info("model.attempt_failed", {{"attempt", attempts_}, {"error", error.to_line()}});
  if (!retryable || answered_ || attempts_ >= core_->settings.attempts) return end(std::move(error));
  last_error_ = std::move(error);
  call_.reset();
  try_next();
}

void ChatCall::succeed() {
  lease_.reset();
  if (const auto server = std::exchange(server_, nullptr)) server->breaker.succeeded();
  ChatResult result;
  result.model = reply_.model;
  result.content = std::move(reply_.content);
  for (auto& call : reply_.tool_calls)
    result.tool_calls.push_back(
        {std::move(call.id), std::move(call.name), call.arguments.empty() ? "{}" : std::move(call.arguments)});
  result.finish_reason =
      reply_.finish_reason.empty() ? (result.tool_calls.empty() ? "stop" : "tool_calls") : reply_.finish_reason;
  if (reply_.usage) {
    result.tokens_in = reply_.usage->prompt_tokens;
    result.tokens_out = reply_.usage->completion_tokens;
  }
  if (ChatSink* sink = std::exchange(sink_, nullptr)) sink->on_done(std::move(result));
}

void ChatCall::end(Error error) {
  leave_server();
  ChatSink* sink = std::exchange(sink_, nullptr);
  if (!sink) return;
  if (refusal_ && error.code != ErrorCode::kCancelled) sink->on_refusal(*refusal_);
  sink->on_error(std::move(error));
}

void ChatCall::leave_server() {
  lease_.reset();
  if (const auto server = std::exchange(server_, nullptr)) server->breaker.abandoned();
}

}  // namespace pandora
