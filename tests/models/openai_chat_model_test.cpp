#include "models/openai_chat_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_upstream.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace testing;  // our doubles
using namespace std::chrono_literals;

using OpenAiChatModelTest = ModelCase;

TEST_F(OpenAiChatModelTest, StreamsTheReplyAndReportsWhatTheServerReports) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({chunk(R"("role":"assistant","content":"")"), words("It is "), words("noon."), kStop, kUsage}));
  model({upstream.url()});
  const auto result = ask();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(said_, "It is noon.");
  EXPECT_EQ(result->content, "It is noon.");
  EXPECT_EQ(result->model, "upstream-model");
  EXPECT_EQ(result->finish_reason, "stop");
  EXPECT_EQ(result->tokens_in, 11);
  EXPECT_EQ(result->tokens_out, 3);
  EXPECT_TRUE(result->tool_calls.empty());
}

TEST_F(OpenAiChatModelTest, AsksWhatItWasAsked) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({words("x"), kStop})).then(stream({words("x"), kStop}));
  ModelSettings made = settings({upstream.url()});
  made.roles[static_cast<std::size_t>(ModelRole::kMind)].temperature = 0.25;
  made.roles[static_cast<std::size_t>(ModelRole::kMind)].max_tokens = 100;
  model(made);
  ChatRequest request;
  request.role = ModelRole::kMind;
  request.max_tokens = 50;
  request.json_schema = R"({"type":"object"})";
  request.messages = {{ChatRole::kSystem, "be brief", {}, ""},
                      {ChatRole::kUser, "what time is it?", {}, ""},
                      {ChatRole::kAssistant, "", {{"c1", "clock", "{}"}}, ""},
                      {ChatRole::kTool, "noon", {}, "c1"}};
  request.tools = {{"clock", "tells the time", R"({"type":"object","properties":{}})"}};
  ASSERT_TRUE(ask(request));
  const Json expected = Json::parse(R"({
    "model":"named-model","stream":true,"stream_options":{"include_usage":true},"temperature":0.25,"max_tokens":50,
    "messages":[{"role":"system","content":"be brief"},{"role":"user","content":"what time is it?"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"clock","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"noon"}],
    "tools":[{"type":"function","function":{"name":"clock","description":"tells the time","parameters":{"type":"object","properties":{}}}}],
    "response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}}}})");
  EXPECT_EQ(upstream.requests().at(0), expected);
  EXPECT_EQ(upstream.authorizations().at(0), "Bearer key");
  // Without tools there is no list of them: vLLM answers an empty one with 400. Each role has its own temperature.
  ASSERT_TRUE(ask());
  EXPECT_FALSE(upstream.requests().at(1).contains("tools"));
  EXPECT_FALSE(upstream.requests().at(1).contains("max_tokens"));
  EXPECT_EQ(upstream.requests().at(1)["temperature"], 0.7);
}

TEST_F(OpenAiChatModelTest, CallsToolsAlsoWhenTheirIndexIdOrTypeIsMissing) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({chunk(R"("tool_calls":[{"function":{"name":"clock","arguments":""}}])"),
                        chunk(R"("tool_calls":[{"function":{"arguments":"{\"zone\":"}}])"),
                        chunk(R"("tool_calls":[{"function":{"arguments":"\"UTC\"}"}}])"),
                        chunk(R"("tool_calls":[{"id":"b","function":{"name":"search"}}])"), kStop}));
  model({upstream.url()});
  const auto result = ask();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->tool_calls,
            (std::vector<ToolCall>{{"call_0", "clock", R"({"zone":"UTC"})"}, {"b", "search", "{}"}}));
  EXPECT_EQ(result->finish_reason, "tool_calls");
}

TEST_F(OpenAiChatModelTest, KeepsItsConnection) {
  ModelUpstream upstream(threads_, random_);
  model({upstream.url()});
  for (int i = 0; i < 5; ++i) {
    upstream.then(stream({words("x"), kStop, kUsage}));
    ASSERT_TRUE(ask());
  }
  EXPECT_EQ(upstream.server().stats().accepted, 1u);
}

TEST_F(OpenAiChatModelTest, AsksTheServerForItsModelWhenNoneIsNamed) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({words("x"), kStop})).then(stream({words("y"), kStop}));
  ModelSettings made = settings({});
  for (auto& role : made.roles) role.servers = {{upstream.url(), "", ""}};
  model(made);
  ASSERT_TRUE(ask());
  ASSERT_TRUE(ask());
  EXPECT_EQ(upstream.requests().at(1)["model"], "first-model");
  EXPECT_EQ(upstream.model_lists(), 1);
  EXPECT_EQ(upstream.authorizations().at(0), "");
  for (const char* list : {R"({"data":[]})", R"({"models":[]})", "<html><title>hi</title></html>"}) {
    ModelUpstream empty(threads_, random_);
    empty.models = list;
    made.attempts = 1;
    for (auto& role : made.roles) role.servers = {{empty.url(), "", ""}};
    model(made);
    EXPECT_EQ(ask().error().code, ErrorCode::kUnavailable) << list;
  }
}

