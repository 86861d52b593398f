#include "gateway/client_reply.h"

#include <fmt/format.h>

#include "base/log.h"
#include "gateway/responses.h"
#include "wire/json_skim.h"
#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace pandora {
namespace {

constexpr std::string_view kChunkMark = "\"chat.completion.chunk\"";
constexpr std::string_view kUsageMark = "\"usage\"";
constexpr std::string_view kCallsMark = "\"tool_calls\":";
constexpr std::string_view kTurnEvent = "pandora.turn";

Json as_chunk(Json whole) {
  whole["object"] = "chat.completion.chunk";
  for (auto& choice : whole["choices"]) {
    Json& message = choice["message"];
    if (message.contains("tool_calls"))
      for (std::size_t i = 0; i < message["tool_calls"].size(); ++i) message["tool_calls"][i]["index"] = i;
    choice["delta"] = std::move(message);
    choice.erase("message");
  }
  return whole;
}

}  // namespace

void ClientReply::attach(std::shared_ptr<RunningTurn> turn) {
  bool is_slow = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ && stage_ == Stage::kAnswered) return;
    turn_ = turn;
    is_slow = slow_;
  }
  if (is_slow) {
    turn->pause();  // not under the lock: the model's thread holds its own and wants ours
    const bool is_still = [&] {
      const std::lock_guard lock(mutex_);
      return slow_;
    }();
    if (!is_still) turn->resume();  // which was asked for before there was anything to resume
  }
  writer_->when_gone([self = weak_from_this()] {
    const auto reply = self.lock();
    const auto running = reply ? reply->turn() : nullptr;
    if (running) running->cancel();
  });
}

void ClientReply::refuse(const HttpResponse& response) {
  const std::lock_guard lock(mutex_);
  stage_ = Stage::kAnswered;
  writer_->respond(response);
}

std::shared_ptr<RunningTurn> ClientReply::turn() {
  const std::lock_guard lock(mutex_);
  return turn_;
}

// ── what comes of the turn ──

void ClientReply::on_gathered(const Uuid& turn, const std::optional<Uuid>& receipt, const GatherSection&) {
  const std::lock_guard lock(mutex_);
  turn_uid_ = turn.to_string();
  if (receipt) receipt_ = receipt->to_string();
}

void ClientReply::on_text(std::string_view text) {
  const std::lock_guard lock(mutex_);
  words_ += text;
  if (looped_ && !options_.streams) assembled_.content += text;
  if (!options_.streams || stage_ == Stage::kAnswered) return;
  if (stage_ == Stage::kOpen) {
    begin_stream();
    send_chunk({{"role", "assistant"}, {"content", ""}}, Json());
  }
  send_chunk({{"content", text}}, Json());
}

void ClientReply::on_event(std::string_view json) {
  const std::lock_guard lock(mutex_);
  if (stage_ == Stage::kAnswered) return;
  if (json.find(kChunkMark) != std::string_view::npos)
    pass_chunk(json);
  else
    pass_whole(json);
}

void ClientReply::on_refusal(const ChatRefusal& refusal) {
  const std::lock_guard lock(mutex_);
  refusal_ = refusal;
}

// ── chunks ──

void ClientReply::pass_chunk(std::string_view json) {
  if (first_chunk_.empty()) first_chunk_ = json;
  if (!looped_ && options_.streams && json.find(kCallsMark) == std::string_view::npos) {
    if (json.find(kUsageMark) == std::string_view::npos) {
      begin_stream();
      return write(sse_event(json));
    }
    // Servers that were asked for usage say "null" until the end.
    if (SkimmedObject fields; fields.read(json) && fields.has("usage", SkimmedKind::kNull)) {
      begin_stream();
      return write(sse_event(fields.without({"usage"})));
    }
  }
  Json chunk = Json::parse(json, nullptr, false);
  if (!chunk.is_object()) return;
  if (looped_) chunk = looped_->pass(std::move(chunk));
  if (!chunk.is_null()) take_chunk(std::move(chunk));
}

void ClientReply::take_chunk(Json chunk) {
  if (!options_.streams) {
    if (const auto decoded = decode_chat_chunk(dump_json(chunk))) (void)assembled_.add(*decoded);
  }
  note_calls(chunk["choices"]);
  if (const auto usage = chunk.find("usage"); usage != chunk.end()) {
    if (usage->is_object()) usage_ = std::move(*usage);
    chunk.erase(usage);
    if (chunk["choices"].empty()) return;  // it comes last, whenever the server gives it
  }
  if (!options_.streams) return;
  begin_stream();
  write(sse_event(dump_json(chunk)));
}

