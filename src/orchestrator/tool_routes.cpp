#include "orchestrator/tool_routes.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "net/work_pool.h"
#include "tools/tool_wire.h"

namespace pandora {
namespace {

class Handler final : public HttpHandler {
 public:
  using Answer = std::function<void(HttpRequest, std::shared_ptr<ResponseWriter>)>;
  explicit Handler(Answer answer) : answer_(std::move(answer)) {}
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    answer_(std::move(request), std::move(writer));
  }

 private:
  const Answer answer_;
};

class WiredRoutes final : public ToolRoutes {
 public:
  WiredRoutes(ToolRouteOptions options, ToolRegistry& tools, const Clock& clock)
      : options_(std::move(options)),
        tools_(tools),
        clock_(clock),
        live_([](HttpRequest, std::shared_ptr<ResponseWriter> writer) {
          writer->respond({200, {{"Content-Type", "application/json"}}, R"({"status":"live"})"});
        }),
        list_([this](HttpRequest request, std::shared_ptr<ResponseWriter> writer) { list(request, *writer); }),
        call_([this](HttpRequest request, std::shared_ptr<ResponseWriter> writer) {
          auto caller = read_caller(request.headers, options_.user);
          if (!caller) return writer->respond(error_response(caller.error()));
          call(std::move(request), *std::move(caller), std::move(writer));
        }),
        pool_(options_.threads, options_.queue) {}
  ~WiredRoutes() override { end(); }
  void end() override { ending_ = true; }

  // Who may not come in is not told what there is, and its body is not read.
  Result<HttpRoute> route(const HttpRequest& head) override {
    constexpr std::size_t kNoBody = 0;
    constexpr std::string_view kBearer = "Bearer ";
    if (head.path == "/health/live" && (head.method == "GET" || head.method == "HEAD"))
      return HttpRoute{&live_, RunOn::kLoop, kNoBody};
    std::string_view given = head.headers.get("Authorization");
    given.remove_prefix(given.starts_with(kBearer) ? kBearer.size() : given.size());
    // By hashes: how long it takes says nothing about the secret.
    if (options_.secret.empty() || sha256_hex(given) != sha256_hex(options_.secret))
      return fail(ErrorCode::kUnauthenticated, "the Orchestrator asks for its secret, as a bearer",
                  "it is in orchestrator.key of the data directory; or call /tools of the Gateway");
    if (head.path == kToolsPath) return HttpRoute{&list_, RunOn::kLoop, kNoBody};
    const bool names_one = head.path.starts_with("/tools/") && head.path.size() > kToolsPath.size() + 1 &&
                           head.path.find('/', kToolsPath.size() + 1) == std::string::npos;
    if (names_one) return HttpRoute{&call_, RunOn::kLoop, kMaxToolRequestBytes};
    return fail(ErrorCode::kNotFound, fmt::format("nothing is at {}", head.path), "GET /tools lists the tools");
  }

  void list(const HttpRequest& request, ResponseWriter& writer) override {
    if (request.method != "GET" && request.method != "HEAD") return not_allowed(request, "GET, HEAD", writer);
    Json all = Json::array();
    for (const auto& tool : tools_.catalogue()) {
      const ToolInfo& info = *tools_.find(tool.name);
      all.push_back(
          {{"name", tool.name},
           {"description", tool.description},
           {"parameters", Json::parse(tool.schema, nullptr, false)},
           {"approval", to_string(tools_.approval_of(tool.name, ""))},
           {"limits",
            {{"milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(info.limits.time).count()},
             {"result_bytes", info.limits.result_bytes},
             {"calls_a_minute", info.limits.calls_a_minute}}}});
    }
    writer.respond({200, {{"Content-Type", "application/json"}}, dump_json({{"tools", std::move(all)}})});
  }

  void call(HttpRequest request, ToolCaller caller, std::shared_ptr<ResponseWriter> writer) override {
    if (request.method != "POST") return not_allowed(request, "POST", *writer);
    caller.cancelled = [this, writer] { return ending_ || writer->gone(); };
    const auto given = std::make_shared<HttpRequest>(std::move(request));
    const bool taken = !ending_ && pool_.submit([this, given, caller, writer] { answer(*given, caller, *writer); });
    if (taken) return;
    HttpResponse full =
        error_response({ErrorCode::kResourceExhausted, "too many tools are called at once", "try again in a moment"});
    full.headers.add("Retry-After", "1");
    writer->respond(std::move(full));
  }

 private:
  static void not_allowed(const HttpRequest& request, const char* allowed, ResponseWriter& writer) {
    HttpResponse response = error_response(
        405, {ErrorCode::kInvalidArgument, fmt::format("{} is not allowed here; use {}", request.method, allowed), ""});
    response.headers.add("Allow", allowed);
    writer.respond(std::move(response));
  }
  void answer(const HttpRequest& request, const ToolCaller& caller, ResponseWriter& writer) {
    // While it waited its caller has left, or the end has come: then nothing is done any more.
    if (caller.cancelled())
      return writer.respond(error_response({ErrorCode::kUnavailable, "the call was not begun", "try again"}));
    auto outcome = run(request, caller);
    if (!outcome) return writer.respond(error_response(outcome.error()));
    writer.respond({200, {{"Content-Type", "application/json"}}, dump_json(to_json(*outcome))});
  }
  Result<ToolOutcome> run(const HttpRequest& request, const ToolCaller& caller) {
    PANDORA_TRY(name, percent_decode(request.path.substr(kToolsPath.size() + 1)));
    return tools_.run({"", name, request.body.empty() ? "{}" : request.body}, caller,
                      Deadline::after(clock_, options_.call_time));
  }

  const ToolRouteOptions options_;
  ToolRegistry& tools_;
  const Clock& clock_;
  std::atomic<bool> ending_ = false;
  Handler live_, list_, call_;
  WorkPool pool_;  // ended first
};

}  // namespace

std::unique_ptr<ToolRoutes> ToolRoutes::create(ToolRouteOptions options, ToolRegistry& tools, const Clock& clock) {
  return std::make_unique<WiredRoutes>(std::move(options), tools, clock);
}

}  // namespace pandora