TEST_F(OpenAiChatModelTest, WhatAServerRefusesToBeAskedIsNotAskedAgain) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(400, error_body("Unrecognized request argument supplied: stream_options")))
      .then(status(400, error_body("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                                   "'max_completion_tokens' instead.")))
      .then(status(400, error_body("Unsupported value: 'temperature' does not support 0.7 with this model.")))
      .then(stream({words("at last"), kStop}))
      .then(stream({words("at once"), kStop}));
  ModelSettings made = settings({upstream.url()});
  for (auto& role : made.roles) role.max_tokens = 9;
  made.attempts = 1;  // learning costs no attempt
  model(made);
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "at last");
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "at once");
  const auto requests = upstream.requests();
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_TRUE(requests[0].contains("stream_options") && requests[0].contains("max_tokens") &&
              requests[0].contains("temperature"));
  for (const auto& later : {requests[3], requests[4]}) {
    EXPECT_FALSE(later.contains("stream_options") || later.contains("max_tokens") || later.contains("temperature"));
    EXPECT_EQ(later["max_completion_tokens"], 9);
  }
  // The same refusal twice is an answer.
  upstream.then(status(400, error_body("stream_options again"))).then(status(400, error_body("stream_options again")));
  EXPECT_EQ(ask().error().code, ErrorCode::kInvalidArgument);
}

TEST_F(OpenAiChatModelTest, AServerThatDoesNotStreamIsUnderstood) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(
      200,
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"all at once","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})"));
  model({upstream.url()});
  const auto result = ask();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(said_, "all at once");
  EXPECT_EQ(result->tool_calls, (std::vector<ToolCall>{{"a", "f", R"({"x":1})"}}));
  EXPECT_EQ(result->tokens_out, 2);
}

TEST_F(OpenAiChatModelTest, AStreamMayEndWithoutDoneOrGoOnBehindIt) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(stream({words("no done"), kStop}, false)).then([](const Json&, const Writer& writer) {
    writer->start(200, {{"Content-Type", "text/event-stream"}});
    writer->write(sse_event(words("kept open")) + sse_event(kStop) + std::string(kSseDone));
    writer->when_gone([writer] {});  // never finished: the connection stays as it is
  });
  model({upstream.url()});
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "no done");
  const auto result = ask_and_wait(10ms);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(said_, "kept open");
}

TEST_F(OpenAiChatModelTest, WhatAServerRefusesIsOneClearErrorAndIsNotTriedAgain) {
  ModelUpstream upstream(threads_, random_);
  model({upstream.url()});
  const std::vector<std::tuple<int, std::string, ErrorCode, const char*>> cases = {
      {400, error_body("this context is too long"), ErrorCode::kInvalidArgument, "this context is too long"},
      {401, error_body("Incorrect API key provided"), ErrorCode::kUnauthenticated, "model.api_key"},
      {404, R"({"object":"error","message":"The model `named-model` does not exist."})", ErrorCode::kNotFound,
       "model.name"},
      {422, R"({"detail":[{"msg":"Field required"}]})", ErrorCode::kInvalidArgument, "Field required"},
  };
  std::size_t asked = 0;
  for (const auto& [code, body, error, says] : cases) {
    upstream.then(status(code, body));
    const auto result = ask();
    ASSERT_FALSE(result) << code;
    EXPECT_EQ(result.error().code, error);
    EXPECT_THAT(result.error().to_line(), HasSubstr(says));
    EXPECT_THAT(result.error().to_line(), HasSubstr(upstream.url()));
    EXPECT_THAT(result.error().to_line(), Not(HasSubstr("Bearer")));
    EXPECT_EQ(upstream.requests().size(), ++asked);
  }
}

TEST_F(OpenAiChatModelTest, AnHtmlPageIsOneClearErrorWhateverItsStatus) {
  ModelUpstream upstream(threads_, random_);
  ModelSettings made = settings({upstream.url()});
  made.attempts = 1;
  model(made);
  const std::string page = "<html>\n<head><title>502 Bad Gateway</title></head><body>\n<h1>nginx</h1></body></html>";
  for (const int code : {502, 200}) {
    upstream.then(status(code, page, {{"Content-Type", "text/html; charset=utf-8"}}));
    const auto result = ask();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(result.error().to_line(), HasSubstr("an HTML page, \"502 Bad Gateway\""));
    EXPECT_THAT(result.error().to_line(), Not(HasSubstr("<")));
  }
}

TEST_F(OpenAiChatModelTest, AnErrorOfTheServersIsTriedAgainAfterAPause) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(500, error_body("out of memory")))
      .then(status(503, "loading model"))
      .then(stream({words("third time"), kStop}));
  model({upstream.url()});
  const auto result = ask_and_wait();
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(said_, "third time");
  // And no more often than allowed.
  for (int i = 0; i < 4; ++i) upstream.then(status(500, error_body("still out of memory")));
  const auto failed = ask_and_wait();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("still out of memory"));
  EXPECT_EQ(upstream.requests().size(), 6u);
}

