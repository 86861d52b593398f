// Tools over HTTP: what the server answers, and what its other end makes of one that fails.
#include <future>

#include <gmock/gmock.h>

#include "contract/expect.h"
#include "orchestrator/tool_routes.h"
#include "support/http_routes.h"
#include "support/raw_tcp.h"
#include "tools/remote_tools.h"
#include "tools/tool_wire.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;

class OverHttp : public ::testing::Test {
 protected:
  OverHttp() {
    const ToolInfo info{{"echo", "gives its text", R"({"type": "object", "properties": {"text": {"type": "string"}}})"},
                        {},
                        Approval::kAllow};
    const auto run = [this](const ToolTask& task) -> Result<ToolOutcome> {
      seen = task.caller;
      ++runs;
      if (waits) {
        ++begun;
        while (!task.stopped()) std::this_thread::yield();
        ++stopped;
        return fail(ErrorCode::kCancelled, "told to stop");
      }
      ToolOutcome outcome{.trust = Trust::kWeb, .result = task.arguments.value("text", "")};
      outcome.claims = {"it is so"};
      outcome.fetches = {{"tea.example", {1'767'600'000'000'000}, false, "404"}};
      return outcome;
    };
    registry = must(
        ToolRegistry::create({.tools = {std::make_shared<FunctionTool>(info, run)}, .policy = {}, .clock = clock}));
    client = must(HttpClient::create({}, threads));
  }
  void listen(ToolRouteOptions options = {}) {
    options.user = ana;
    options.secret = "s3cret";
    routes = ToolRoutes::create(std::move(options), *registry, clock);
    orchestrator = must(HttpServer::listen({}, threads, *routes, random));
    remote = connect(orchestrator->url());
  }
  std::unique_ptr<RemoteTools> connect(const std::string& url) {
    return must(RemoteTools::create(
        url, registry->catalogue(), std::chrono::seconds(60), [this] { return secret; }, *client, clock));
  }
  Result<ToolOutcome> call(std::function<bool()> cancelled = {}, const Deadline& deadline = kNever) {
    ToolCaller caller{Principal::of(bob), must(SessionId::parse("trip")),
                      must(Uuid::parse("0190b3a2-0000-7000-8000-000000000001")), "phone", std::move(cancelled)};
    return remote->run({"call-1", "echo", R"({"text": "日本"})"}, caller, deadline);
  }
  HttpResponse ask(const std::string& method, const std::string& path, std::string body = "",
                   HttpHeaders headers = {}) {
    HttpCallRequest request;
    request.method = method;
    request.url = orchestrator->url() + path;
    request.headers = std::move(headers);
    if (!secret.empty()) request.headers.add("Authorization", "Bearer " + secret);
    request.body = std::move(body);
    return must(client->fetch(std::move(request), kNever));
  }

  std::string secret = "s3cret";
  const UserId ana = must(UserId::parse("ana")), bob = must(UserId::parse("bob"));
  const SystemClock clock;
  ManualClock patience;  // of those who have not all the time of the world
  static constexpr Duration kPatience = std::chrono::seconds(1);
  SystemRandom random;
  std::atomic<bool> waits = false;
  std::atomic<int> begun = 0, stopped = 0;
  static void wait_for(const std::atomic<int>& count, int value) {
    ASSERT_TRUE(testing::eventually([&] { return count >= value; })) << count << " of " << value;
  }
  ToolCaller seen;
  std::atomic<int> runs = 0;
  IoThreads threads{clock};
  std::unique_ptr<ToolRegistry> registry;
  std::unique_ptr<HttpClient> client;
  std::unique_ptr<ToolRoutes> routes;
  std::unique_ptr<HttpServer> orchestrator;
  std::unique_ptr<RemoteTools> remote;
};

TEST_F(OverHttp, AnOutcomeAndItsCallerArriveWhole) {
  listen();
  const auto outcome = must(call());
  EXPECT_EQ(outcome.result, "日本");
  EXPECT_EQ(outcome.trust, Trust::kWeb);
  EXPECT_EQ(outcome.approval, "allow");
  EXPECT_EQ(outcome.claims, std::vector<std::string>{"it is so"});
  ASSERT_EQ(outcome.fetches.size(), 1u);
  EXPECT_EQ(outcome.fetches[0], (FetchAttempt{"tea.example", {1'767'600'000'000'000}, false, "404"}));
  EXPECT_EQ(seen.who.user, bob);
  EXPECT_EQ(seen.session.str(), "trip");
  EXPECT_EQ(seen.turn.to_string(), "0190b3a2-0000-7000-8000-000000000001");
  EXPECT_EQ(seen.key, "phone");
}

TEST_F(OverHttp, ToolsAreListedWithTheirSchemaLimitsAndApproval) {
  listen();
  const auto answer = ask("GET", "/tools");
  EXPECT_EQ(answer.status, 200);
  const Json tool = Json::parse(answer.body)["tools"][0];
  EXPECT_EQ(tool["name"], "echo");
  EXPECT_EQ(tool["parameters"]["type"], "object");
  EXPECT_EQ(tool["approval"], "allow");
  EXPECT_EQ(tool["limits"]["milliseconds"], 10'000);
}

TEST_F(OverHttp, ErrorsHaveOpenAisShape) {
  listen();
  const auto expect = [&](const HttpResponse& answer, int status, const char* code) {
    EXPECT_EQ(answer.status, status) << answer.body;
    const Json error = Json::parse(answer.body)["error"];
    EXPECT_TRUE(error["message"].is_string() && error["type"].is_string()) << answer.body;
    if (*code) {
      EXPECT_EQ(error["code"], code);
    }
  };
  expect(ask("POST", "/tools/nothing", "{}"), 404, "not_found");
  expect(ask("POST", "/tools/echo", "{broken"), 400, "invalid_argument");
  expect(ask("POST", "/tools/echo", R"({"text": 7})"), 400, "invalid_argument");
  expect(ask("POST", "/tools/echo", "{}", {{"Pandora-User", "a b"}}), 400, "invalid_argument");
  expect(ask("POST", "/tools/echo", "{}", {{"Pandora-Turn", "x"}}), 400, "invalid_argument");
  expect(ask("GET", "/tools/echo"), 405, "");
  expect(ask("POST", "/tools", ""), 405, "");
  expect(ask("GET", "/elsewhere"), 404, "not_found");
  expect(ask("POST", "/tools/echo", std::string(kMaxToolRequestBytes + 1, ' ')), 413, "too_large");
  expect(ask("POST", "/tools/echo", "{}", {{"Origin", "https://eve.example"}}), 403, "permission_denied");
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(ask("POST", "/tools/echo", "").status, 200) << "no body is no arguments";
  EXPECT_EQ(seen.who.user, ana);
  EXPECT_EQ(ask("GET", "/health/live").status, 200);
}

TEST_F(OverHttp, ACallerThatLeavesAndADeadlineStopTheToolThere) {
  listen();
  waits = true;
  std::atomic<bool> left = false;
  auto leaves = std::async(std::launch::async, [&] { return call([&] { return left.load(); }); });
  wait_for(begun, 1);
  left = true;
  EXPECT_FAILS(kCancelled, leaves.get());
  wait_for(stopped, 1);
  auto late = std::async(std::launch::async, [&] { return call({}, Deadline::after(patience, kPatience)); });
  wait_for(begun, 2);
  patience.advance(kPatience);
  EXPECT_FAILS(kDeadlineExceeded, late.get());
  wait_for(stopped, 2);
}

TEST_F(OverHttp, AnOrchestratorThatEndsInTheMiddleIsSaidAndTheCallIsNotMadeAgain) {
  listen();
  waits = true;
  auto cut = std::async(std::launch::async, [&] { return call(); });
  wait_for(begun, 1);
  orchestrator.reset();
  const auto result = cut.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(runs, 1);
  const auto after = call();
  EXPECT_FAILS(kUnavailable, after);
  EXPECT_THAT(after.error().to_line(), HasSubstr("the Orchestrator, which runs the tools, does not answer"));
}

TEST_F(OverHttp, WithoutItsSecretNobodyIsToldAnything) {
  listen();
  for (const char* wrong : {"", "s3cre", "s3cret1", "S3cret"}) {
    secret = wrong;
    for (const char* path : {"/tools", "/tools/echo", "/tools/nothing", "/elsewhere"}) {
      const auto answer = ask("POST", path, "{}");
      EXPECT_EQ(answer.status, 401) << path;
      EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "unauthenticated");
    }
    EXPECT_FAILS(kUnauthenticated, call());
  }
  EXPECT_EQ(ask("GET", "/health/live").status, 200);
  EXPECT_EQ(runs, 0);
}

TEST_F(OverHttp, SoManyCallsWaitAndNoMore) {
  listen({.threads = 1, .queue = 1});
  waits = true;
  auto first = std::async(std::launch::async, [&] { return call(); });
  wait_for(begun, 1);
  auto second = std::async(std::launch::async, [&] { return call({}, Deadline::after(patience, kPatience)); });
  EXPECT_TRUE(testing::eventually([&] { return orchestrator->stats().in_flight == 2; }));
  patience.advance(kPatience);
  EXPECT_FAILS(kDeadlineExceeded, second.get()) << "it waits for a thread";
  const auto third = ask("POST", "/tools/echo", "{}");
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.headers.get("Retry-After"), "1");
  orchestrator.reset();
  EXPECT_FALSE(first.get());
  EXPECT_EQ(runs, 1);
}

TEST_F(OverHttp, AnAnswerThatMakesNoSenseIsNoOutcome) {
  for (const char* body :
       {"", "<html></html>", "[]", "{}", R"({"status": "perhaps"})",
        R"({"status":"ok","trust":"tool","result":7,"approval":"","claims":[],"research":[],"fetches":[]})",
        R"({"status":"ok","trust":"tool","result":"","approval":"","claims":[],"research":[{}],"fetches":[]})"}) {
    testing::Routes foreign;
    foreign.on("/tools/echo",
               [&](HttpRequest, std::shared_ptr<ResponseWriter> writer) { writer->respond({200, {}, body}); });
    const auto server = must(HttpServer::listen({}, threads, foreign, random));
    remote = connect(server->url());
    const auto result = call();
    ASSERT_FALSE(result) << body;
    EXPECT_THAT(result.error().message, HasSubstr("the Orchestrator's answer")) << body;
  }
}

TEST_F(OverHttp, AForeignRefusalIsAnErrorOfOurs) {
  testing::Routes foreign;
  foreign.on("/tools/echo", [&](HttpRequest, std::shared_ptr<ResponseWriter> writer) {
    writer->respond({502, {}, "<html><title>Bad Gateway</title></html>"});
  });
  const auto server = must(HttpServer::listen({}, threads, foreign, random));
  remote = connect(server->url());
  EXPECT_FAILS(kUnavailable, call());
}

}  // namespace
}  // namespace pandora
