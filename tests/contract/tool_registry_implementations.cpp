// The registry of tools as a ToolRunner: in this process, and over HTTP.
#include "contract/tool_runner_contract.h"
#include "orchestrator/tool_routes.h"
#include "tools/remote_tools.h"

namespace pandora {
namespace {

std::shared_ptr<Tool> tool(const char* name, const char* schema, FunctionTool::Run run) {
  const ToolLimits limits{std::chrono::seconds(60), kMaxToolResultBytes, 1'000'000};
  return std::make_shared<FunctionTool>(ToolInfo{{name, "a tool of a test", schema}, limits, Approval::kAllow},
                                        std::move(run));
}

ToolList contract_tools() {
  using Answer = Result<ToolOutcome>;
  constexpr const char* kAny = R"({"type": "object"})";
  return {tool("echo", R"({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]})",
               [](const ToolTask& task) -> Answer {
                 return ToolOutcome{.result = task.arguments["text"].get<std::string>()};
               }),
          tool("long", R"({"type": "object", "properties": {"bytes": {"type": "integer"}}, "required": ["bytes"]})",
               [](const ToolTask& task) -> Answer {
                 const auto bytes = task.arguments["bytes"].get<std::size_t>();
                 std::string text;
                 while (text.size() < bytes) text += "é";
                 return ToolOutcome{.result = std::move(text)};
               }),
          tool("broken", kAny, [](const ToolTask&) -> Answer { return fail(ErrorCode::kUnavailable, "it broke"); }),
          tool("slow", kAny,
               [](const ToolTask& task) -> Answer {
                 while (!task.stopped()) std::this_thread::yield();
                 return fail(ErrorCode::kCancelled, "told to stop");
               }),
          tool("denied", kAny, [](const ToolTask&) -> Answer { return ToolOutcome{.result = "never given"}; })};
}

class HereSetup : public ToolRunnerSetup {
 public:
  ToolRunner& runner() override { return *registry_; }

 protected:
  const SystemClock clock_;
  std::unique_ptr<ToolRegistry> registry_ = must(ToolRegistry::create(
      {.tools = contract_tools(), .policy = must(ApprovalPolicy::parse("denied=deny")), .clock = clock_}));
};

class RemoteSetup final : public HereSetup {
 public:
  RemoteSetup() {
    const UserId user = must(UserId::parse("ana"));
    routes_ = ToolRoutes::create({.user = user, .secret = "s3cret"}, *registry_, clock_);
    orchestrator_ = must(HttpServer::listen({}, threads_, *routes_, random_));
    client_ = must(HttpClient::create({}, threads_));
    remote_ = must(RemoteTools::create(
        orchestrator_->url(), registry_->catalogue(), std::chrono::seconds(60), [] { return std::string("s3cret"); },
        *client_, clock_));
  }
  ToolRunner& runner() override { return *remote_; }

 private:
  SystemRandom random_;
  IoThreads threads_{clock_};
  std::unique_ptr<ToolRoutes> routes_;
  std::unique_ptr<HttpServer> orchestrator_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<RemoteTools> remote_;
};

}  // namespace

std::vector<Implementation<ToolRunnerSetup>> tool_registry_implementations() {
  return {{"Registry", [] { return std::make_unique<HereSetup>(); }},
          {"OverHttp", [] { return std::make_unique<RemoteSetup>(); }}};
}

}  // namespace pandora