TEST_F(OpenAiChatModelTest, AServerThatIsFullIsWaitedForAsLongAsItAsks) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(429, error_body("slow down"), {{"Retry-After", "3"}})).then(stream({words("now"), kStop}));
  model({upstream.url()});
  Listener listener;
  const auto handle = model_->start(asking(), Deadline::never(), listener);
  ASSERT_TRUE(eventually([&] { return upstream.requests().size() == 1; }));
  for (int i = 0; i < 28; ++i) clock_.advance(100ms);
  EXPECT_EQ(upstream.requests().size(), 1u);
  EXPECT_TRUE(passes(50ms, listener));
  EXPECT_EQ(said_, "now");
}

TEST_F(OpenAiChatModelTest, WithoutRetryAfterItWaitsASecondAndALongOneIsSaidAtOnce) {
  ModelUpstream upstream(threads_, random_);
  upstream.then(status(429, "")).then(stream({words("now"), kStop}));
  model({upstream.url()});
  EXPECT_TRUE(ask_and_wait());
  upstream.then(status(429, error_body("quota exceeded"), {{"Retry-After", "3600"}}));
  const auto refused = ask();  // time stands still: nothing is waited for
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("quota exceeded"));
  EXPECT_THAT(refused.error().message, HasSubstr("3600 s"));
  // Nor is it asked before then.
  const auto resting = ask();
  ASSERT_FALSE(resting);
  EXPECT_EQ(upstream.requests().size(), 3u);
}

TEST_F(OpenAiChatModelTest, TheNextServerAnswersWhenTheFirstDoesNot) {
  std::uint16_t dead_port = 0;
  {
    RawServer dead([](RawConnection&, int) {});
    dead_port = dead.port();
  }
  ModelUpstream second(threads_, random_);
  second.then(stream({words("second"), kStop})).then(stream({words("again"), kStop}));
  ModelSettings made = settings({"http://127.0.0.1:" + std::to_string(dead_port) + "/v1"});
  for (auto& role : made.roles) role.servers.push_back({second.url(), "other-model", "other key"});
  model(made);
  ASSERT_TRUE(ask());  // at once: no pause between two servers
  EXPECT_EQ(said_, "second");
  EXPECT_EQ(second.requests().at(0)["model"], "other-model");
  EXPECT_EQ(second.authorizations().at(0), "Bearer other key");
  ASSERT_TRUE(ask());
}

TEST_F(OpenAiChatModelTest, AServerThatKeepsFailingIsLeftAloneAndTriedWithOneCallLater) {
  ModelUpstream first(threads_, random_), second(threads_, random_);
  ModelSettings made = settings({first.url(), second.url()});
  made.breaker = {.failures = 2, .open_for = 5s, .open_at_most = 60s};
  model(made);
  for (int i = 0; i < 2; ++i) first.then(status(500, "broken"));
  for (int i = 0; i < 5; ++i) second.then(stream({words("second"), kStop}));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(ask());
  EXPECT_EQ(first.requests().size(), 2u);  // then it was left alone
  clock_.advance(5s);
  first.then(stream({words("well again"), kStop})).then(stream({words("well again"), kStop}));
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "well again");
  ASSERT_TRUE(ask());
  EXPECT_EQ(said_, "well again");
  EXPECT_EQ(second.requests().size(), 4u);
}

TEST_F(OpenAiChatModelTest, WhenAllAreLeftAloneThatIsSaidAtOnce) {
  ModelUpstream upstream(threads_, random_);
  ModelSettings made = settings({upstream.url()});
  made.breaker.failures = 1;
  made.attempts = 1;
  model(made);
  upstream.then(status(500, "broken"));
  EXPECT_FALSE(ask());
  const auto left_alone = ask();
  ASSERT_FALSE(left_alone);
  EXPECT_EQ(left_alone.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(left_alone.error().to_line(), HasSubstr("left alone"));
  EXPECT_EQ(upstream.requests().size(), 1u);
}

TEST_F(OpenAiChatModelTest, ARoleWithoutAServerSaysWhatToSet) {
  model(ModelSettings{});
  const auto result = ask();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().to_line(), HasSubstr("model.url"));
}

TEST_F(OpenAiChatModelTest, ServersAreListed) {
  ModelUpstream upstream(threads_, random_);
  EXPECT_EQ(*list_models(*client_, {upstream.url(), "", ""}, clock_, Deadline::never()),
            (std::vector<std::string>{"first-model", "second-model"}));
  upstream.models = "no json";
  EXPECT_EQ(list_models(*client_, {upstream.url(), "", ""}, clock_, Deadline::never()).error().code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(
      list_models(*client_, {upstream.server().url() + "/nowhere", "", ""}, clock_, Deadline::never()).error().code,
      ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pandora
