#include "mcp/http_endpoint.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "mcp/calls_under_way.h"
#include "net/work_pool.h"
#include "ports/lasting_subscription.h"
#include "wire/sse.h"

namespace pandora {
namespace {

constexpr const char* kSession = "Mcp-Session-Id";
constexpr const char* kRevision = "MCP-Protocol-Version";

constexpr const char* kCancelChannel = "mcp.cancel";
constexpr Duration kToTell = std::chrono::seconds(5);  // the others of a cancellation; the cache has a lower limit

HttpHeaders json_headers() { return {{"Content-Type", "application/json"}}; }
HttpHeaders stream_headers() {
  return {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache, no-transform"}};
}
HttpResponse plain(int status, std::string message) {
  return error_response(status, {ErrorCode::kInvalidArgument, std::move(message), "see docs/mcp.md"});
}

// A media range of Accept that the type falls under; without the header everything does.
bool accepts(const HttpHeaders& headers, std::string_view type) {
  if (!headers.has("Accept")) return true;
  const std::string all = fmt::format("{}/*", type.substr(0, type.find('/')));
  for (const auto& header : headers) {
    if (!equal_ignoring_case(header.name, "Accept")) continue;
    for (std::string_view rest = header.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view range = rest.substr(0, std::min(comma, rest.find(';')));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!range.empty() && range.front() == ' ') range.remove_prefix(1);
      while (!range.empty() && range.back() == ' ') range.remove_suffix(1);
      if (equal_ignoring_case(range, type) || equal_ignoring_case(range, all) || range == "*/*") return true;
    }
  }
  return false;
}

bool is_json(std::string_view type) {
  std::string_view essence = type.substr(0, type.find(';'));
  while (!essence.empty() && essence.back() == ' ') essence.remove_suffix(1);
  return equal_ignoring_case(essence, "application/json");
}

bool is_session_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxMcpSessionId &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7E; });
}

McpHeaders mcp_headers(const HttpHeaders& headers) {
  const auto value = [&](const char* name) {
    return headers.has(name) ? std::optional<std::string>(headers.get(name)) : std::nullopt;
  };
  McpHeaders all{value(kRevision), value("Mcp-Method"), value("Mcp-Name"), false};
  for (const char* name : {kRevision, "Mcp-Method", "Mcp-Name"}) all.doubled |= headers.count(name) > 1;
  return all;
}

// One request's answer on its way. Thread-safe: a cancellation comes from another request.
class HttpCall final : public McpObserver {
 public:
  HttpCall(std::shared_ptr<ResponseWriter> writer, bool may_stream, HttpHeaders more, const std::atomic<bool>& ending)
      : writer_(std::move(writer)), may_stream_(may_stream), more_(std::move(more)), ending_(ending) {}
  void take(std::shared_ptr<McpCallState> state) { state_ = std::move(state); }
  void leaving_cancels() { leaving_cancels_ = true; }

  void notify(std::string message) override {
    const std::lock_guard lock(mutex_);
    if (ended_ || !may_stream_) return;
    if (!std::exchange(streams_, true)) writer_->start(200, with_more(stream_headers()));
    (void)writer_->write(sse_event(message, "message"));
  }
  bool cancelled() override {
    return ending_ || (state_ && state_->cancelled()) || (leaving_cancels_ && writer_->gone());
  }

  void end(int status, std::string message) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    if (!streams_) return writer_->respond({status, with_more(json_headers()), std::move(message)});
    (void)writer_->write(sse_event(message, "message"));
    writer_->finish();
  }
  // A cancelled request gets no answer: an empty stream.
  void drop() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    if (streams_) return writer_->finish();
    writer_->respond({200, with_more(stream_headers()), ""});
  }

 private:
  HttpHeaders with_more(HttpHeaders headers) const {
    for (const auto& header : more_) headers.add(header.name, header.value);
    return headers;
  }
  std::mutex mutex_;
  const std::shared_ptr<ResponseWriter> writer_;
  const bool may_stream_;
  const HttpHeaders more_;
  const std::atomic<bool>& ending_;  // nobody is answered any more
  std::shared_ptr<McpCallState> state_;
  bool streams_ = false, ended_ = false, leaving_cancels_ = false;
};

