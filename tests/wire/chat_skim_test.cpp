// What goes on as it came must be what the slow way would have made of it.
#include "wire/chat_skim.h"

#include <gtest/gtest.h>

#include "wire/chat_stream.h"

namespace pandora {
namespace {

std::string chunk(const std::string& delta, const std::string& more = "", const std::string& finish = "null") {
  return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" +
         delta + R"(,"logprobs":null,"finish_reason":)" + finish + "}]" + more + "}";
}
std::string answer(const std::string& message, const std::string& more = "") {
  return R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)" + message +
         R"(,"finish_reason":"stop"}])" + more + "}";
}

TEST(ChatSkim, AChunkOfWordsIsWhatTheSlowWayMakesOfIt) {
  for (const char* delta :
       {R"({"content":"Pea"})", R"({"role":"assistant","content":""})", R"({"role":"assistant"})", "{}",
        R"({"content":"\u00e9 \ud83d\ude00 \"q\" \\ \n","reasoning_content":"hm"})", R"({"content":"Ä€😀"})"}) {
    const std::string data = chunk(delta, R"(,"system_fingerprint":"f","x":[1.50])");
    const auto plain = skim_chat_chunk(data);
    ASSERT_TRUE(plain) << delta;
    auto slow = decode_chat_chunk(data);
    ASSERT_TRUE(slow);
    EXPECT_EQ(plain->content, slow->choices[0].delta.content.value_or(""));
    ChatStreamRepair().apply(*slow);
    EXPECT_EQ(Json::parse(encode_chat_chunk(*slow)), Json::parse(data));
  }
  EXPECT_TRUE(skim_chat_chunk(chunk("{}", R"(,"usage":null)")));
}

TEST(ChatSkim, AnythingElseInAChunkIsReadTheSlowWay) {
  for (
      const std::string& data :
      {chunk("{}", "", "\"stop\""), chunk("{}", R"(,"usage":{"prompt_tokens":1})"), chunk(R"({"content":null})"),
       chunk("{}", R"(,"error":{"message":"no"})"), chunk(R"({"tool_calls":[]})"), chunk(R"({"content":1})"),
       chunk(R"({"role":1})"), chunk("null"), chunk("{}") + "x", chunk("{\"content\":\"\xE2\x82\"}"),
       chunk(R"({"content":"\ud83d"})"), std::string("[DONE]"),
       std::string(R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]})"),
       std::string(
           R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{},"finish_reason":null}]})"),
       std::string(
           R"({"id":"c","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{},"finish_reason":null}]})"),
       std::string(
           R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{}}]})")})
    EXPECT_FALSE(skim_chat_chunk(data)) << data;
}

TEST(ChatSkim, AWholeAnswerIsWhatTheSlowWayMakesOfIt) {
  const std::string usage = R"(,"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"details":{"a":1}})";
  const std::string body = answer(R"({"role":"assistant","content":"Pea\u00e9","refusal":null})", usage);
  const auto plain = skim_chat_response(body);
  ASSERT_TRUE(plain);
  const auto slow = decode_chat_response(body);
  ASSERT_TRUE(slow);
  EXPECT_EQ(plain->content, slow->choices[0].message.text());
  EXPECT_EQ(plain->model, slow->model);
  EXPECT_EQ(plain->finish_reason, slow->choices[0].finish_reason);
  EXPECT_EQ(plain->usage->completion_tokens, 4);
  EXPECT_EQ(plain->usage->total_tokens, slow->usage->total_tokens);
  EXPECT_EQ(Json::parse(encode_chat_response(*slow)), Json::parse(body));
  EXPECT_FALSE(skim_chat_response(answer(R"({"role":"assistant","content":"x"})"))->usage);
}

TEST(ChatSkim, AnythingElseInAnAnswerIsReadTheSlowWay) {
  const std::string good = R"({"role":"assistant","content":"x"})";
  ASSERT_TRUE(skim_chat_response(answer(good)));
  for (const std::string& body :
       {answer(R"({"role":"assistant","content":null})"), answer(R"({"content":"x"})"),
        answer(R"({"role":"assistant","content":"x","tool_calls":[]})"), answer(good, R"(,"usage":null)"),
        answer(good, R"(,"usage":{"prompt_tokens":1})"), answer(good, R"(,"error":{})"), chunk("{}"),
        answer(good, R"(,"usage":{"prompt_tokens":1.5,"completion_tokens":1,"total_tokens":2})"),
        answer(good, R"(,"usage":{"prompt_tokens":1234567890123456,"completion_tokens":1,"total_tokens":2})")})
    EXPECT_FALSE(skim_chat_response(body)) << body;
}

}  // namespace
}  // namespace pandora
