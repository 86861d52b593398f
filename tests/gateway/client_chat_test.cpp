// What the Gateway makes of a client's request.
#include "gateway/client_chat.h"

#include <gmock/gmock.h>

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

const UserId kAna = UserId::parse("ana").value();

Result<ClientChat> read(const Json& body, HttpHeaders headers = {}, const UserId& user = kAna) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.body = dump_json(body);
  return read_client_chat(request, user);
}
ClientChat must_read(const Json& body, HttpHeaders headers = {}, const UserId& user = kAna) {
  auto chat = read(body, std::move(headers), user);
  EXPECT_TRUE(chat) << chat.error().to_line();
  return chat ? *std::move(chat) : ClientChat();
}
Json message(const char* role, const Json& content) { return {{"role", role}, {"content", content}}; }
Json body(std::vector<Json> messages) { return {{"model", "pandora"}, {"messages", std::move(messages)}}; }

GatherSection something_recalled() {
  GatherSection gathered;
  gathered.items.push_back({.kind = GatheredKind::kTurn, .source = "turn 1", .text = "User: I am allergic to nuts"});
  return gathered;
}
Json composed(const ClientChat& chat, const GatherSection& gathered) {
  return Json::parse(chat.compose(gathered).body);
}

TEST(ClientChat, TheSessionOfAConversationIsTheSameEachTimeItIsSent) {
  const Json hello = message("user", "Hello there.");
  const auto first = must_read(body({hello}));
  const auto later = must_read(body({hello, message("assistant", "Good day."), message("user", "How are you?")}));
  EXPECT_EQ(first.session, later.session);
  EXPECT_NE(first.session, must_read(body({message("user", "Hello here.")})).session);
  EXPECT_NE(first.session, must_read(body({message("system", "Be brief."), hello})).session);
  EXPECT_NE(first.session, must_read(body({hello}), {}, UserId::parse("ben").value()).session);
}

TEST(ClientChat, AnImageAtTheBeginningTellsConversationsApart) {
  const auto with = [](const char* url) {
    return must_read(body({message("user", Json::array({{{"type", "image_url"}, {"image_url", {{"url", url}}}}}))}));
  };
  EXPECT_NE(with("data:image/png;base64,AAAA").session, with("data:image/png;base64,BBBB").session);
  EXPECT_EQ(with("data:image/png;base64,AAAA").message, "[image]");
  EXPECT_TRUE(with("data:image/png;base64,AAAA").has_images);
}

TEST(ClientChat, ANameThatIsNoneOfOursIsTakenByItsHashAndInTheHeaderRefused) {
  Json request = body({message("user", "Hello there.")});
  request["user"] = "ana@example.org";
  EXPECT_THAT(must_read(request).session.str(), StartsWith("h"));
  EXPECT_THAT(must_read(request).session.str(), SizeIs(33));
  EXPECT_EQ(read(request, {{"Pandora-Session", "a/b"}}).error().code, ErrorCode::kInvalidArgument);
  request["metadata"] = {{"session_id", std::string(128, 'x')}};
  EXPECT_EQ(must_read(request).session.str(), std::string(128, 'x'));
  request["metadata"] = {{"session_id", std::string(129, 'x')}};
  EXPECT_THAT(must_read(request).session.str(), SizeIs(33));
}

TEST(ClientChat, OnlyWhatTheUserSaidLastIsATurn) {
  EXPECT_EQ(must_read(body({message("user", "one"), message("assistant", "two"), message("user", "three")})).message,
            "three");
  EXPECT_FALSE(must_read(body({message("user", "one"), message("assistant", "tw")})).is_turn());
  EXPECT_FALSE(must_read(body({message("system", "one")})).is_turn());
  EXPECT_FALSE(must_read(body({message("user", "one")}), {{"Pandora-Memory", "off"}}).is_turn());
  EXPECT_TRUE(must_read(body({message("user", "one")}), {{"Pandora-Memory", "read"}}).is_turn());
}

