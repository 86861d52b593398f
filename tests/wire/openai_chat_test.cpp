#include "wire/openai_chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "wire/chat_stream.h"
#include "wire/sse.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json json(std::string_view text) { return Json::parse(text); }

TEST(OpenAiChatRequest, ComesThroughWithWhatIsNotKnown) {
  const std::string body = R"({
    "model": "m", "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}, "temperature": 0.25, "max_tokens": 10,
    "max_completion_tokens": 11, "user": "ana", "metadata": {"session_id": "s"}, "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_object"}, "top_p": 0.9, "logit_bias": {"50256": -100}, "seed": 9007199254740993, "x_unknown": [1, {"deep": null}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}],
    "messages": [
      {"role": "system", "content": "be brief", "name": "boss"},
      {"role": "user", "content": [{"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}, {"type": "text", "text": "this?"}]},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}, "x": 1}], "refusal": null},
      {"role": "tool", "tool_call_id": "c1", "content": "42"}]})";
  const auto request = decode_chat_request(body);
  ASSERT_TRUE(request) << request.error().to_line();
  EXPECT_EQ(json(encode_chat_request(*request)), json(body));
  EXPECT_TRUE(request->stream && request->include_usage);
  EXPECT_EQ(request->messages[1].text(), "what is\nthis?");
  EXPECT_EQ(request->messages[1].image_urls(), std::vector<std::string>{"data:image/png;base64,AA"});
  EXPECT_EQ(request->messages[2].tool_calls[0].name, "f");
  EXPECT_EQ(request->messages[3].tool_call_id, "c1");
  EXPECT_EQ(*request->temperature, 0.25);
}

TEST(OpenAiChatRequest, AnEmptyListOfToolsIsLeftOut) {
  const auto request = decode_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[],"tool_choice":"auto"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(json(encode_chat_request(*request)), json(R"({"model":"m","messages":[{"role":"user","content":"x"}]})"));
}

TEST(OpenAiChatRequest, AFaultNamesItsPlace) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"([])", "request must be an object"},
      {R"({"model": 3, "messages": [{"role":"user","content":"x"}]})", "request.model must be a string"},
      {R"({"model": "m"})", "request.messages must hold at least one message"},
      {R"({"messages": {}})", "request.messages must be an array"},
      {R"({"messages": ["x"]})", "request.messages[0] must be an object"},
      {R"({"messages": [{"content":"x"}]})", "request.messages[0].role is missing"},
      {R"({"messages": [{"role":"user","content":7}]})",
       "request.messages[0].content must be a string or an array of parts"},
      {R"({"messages": [{"role":"user","content":"x"}], "stream": "yes"})", "request.stream must be true or false"},
      {R"({"messages": [{"role":"user","content":"x"}], "max_tokens": 1.5})",
       "request.max_tokens must be a whole number"},
      {R"({"messages": [{"role":"user","content":"x"}], "tools": [1]})", "request.tools[0] must be an object"},
      {R"({"messages": [{"role":"assistant","tool_calls":[{"function":{"name":1}}]}]})",
       "request.messages[0].tool_calls[0].function.name must be a string"},
      {R"({"messages": )", "no JSON from byte"},
  };
  for (const auto& [body, says] : cases) {
    const auto request = decode_chat_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_THAT(request.error().message, HasSubstr(says));
  }
  const std::string whole = R"({"model":"m","messages":[{"role":"user","content":"x"}]})";
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(decode_chat_request(std::string_view(whole).substr(0, cut))) << cut;
  EXPECT_TRUE(decode_chat_request(whole, whole.size()));
  EXPECT_EQ(decode_chat_request(whole, whole.size() - 1).error().code, ErrorCode::kTooLarge);
}

TEST(OpenAiChatResponse, ComesThroughAndMissingThingsAreFilledIn) {
  const std::string body = R"({"id":"c","object":"chat.completion","created":5,"model":"m","system_fingerprint":"fp",
    "choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"finish_reason":"length","logprobs":null}],
    "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}})";
  const auto response = decode_chat_response(body);
  ASSERT_TRUE(response) << response.error().to_line();
  EXPECT_EQ(json(encode_chat_response(*response)), json(body));
  const auto quirky = decode_chat_response(
      R"({"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"finish_reason":"stop"}]})");
  ASSERT_TRUE(quirky) << quirky.error().to_line();
  const auto& choice = quirky->choices[0];
  EXPECT_EQ(choice.finish_reason, "tool_calls");
  EXPECT_EQ(choice.message.tool_calls[0].id, "call_0");
  EXPECT_EQ(choice.message.tool_calls[0].type, "function");
  EXPECT_EQ(choice.message.tool_calls[0].arguments, R"({"a":1})");
  EXPECT_FALSE(quirky->usage);
  EXPECT_FALSE(decode_chat_response(R"({"choices":[]})"));
  EXPECT_THAT(decode_chat_response(R"({"error":{"message":"overloaded"}})").error().message, HasSubstr("overloaded"));
}