class PooledEndpoint final : public McpEndpoint {
 public:
  PooledEndpoint(McpServer& server, Random& random, Cache& cache, const Clock& clock)
      : server_(server),
        random_(random),
        cache_(cache),
        clock_(clock),
        heard_(cache, kCancelChannel, [this](auto& told) { hear(told); }) {}
  void end() override { ending_ = true; }

  void handle(HttpRequest request, const ToolCaller& caller, std::shared_ptr<ResponseWriter> writer) override {
    if (request.method != "POST" && request.method != "DELETE") {
      HttpResponse response = plain(405, request.method + " is not allowed here; use POST or DELETE");
      response.headers.add("Allow", "POST, DELETE");
      return writer->respond(std::move(response));
    }
    const auto held = std::make_shared<HttpRequest>(std::move(request));
    // What waits for a tool, or for somebody's word, must not hold up what cancels it. A guess on the safe side:
    // whatever may be a call is taken for one.
    const bool may_wait = held->body.find("tools") != std::string::npos || held->body.find("\\u") != std::string::npos;
    if (!ending_ &&
        (may_wait ? pool_ : quick_pool_).submit([this, held, caller, writer] { run(*held, caller, writer); }))
      return;
    writer->respond(
        error_response({ErrorCode::kResourceExhausted, "too many MCP requests wait", "send it again later"}));
  }

 private:
  void run(const HttpRequest& request, const ToolCaller& caller, const std::shared_ptr<ResponseWriter>& writer) {
    const std::string session(request.headers.get(kSession));
    if (request.headers.count(kSession) > 1 || (request.headers.has(kSession) && !is_session_id(session)))
      return writer->respond(
          plain(400, fmt::format("{} must be 1 to {} visible characters", kSession, kMaxMcpSessionId)));
    if (request.method == "DELETE") {
      if (session.empty()) return writer->respond(plain(400, fmt::format("{} is missing", kSession)));
      calls_.cancel_all(owner_of(session, caller));
      tell({{"owner", owner_of(session, caller)}});
      return writer->respond({204, {}, ""});
    }
    if (!is_json(request.headers.get("Content-Type")))
      return writer->respond(plain(415, "Content-Type must be application/json"));
    if (!accepts(request.headers, "application/json"))
      return writer->respond(plain(406, "answers are application/json, or text/event-stream"));
    RpcInput input = read_rpc(request.body);
    if (input.batch) return take_batch(request, input, caller, writer);
    take_one(request, std::move(input.messages.front()), session, caller, writer);
  }

  void take_one(const HttpRequest& request, RpcReading reading, const std::string& session, const ToolCaller& caller,
                const std::shared_ptr<ResponseWriter>& writer) {
    const RpcMessage& message = reading.message;
    const McpHeaders headers = mcp_headers(request.headers);
    if (reading.fault) return refuse(message.id, {McpRevision::k2025_11_25, *reading.fault}, writer);
    if (message.kind != RpcKind::kRequest) {
      if (headers.revision && !mcp_revision_named(*headers.revision))
        return refuse({}, judge_mcp(message, &headers), writer);
      if (message.method == "notifications/cancelled" && !session.empty())
        cancel(owner_of(session, caller), message.params.value("requestId", Json()));
      return writer->respond({202, {}, ""});
    }
    const McpVerdict verdict = judge_mcp(message, &headers);
    if (verdict.fault) return refuse(message.id, verdict, writer);

    HttpHeaders more;
    if (message.method == "initialize" && !has_envelope(verdict.revision)) more.add(kSession, new_session());
    const auto call = std::make_shared<HttpCall>(writer, accepts(request.headers, "text/event-stream"), more, ending_);
    if (has_envelope(verdict.revision)) {
      call->leaving_cancels();
    } else if (!session.empty()) {
      auto state = calls_.begin(owner_of(session, caller), message.id, [weak = std::weak_ptr(call)] {
        if (const auto still = weak.lock()) still->drop();
      });
      if (!state)
        return refuse(message.id, {verdict.revision, RpcFault{kRpcInvalidRequest, "a request of this id is under way"}},
                      writer);
      call->take(std::move(state));
    }
    const auto answer = server_.answer(message, verdict.revision, caller, *call);
    if (!session.empty() && !has_envelope(verdict.revision)) calls_.end(owner_of(session, caller), message.id);
    if (answer.fault)
      call->end(mcp_http_status(verdict.revision, answer.fault->code), rpc_error(message.id, *answer.fault));
    else
      call->end(200, rpc_result(message.id, answer.result));
  }