TEST(ClientChat, WhatToolsGaveSinceTheLastMessageBelongsToItsTurn) {
  const auto called = [](const char* id, const char* name) {
    Json calling = message("assistant", Json());
    calling["tool_calls"] =
        Json::array({{{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", "{}"}}}}});
    return calling;
  };
  const auto gave = [](const char* id, const char* result) {
    Json given = message("tool", result);
    given["tool_call_id"] = id;
    return given;
  };
  const auto chat = must_read(
      body({message("user", "before"), called("c0", "old"), gave("c0", "long ago"), message("user", "now"),
            called("c1", "look"), gave("c1", "found"), called("c2", "read"), gave("c2", "text"), gave("c9", "stray")}));
  EXPECT_EQ(chat.message, "now");
  EXPECT_THAT(chat.called_tools, ElementsAre("c2"));
  ASSERT_THAT(chat.tools_run, SizeIs(3));
  EXPECT_EQ(chat.tools_run[0].tool, "look");
  EXPECT_EQ(chat.tools_run[0].result, "found");
  EXPECT_EQ(chat.tools_run[1].pass, 2);
  EXPECT_EQ(chat.tools_run[2].tool, "tool");
}

TEST(ClientChat, RecalledTextGoesBehindTheSystemPromptOrIsOne) {
  const auto plain = must_read(body({message("user", "Which nuts?")}));
  const Json alone = composed(plain, something_recalled());
  ASSERT_THAT(alone["messages"], SizeIs(2));
  EXPECT_THAT(alone["messages"][0]["content"].get<std::string>(), HasSubstr("allergic"));
  EXPECT_THAT(alone["messages"][0]["content"].get<std::string>(), HasSubstr("You are Pandora"));
  const auto own = must_read(body({message("system", "Be brief."), message("user", "Which nuts?")}));
  const Json behind = composed(own, something_recalled());
  ASSERT_THAT(behind["messages"], SizeIs(2));
  EXPECT_THAT(behind["messages"][0]["content"].get<std::string>(), StartsWith("Be brief.\n\n"));
  EXPECT_THAT(behind["messages"][0]["content"].get<std::string>(), Not(HasSubstr("You are Pandora")));
  EXPECT_EQ(composed(own, {})["messages"][0]["content"], "Be brief.") << "nothing was recalled, nothing is added";
}

TEST(ClientChat, WithMemoryOffARequestGoesAsItCame) {
  Json request = body({message("user", "Which nuts?")});
  request["x"] = {{"y", Json::array({1, nullptr, "ü"})}};
  request["stream_options"] = {{"include_usage", true}};
  const auto chat = must_read(request, {{"Pandora-Memory", "off"}});
  EXPECT_TRUE(chat.wants_usage);
  request.erase("model");
  request.erase("stream_options");
  EXPECT_EQ(composed(chat, {}), request);
}

TEST(ClientChat, WhatIsSetStaysTheClients) {
  Json request = body({message("user", "Which nuts?")});
  EXPECT_FALSE(must_read(request).compose({}).has_temperature);
  EXPECT_FALSE(must_read(request).compose({}).has_max_tokens);
  request["temperature"] = 0;
  request["max_completion_tokens"] = 5;
  EXPECT_TRUE(must_read(request).compose({}).has_temperature);
  EXPECT_TRUE(must_read(request).compose({}).has_max_tokens);
}

TEST(ClientChat, WhatIsRecalledIsHeldOnlyWhenMessageAndReplyAre) {
  const auto chat = must_read(
      body({message("user", "I am  allergic to nuts."), message("assistant", "Noted."), message("user", "So?")}));
  Turn turn;
  turn.message.text = "I am allergic to nuts.";
  turn.reply = Utterance{Role::kAssistant, "", "Noted."};
  EXPECT_TRUE(chat.held.holds(turn));
  turn.reply->text = "What else?";
  EXPECT_FALSE(chat.held.holds(turn));
  Memory memory;
  memory.content = "I am allergic to nuts";
  EXPECT_TRUE(chat.held.holds(memory));
  memory.content = "I like nuts";
  EXPECT_FALSE(chat.held.holds(memory));
}

// ── without memory it goes on as it came ──

Result<ClientChat> read_raw(const std::string& text, HttpHeaders headers = {{"Pandora-Memory", "off"}}) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.body = text;
  return read_client_chat(request, kAna);
}

TEST(ClientChat, WithoutMemoryNoByteOfItChangesButForTheFieldsThatAreOurs) {
  const auto chat = read_raw(
      R"({"model":"m", "messages" : [{"role":"user","content":"H\u00e9","x":1.0}],"stream":true,)"
      R"("stream_options":{"include_usage":true},"seed":12345678901234567890,"top_p":1.0,"unknown":{"b":1,"a":2}})");
  ASSERT_TRUE(chat);
  EXPECT_TRUE(chat->untouched);
  EXPECT_TRUE(chat->streams && chat->wants_usage && !chat->is_turn());
  EXPECT_EQ(chat->model, "m");
  EXPECT_EQ(chat->compose({}).body, R"({"messages":[{"role":"user","content":"H\u00e9","x":1.0}],"stream":true,)"
                                    R"("seed":12345678901234567890,"top_p":1.0,"unknown":{"b":1,"a":2}})");
}

TEST(ClientChat, WithoutMemoryTheQuickWayAndTheSlowOneAgree) {
  const std::string messages = R"("messages":[{"role":"system","content":null},{"role":"user","content":"Hello."}])";
  for (const std::string& text :
       {"{" + messages + "}", R"({"model":"m",)" + messages + R"(,"temperature":0,"max_tokens":5})",
        "{" + messages + R"(,"tools":[],"tool_choice":"auto"})", "{" + messages + R"(,"tool_choice":"auto"})",
        "{" + messages + R"(,"tools":null,"tool_choice":"auto","max_completion_tokens":null})",
        "{" + messages + R"(,"tools":[{"type":"function","function":{"name":"f"}}],"stream":false})"}) {
    const auto quick = read_raw(text);
    // A session's name is of no use without memory, but has the request read as a whole.
    const auto slow = read_raw(text, {{"Pandora-Memory", "off"}, {"Pandora-Session", "s"}});
    ASSERT_TRUE(quick && slow) << text;
    EXPECT_TRUE(quick->untouched) << text;
    EXPECT_FALSE(slow->untouched);
    const PassedOnRequest a = quick->compose({}), b = slow->compose({});
    EXPECT_EQ(Json::parse(a.body), Json::parse(b.body));
    EXPECT_EQ(a.streams, b.streams);
    EXPECT_EQ(a.has_temperature, b.has_temperature);
    EXPECT_EQ(a.has_max_tokens, b.has_max_tokens);
    EXPECT_EQ(quick->model, slow->model);
    EXPECT_EQ(quick->has_tools, slow->has_tools);
  }
}

TEST(ClientChat, WithoutMemoryWhatIsWrongIsStillSaid) {
  for (const char* text :
       {R"({"messages":[]})", R"({"messages":[{"content":"x"}]})", R"({"messages":[{"role":"user","content":1}]})",
        R"({"model":1,"messages":[{"role":"user","content":"x"}]})", R"({"messages":[{"role":"user","content":"x"}]}})",
        R"({"messages":[{"role":"user","content":"x"}],"stream":"yes"})",
        R"({"messages":[{"role":"user","content":"x"}],"max_tokens":1.5})",
        R"({"messages":[{"role":"user","content":"x"}],"tools":[1]})",
        R"({"messages":[{"role":"user","content":"x"}],"stream_options":{"include_usage":1}})"})
    EXPECT_EQ(read_raw(text).error().code, ErrorCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace pandora