TEST(OpenAiChatChunk, ComesThroughWithWhatIsNotKnown) {
  for (
      const char* data :
      {R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"logprobs":null}],"usage":null})",
       R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm","tool_calls":[{"index":1,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":"tool_calls"}]})",
       R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})"}) {
    const auto chunk = decode_chat_chunk(data);
    ASSERT_TRUE(chunk) << chunk.error().to_line();
    Json expected = json(data);
    if (expected.contains("usage") && expected["usage"].is_null()) expected.erase("usage");
    EXPECT_EQ(json(encode_chat_chunk(*chunk)), expected);
  }
  EXPECT_TRUE(decode_chat_chunk("{}"));
  for (const char* bad : {"", "null", "[]", "{\"choices\":1}", "{\"choices\":[1]}",
                          "{\"choices\":[{\"delta\":{\"content\":5}}]}", "{\"choices\":[{\"delta\":"})
    EXPECT_FALSE(decode_chat_chunk(bad)) << bad;
}

TEST(OpenAiChatChunk, AnErrorInAStreamIsThatError) {
  const auto plain = decode_chat_chunk(R"({"error":{"message":"out of memory","type":"server_error"}})");
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(plain.error().message, HasSubstr("out of memory"));
  EXPECT_EQ(decode_chat_chunk(R"({"error":{"message":"slow down","code":429}})").error().code,
            ErrorCode::kResourceExhausted);
}

TEST(OpenAiError, EveryShapeBecomesOneClearSentence) {
  const std::vector<std::tuple<int, const char*, ErrorCode, const char*>> cases = {
      {400, R"({"error":{"message":"bad tools","type":"invalid_request_error","code":"x"}})",
       ErrorCode::kInvalidArgument, "bad tools"},
      {401, R"({"error":{"message":"Incorrect API key"}})", ErrorCode::kUnauthenticated, "Incorrect API key"},
      {404, R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404})",
       ErrorCode::kNotFound, "The model `x` does not exist."},
      {422, R"({"detail":[{"loc":["body"],"msg":"Field required"}]})", ErrorCode::kInvalidArgument, "Field required"},
      {404, R"({"detail":"Not Found"})", ErrorCode::kNotFound, "Not Found"},
      {500, R"({"error":"llama runner process has terminated"})", ErrorCode::kUnavailable,
       "llama runner process has terminated"},
      {502,
       "<html>\r\n<head><title>502 Bad\n Gateway</title></head>\r\n<body><center><h1>nginx</h1></center></body></html>",
       ErrorCode::kUnavailable, "an HTML page, \"502 Bad Gateway\""},
      {503, "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>", ErrorCode::kUnavailable,
       "Down for maintenance"},
      {503, "<html></html>", ErrorCode::kUnavailable, "an HTML page"},
      {429, "", ErrorCode::kResourceExhausted, "no explanation"},
      {413, "too\nlong", ErrorCode::kTooLarge, "too long"},
      {504, "upstream timed out", ErrorCode::kDeadlineExceeded, "upstream timed out"},
      {418, "teapot", ErrorCode::kInvalidArgument, "teapot"},
      {301, "moved", ErrorCode::kUnavailable, "moved"},
      {500, "{\"error\":", ErrorCode::kUnavailable, "{\"error\":"},
      {500, "\xFF\xFE\x01", ErrorCode::kUnavailable, "\xEF\xBF\xBD"},
  };
  for (const auto& [status, body, code, says] : cases) {
    const Error error = to_error(decode_openai_error(status, body), "http://m");
    EXPECT_EQ(error.code, code) << body;
    EXPECT_THAT(error.message, HasSubstr(says));
    EXPECT_THAT(error.message, HasSubstr("http://m answered " + std::to_string(status)));
    EXPECT_THAT(error.message, Not(HasSubstr("<")));
    EXPECT_THAT(error.message, Not(HasSubstr("\n")));
  }
  EXPECT_LE(decode_openai_error(500, std::string(1'000'000, 'x')).message.size(), 500u);
  EXPECT_EQ(
      json(encode_openai_error({ErrorCode::kNotFound, "no turn 1", "look"})),
      json(R"({"error":{"message":"no turn 1; look","type":"not_found_error","param":null,"code":"not_found"}})"));
}

TEST(Utf8Joiner, MakesWholeWhatIsCutAnywhere) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\xBCz";
  for (std::size_t first = 0; first <= text.size(); ++first)
    for (std::size_t second = first; second <= text.size(); ++second) {
      Utf8Joiner joiner;
      std::string joined;
      for (const auto& piece : {text.substr(0, first), text.substr(first, second - first), text.substr(second)}) {
        const std::string whole = joiner.push(piece);
        EXPECT_TRUE(is_valid_utf8(whole));
        joined += whole;
      }
      EXPECT_EQ(joined + joiner.flush(), text);
    }
  Utf8Joiner broken;
  EXPECT_EQ(broken.push("x\xFFy\xF0\x9F"), "x\xEF\xBF\xBDy");
  EXPECT_EQ(broken.flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(broken.flush(), "");
}

