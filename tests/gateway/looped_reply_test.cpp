// Several model calls as one answer: what a client sees of it.
#include "gateway/looped_reply.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

Json chunk(Json delta, Json finish = Json(), const char* id = "one") {
  Json made = {{"id", id}, {"object", "chat.completion.chunk"}, {"created", 1}, {"model", "m"}};
  made["choices"] = Json::array({{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}}});
  return made;
}
Json calls(int index, const char* name, const char* arguments = "{}") {
  return {{"tool_calls", Json::array({{{"index", index},
                                       {"id", "call"},
                                       {"type", "function"},
                                       {"function", {{"name", name}, {"arguments", arguments}}}}})}};
}
Json delta(const Json& passed) { return passed.is_null() ? Json() : passed["choices"][0]["delta"]; }

class Looped : public ::testing::Test {
 protected:
  Looped() { reply.begin_call(); }
  std::string text(const Json& passed) { return passed.is_null() ? "" : delta(passed).value("content", ""); }
  LoopedReply reply{{"weather"}};
};

TEST_F(Looped, OneCallWithoutToolsIsPassedWithItsEndHeldBack) {
  EXPECT_EQ(delta(reply.pass(chunk({{"role", "assistant"}, {"content", ""}}))),
            Json({{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(text(reply.pass(chunk({{"content", "Hello"}}))), "Hello");
  EXPECT_TRUE(reply.pass(chunk(Json::object(), "stop")).is_null());
  const auto end = reply.finish();
  ASSERT_EQ(end.size(), 1u);
  EXPECT_EQ(end[0]["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(reply.usage().is_null());
}

TEST_F(Looped, CallsOfOursAreKeptBackAndWhatIsSaidStandsApart) {
  EXPECT_EQ(text(reply.pass(chunk({{"role", "assistant"}, {"content", "Let me look."}}))), "Let me look.");
  EXPECT_TRUE(reply.pass(chunk(calls(0, "search"))).is_null());
  EXPECT_TRUE(reply.pass(chunk(Json::object(), "tool_calls")).is_null());
  reply.begin_call();
  EXPECT_TRUE(reply.pass(chunk({{"role", "assistant"}}, Json(), "two")).is_null()) << "one role is enough";
  const Json passed = reply.pass(chunk({{"content", "Found."}}, Json(), "two"));
  EXPECT_EQ(text(passed), "\n\nFound.");
  EXPECT_EQ(passed["id"], "one");
  reply.pass(chunk(Json::object(), "stop", "two"));
  EXPECT_EQ(reply.finish().back()["choices"][0]["finish_reason"], "stop");
}

TEST_F(Looped, TheClientsOwnCallsAreCountedFromNought) {
  EXPECT_TRUE(reply.pass(chunk(calls(0, "search"))).is_null());
  const Json passed = reply.pass(chunk(calls(1, "weather", "{\"ci")));
  ASSERT_FALSE(passed.is_null());
  EXPECT_EQ(delta(passed)["tool_calls"][0]["index"], 0);
  const Json more =
      reply.pass(chunk({{"tool_calls", Json::array({{{"index", 1}, {"function", {{"arguments", "ty\":1}"}}}}})}}));
  EXPECT_EQ(delta(more)["tool_calls"][0]["index"], 0);
  EXPECT_EQ(reply.finish().back()["choices"][0]["finish_reason"], "tool_calls");
}

TEST_F(Looped, PiecesThatComeBeforeTheirNameWaitForIt) {
  EXPECT_TRUE(reply.pass(chunk({{"tool_calls", Json::array({{{"index", 0}, {"id", "a"}}})}})).is_null());
  const Json passed = reply.pass(chunk(calls(0, "weather")));
  ASSERT_FALSE(passed.is_null());
  EXPECT_EQ(delta(passed)["tool_calls"].size(), 2u);
}

TEST_F(Looped, UsageIsSummedAndGivenOnce) {
  Json with_usage = chunk({{"content", "a"}});
  with_usage["usage"] = {{"prompt_tokens", 3}, {"details", {{"cached", 1}}}};
  EXPECT_FALSE(reply.pass(with_usage).contains("usage"));
  reply.begin_call();
  with_usage["choices"] = Json::array();
  EXPECT_TRUE(reply.pass(with_usage).is_null());
  EXPECT_EQ(reply.usage()["prompt_tokens"], 6);
}

TEST_F(Looped, WhatIsNotKnownGoesThrough) {
  EXPECT_EQ(delta(reply.pass(chunk({{"reasoning_content", "hm"}})))["reasoning_content"], "hm");
  EXPECT_TRUE(LoopedReply({}).finish().empty()) << "no chunk came";
}

TEST_F(Looped, ChunksThatMakeNoSenseHarmNothing) {
  for (const char* text :
       {"{}", R"({"choices": {}})", R"({"choices": [7]})", R"({"choices": [{"delta": 7}]})",
        R"({"choices": [{"delta": {"tool_calls": 7}}]})", R"({"choices": [{"delta": {"tool_calls": [7, {}]}}]})",
        R"({"choices": [{"delta": {"tool_calls": [{"function": 7}]}}]})", R"({"usage": 7})"})
    EXPECT_TRUE(reply.pass(Json::parse(text)).is_null()) << text;
}

}  // namespace
}  // namespace pandora