  // What runs elsewhere is cancelled by whoever runs it. That he is not told is no error: it ends by itself as well.
  void cancel(const std::string& owner, const Json& id) {
    if (!calls_.cancel(owner, id)) tell({{"owner", owner}, {"id", id}});
  }
  void tell(const Json& what) {
    (void)cache_.publish(kCancelChannel, dump_json(what), Deadline::after(clock_, kToTell));
  }
  void hear(const std::string& told) {
    const auto what = parse_json(told, kMaxRpcMessageBytes, "a cancellation");
    if (!what || !what->is_object() || !what->contains("owner") || !(*what)["owner"].is_string()) return;
    const std::string owner = what->value("owner", "");
    if (what->contains("id"))
      (void)calls_.cancel(owner, (*what)["id"]);
    else
      calls_.cancel_all(owner);
  }

  // The session is what the client says that it is: two users may say the same. It holds no line end.
  static std::string owner_of(const std::string& session, const ToolCaller& caller) {
    return session + '\n' + caller.who.user.str();
  }

  // Of 2025-03-26 alone. Answered as a whole: without progress, and cancelled by nobody.
  void take_batch(const HttpRequest& request, const RpcInput& input, const ToolCaller& caller,
                  const std::shared_ptr<ResponseWriter>& writer) {
    const McpHeaders headers = mcp_headers(request.headers);
    if (headers.doubled || (headers.revision && *headers.revision != to_string(McpRevision::k2025_03_26)))
      return refuse(
          {}, {McpRevision::k2025_11_25, RpcFault{kRpcInvalidRequest, "this protocol version has no batches"}}, writer);
    HttpCall call(writer, false, {}, ending_);
    std::string answers;
    for (const auto& reading : input.messages) {
      const std::string answer = answer_in_batch(reading, headers, caller, call);
      if (!answer.empty()) answers += (answers.empty() ? "[" : ",") + answer;
    }
    if (answers.empty()) return writer->respond({202, {}, ""});
    call.end(200, answers + "]");
  }

  std::string answer_in_batch(const RpcReading& reading, const McpHeaders& headers, const ToolCaller& caller,
                              McpObserver& observer) {
    const RpcMessage& message = reading.message;
    if (reading.fault) return rpc_error(message.id, *reading.fault);
    if (message.kind != RpcKind::kRequest) return {};
    if (message.method == "initialize")
      return rpc_error(message.id, {kRpcInvalidRequest, "\"initialize\" must not be part of a batch"});
    const McpVerdict verdict = judge_mcp(message, &headers);
    if (verdict.fault) return rpc_error(message.id, *verdict.fault);
    const auto answer = server_.answer(message, verdict.revision, caller, observer);
    return answer.fault ? rpc_error(message.id, *answer.fault) : rpc_result(message.id, answer.result);
  }

  static void refuse(const Json& id, const McpVerdict& verdict, const std::shared_ptr<ResponseWriter>& writer) {
    writer->respond(
        {mcp_http_status(verdict.revision, verdict.fault->code), json_headers(), rpc_error(id, *verdict.fault)});
  }

  std::string new_session() { return fmt::format("{:016x}{:016x}", random_.next(), random_.next()); }

  McpServer& server_;
  Random& random_;
  Cache& cache_;
  const Clock& clock_;
  CallsUnderWay calls_;
  LastingSubscription heard_;
  std::atomic<bool> ending_ = false;
  WorkPool quick_pool_{kMcpHttpQuickThreads, kMcpHttpQueue}, pool_{kMcpHttpThreads, kMcpHttpQueue};  // ended first
};

}  // namespace

std::unique_ptr<McpEndpoint> make_mcp_endpoint(McpServer& server, Random& random, Cache& cache, const Clock& clock) {
  return std::make_unique<PooledEndpoint>(server, random, cache, clock);
}

}  // namespace pandora