// Feeds the chunks of a stream as a server sent them; what a client gets in the end.
ChatAssembler assemble(const std::vector<std::string>& chunks) {
  ChatStreamRepair repair;
  ChatAssembler whole;
  for (const auto& data : chunks) {
    auto chunk = decode_chat_chunk(data);
    EXPECT_TRUE(chunk) << data << chunk.error().to_line();
    repair.apply(*chunk);
    EXPECT_TRUE(whole.add(*chunk));
  }
  return whole;
}
std::string delta(const std::string& inside, const char* finish = "null") {
  return R"({"choices":[{"index":0,"delta":{)" + inside + R"(},"finish_reason":)" + finish + "}]}";
}

TEST(ChatStream, ACharacterCutBetweenTwoChunksIsWhole) {
  const auto whole = assemble({delta("\"content\":\"caf\xC3\""), delta("\"content\":\"\xA9 \xF0\x9F\""),
                               delta("\"content\":\"\x90\xBC!\""), delta("", "\"stop\"")});
  EXPECT_EQ(whole.content, "caf\xC3\xA9 \xF0\x9F\x90\xBC!");
  EXPECT_EQ(assemble({delta("\"content\":\"x\xF0\x9F\""), delta("", "\"stop\"")}).content, "x\xEF\xBF\xBD");
}

TEST(ChatStream, EveryToolCallGetsItsIndex) {
  struct Case {
    const char* name;
    std::vector<std::string> chunks;
  };
  const std::vector<Case> cases = {
      {"as OpenAI sends it",
       {delta(R"("tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])"),
        delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}])"),
        delta(R"("tool_calls":[{"index":0,"function":{"arguments":":1}"}}])"),
        delta(R"("tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}])")}},
      {"whole calls without index",
       {delta(R"("tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}])"),
        delta(R"("tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"two in one chunk",
       {delta(
           R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"pieces without index",
       {delta(R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}])"),
        delta(R"("tool_calls":[{"function":{"arguments":"\"x\":1}"}}])"),
        delta(R"("tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"pieces that repeat the id and the name",
       {delta(R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}])"),
        delta(R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"\"x\":1}"}}])"),
        delta(R"("tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"all with index 0",
       {delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}])"),
        delta(R"("tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"an index from one",
       {delta(R"("tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}])"),
        delta(R"("tool_calls":[{"index":2,"id":"b","function":{"name":"g","arguments":"{}"}}])")}},
      {"arguments as an object",
       {delta(
           R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"g","arguments":{}}}])")}},
  };
  for (const auto& [name, chunks] : cases) {
    auto all = chunks;
    all.push_back(delta("", "\"stop\""));
    const auto whole = assemble(all);
    ASSERT_EQ(whole.tool_calls.size(), 2u) << name;
    EXPECT_EQ(whole.tool_calls[0].id, "a") << name;
    EXPECT_EQ(whole.tool_calls[0].name, "f") << name;
    EXPECT_EQ(whole.tool_calls[0].type, "function") << name;
    EXPECT_EQ(whole.tool_calls[0].arguments, R"({"x":1})") << name;
    EXPECT_EQ(whole.tool_calls[1].id, "b") << name;
    EXPECT_EQ(whole.tool_calls[1].name, "g") << name;
    EXPECT_EQ(whole.tool_calls[1].arguments, "{}") << name;
    EXPECT_EQ(whole.finish_reason, "tool_calls") << name;
  }
  const auto nameless = assemble({delta(
      R"("tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{}"}}])")});
  ASSERT_EQ(nameless.tool_calls.size(), 2u);
  EXPECT_EQ(nameless.tool_calls[0].id, "call_0");
  EXPECT_EQ(nameless.tool_calls[1].id, "call_1");
}

TEST(ChatStream, AReplyIsBounded) {
  ChatAssembler whole;
  OpenAiChatChunk chunk;
  chunk.choices.resize(1);
  chunk.choices[0].delta.content = std::string(ChatAssembler::kMaxReplyBytes, 'x');
  EXPECT_TRUE(whole.add(chunk));
  chunk.choices[0].delta.content = "x";
  EXPECT_EQ(whole.add(chunk).error().code, ErrorCode::kTooLarge);
  ChatAssembler calls;
  chunk.choices[0].delta = {};
  chunk.choices[0].delta.tool_calls.resize(1);
  chunk.choices[0].delta.tool_calls[0].index = static_cast<int>(ChatAssembler::kMaxToolCalls) - 1;
  EXPECT_TRUE(calls.add(chunk));
  chunk.choices[0].delta.tool_calls[0].index = static_cast<int>(ChatAssembler::kMaxToolCalls);
  EXPECT_FALSE(calls.add(chunk));
}

}  // namespace
}  // namespace pandora