// A server that does not stream where it was asked to gives all of it in one chunk or two.
void ClientReply::pass_whole(std::string_view json) {
  if (looped_) return pass_looped(json);
  whole_ = json;
  const bool looks_inside = options_.streams || json.find(kCallsMark) != std::string_view::npos;
  if (!looks_inside) return;
  Json whole = Json::parse(json, nullptr, false);
  if (!whole.is_object()) return;
  note_calls(whole["choices"]);
  if (!options_.streams) return;
  begin_stream();
  if (const auto usage = whole.find("usage"); usage != whole.end()) {
    if (usage->is_object()) usage_ = std::move(*usage);
    whole.erase("usage");
  }
  whole = as_chunk(std::move(whole));
  first_chunk_ = dump_json(whole);
  write(sse_event(dump_json(whole)));
}

// As chunks: so that there is one way in which tools of ours are kept from the client.
void ClientReply::pass_looped(std::string_view json) {
  Json whole = Json::parse(json, nullptr, false);
  if (!whole.is_object()) return;
  if (!options_.streams) last_whole_ = whole;
  // An answer without tools of anybody's goes through as it is.
  if (!options_.streams && model_calls_ == 1 && json.find(kCallsMark) == std::string_view::npos) whole_ = json;
  whole = as_chunk(std::move(whole));
  if (first_chunk_.empty()) first_chunk_ = dump_json(whole);
  Json chunk = looped_->pass(std::move(whole));
  if (!chunk.is_null()) take_chunk(std::move(chunk));
}

void ClientReply::on_model_call() {
  const std::lock_guard lock(mutex_);
  ++model_calls_;
  if (looped_) looped_->begin_call();
}

// What was held back until it was clear that nothing follows.
void ClientReply::end_loop() {
  if (!looped_) return;
  auto chunks = looped_->finish();
  if (chunks.empty() && options_.streams && !words_.empty()) send_chunk(Json::object(), "stop");
  for (auto& chunk : chunks) take_chunk(std::move(chunk));
  usage_ = looped_->usage();
}

void ClientReply::note_calls(const Json& choices) {
  for (const auto& choice : choices) {
    if (choice.value("index", 0) != 0) continue;
    for (const char* place : {"delta", "message"}) {
      const auto found = choice.find(place);
      if (found == choice.end() || !found->contains("tool_calls")) continue;
      for (const auto& call : (*found)["tool_calls"])
        if (call.contains("id") && call["id"].is_string()) calls_.push_back(call["id"].get<std::string>());
    }
  }
}

// What the answer's parts have in common: the model's own, or ours where it said nothing.
Json ClientReply::frame(std::string_view object) const {
  Json frame = first_chunk_.empty() ? Json() : Json::parse(first_chunk_, nullptr, false);
  if (!frame.is_object()) return own_frame(object);
  frame.erase("usage");
  frame.erase("choices");
  frame["object"] = object;
  return frame;
}

Json ClientReply::own_frame(std::string_view object) const {
  return {{"id", "chatcmpl-" + options_.request_id},
          {"object", object},
          {"created", options_.created},
          {"model", options_.model}};
}

void ClientReply::send_chunk(Json delta, Json finish_reason) {
  Json chunk = frame("chat.completion.chunk");
  chunk["choices"] = Json::array();
  chunk["choices"].push_back({{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish_reason)}});
  write(sse_event(dump_json(chunk)));
}

void ClientReply::begin_stream() {
  if (stage_ != Stage::kOpen) return;
  stage_ = Stage::kStreaming;
  HttpHeaders head = headers();
  head.add("Content-Type", "text/event-stream");
  head.add("Cache-Control", "no-cache");
  writer_->start(200, head);
}

void ClientReply::write(const std::string& bytes) {
  if (writer_->write(bytes) != WriteState::kPause || slow_) return;
  slow_ = true;
  // Here on the model's own thread, or when it has ended.
  if (turn_) turn_->pause();
  writer_->when_writable([self = weak_from_this()] {
    const auto reply = self.lock();
    if (!reply) return;
    std::shared_ptr<RunningTurn> running;
    {
      const std::lock_guard lock(reply->mutex_);
      reply->slow_ = false;
      running = reply->turn_;
    }
    if (running) running->resume();
  });
}

// ── the end ──

void ClientReply::on_reply_end(const std::optional<Error>& broken) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true) || stage_ == Stage::kAnswered) return;
  if (broken) return break_off(*broken);
  end_loop();
  if (options_.streams) return end_stream();
  if (options_.session.empty()) return answer();
  options_.after(kAcknowledgePatience, [self = weak_from_this()] {
    if (const auto reply = self.lock()) {
      const std::lock_guard inner(reply->mutex_);
      reply->answer();
    }
  });
}

void ClientReply::end_stream() {
  if (stage_ == Stage::kOpen) begin_stream();
  if (!words_.empty() && !looped_) send_chunk(Json::object(), "stop");
  if (options_.wants_usage) {
    if (usage_.is_null() && !words_.empty())
      usage_ = {{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}};
    if (!usage_.is_null()) {
      Json last = frame("chat.completion.chunk");
      last["choices"] = Json::array();
      last["usage"] = usage_;
      write(sse_event(dump_json(last)));
    }
  }
  write(std::string(kSseDone));
}

void ClientReply::break_off(const Error& error) {
  log_info("chat.broke_off", {{"request", options_.request_id}, {"error", error.to_line()}});
  if (stage_ == Stage::kStreaming)
    return write(sse_event(refusal_ ? refusal_body(*refusal_) : encode_openai_error(error)));
  stage_ = Stage::kAnswered;
  HttpResponse response = refusal_ ? refusal_response(*refusal_) : error_response(error);
  for (const auto& header : headers()) response.headers.add(header.name, header.value);
  writer_->respond(std::move(response));
}

std::string ClientReply::whole_answer() {
  if (!whole_.empty()) return whole_;
  Json answer = last_whole_.is_null() ? frame("chat.completion") : last_whole_;
  answer["object"] = "chat.completion";
  Json message = Json::object();
  if (const Json::json_pointer at("/choices/0/message"); answer.contains(at)) message = answer[at];
  message.erase("tool_calls");
  message["role"] = "assistant";
  message["content"] = looped_ || words_.empty() ? assembled_.content : words_;
  if (!assembled_.tool_calls.empty()) {
    for (const auto& call : assembled_.tool_calls)
      message["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    if (assembled_.content.empty()) message["content"] = Json();
  }
  const std::string reason = assembled_.finish_reason.empty() ? "stop" : assembled_.finish_reason;
  answer["choices"] = Json::array();
  answer["choices"].push_back({{"index", 0}, {"message", std::move(message)}, {"finish_reason", reason}});
  answer["usage"] =
      usage_.is_null() ? Json{{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}} : usage_;
  return dump_json(answer);
}

void ClientReply::answer() {
  if (stage_ != Stage::kOpen) return;
  stage_ = Stage::kAnswered;
  HttpHeaders head = headers();
  head.add("Content-Type", "application/json");
  writer_->respond({200, std::move(head), whole_answer()});
}

HttpHeaders ClientReply::headers() const {
  HttpHeaders head;
  if (options_.session.empty()) return head;
  head.add("Pandora-Session", options_.session.str());
  if (!turn_uid_.empty()) head.add("Pandora-Turn", turn_uid_);
  if (!receipt_.empty()) head.add("Pandora-Receipt", receipt_);
  if (!options_.streams) head.add("Pandora-Acknowledged", acknowledged_.value_or("pending"));
  return head;
}

void ClientReply::on_finished(TurnOutcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (outcome.open) options_.keep_open(calls_, *std::exchange(outcome.open, std::nullopt));
    acknowledged_ = outcome.acknowledged ? "true" : "false";
    turn_uid_ = outcome.uid.is_nil() ? "" : outcome.uid.to_string();
    if (stage_ == Stage::kStreaming) {
      if (!options_.session.empty())
        write(sse_event(dump_json({{"turn", turn_uid_},
                                   {"session", options_.session.str()},
                                   {"acknowledged", outcome.acknowledged},
                                   {"ending", to_string(outcome.ending)},
                                   {"receipt", outcome.receipt ? Json(outcome.receipt->to_string()) : Json()},
                                   {"error", outcome.error ? Json(outcome.error->to_line()) : Json()}}),
                        kTurnEvent));
      stage_ = Stage::kAnswered;
      writer_->finish();
    } else {
      answer();
    }
    turn_.reset();
    ended_ = true;
  }
  options_.when_finished(outcome);
}

}  // namespace pandora
