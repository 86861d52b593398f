#include "mcp/mcp_server.h"

#include <gtest/gtest.h>

#include "mcp/mcp_world.h"

namespace pandora {
namespace {

class Listener final : public McpObserver {
 public:
  void notify(std::string message) override { said.push_back(Json::parse(message)); }
  bool cancelled() override { return false; }
  std::vector<Json> said;
};

class Mcp : public ::testing::Test {
 protected:
  McpServer::Answer ask(const std::string& method, Json params = Json::object(),
                        McpRevision revision = McpRevision::k2025_11_25) {
    return world_.server.answer({RpcKind::kRequest, 1, method, std::move(params)}, revision, world_.ana, listener_);
  }
  Json result(const std::string& method, Json params = Json::object(),
              McpRevision revision = McpRevision::k2025_11_25) {
    const auto answer = ask(method, std::move(params), revision);
    EXPECT_FALSE(answer.fault) << method << ": " << answer.fault->message;
    return answer.result;
  }
  int code(const std::string& method, Json params = Json::object(), McpRevision revision = McpRevision::k2025_11_25) {
    const auto answer = ask(method, std::move(params), revision);
    return answer.fault ? answer.fault->code : 0;
  }

  testing::McpWorld world_;
  Listener listener_;
};
constexpr auto kModern = McpRevision::k2026_07_28;

TEST_F(Mcp, TheHandshakeSaysWhatIsHere) {
  const Json hello = result("initialize", {{"protocolVersion", "2025-06-18"}, {"capabilities", Json::object()}});
  EXPECT_EQ(hello["protocolVersion"], "2025-06-18");
  EXPECT_EQ(hello["serverInfo"]["name"], "pandora");
  EXPECT_EQ(hello["serverInfo"]["version"], "1.2.3");
  EXPECT_EQ(hello["capabilities"], Json({{"tools", Json::object()}, {"resources", Json::object()}}));
  EXPECT_FALSE(hello.contains("resultType"));
  EXPECT_EQ(result("initialize", {{"protocolVersion", "2099-01-01"}})["protocolVersion"], "2025-11-25");
  EXPECT_EQ(code("initialize"), kRpcInvalidParams);
  EXPECT_EQ(code("initialize", {{"protocolVersion", 7}}), kRpcInvalidParams);
  EXPECT_EQ(result("ping"), Json::object());
}

TEST_F(Mcp, From2026OnThereIsNoHandshakeAndEveryResultSaysWhatItIs) {
  for (const char* method : {"initialize", "ping"}) EXPECT_EQ(code(method, {}, kModern), kRpcMethodNotFound) << method;
  EXPECT_EQ(code("server/discover"), kRpcMethodNotFound);
  const Json found = result("server/discover", {}, kModern);
  EXPECT_EQ(found["supportedVersions"].front(), "2026-07-28");
  EXPECT_EQ(found["resultType"], "complete");
  EXPECT_EQ(found["_meta"][std::string(kMcpServerInfoKey)]["version"], "1.2.3");
  EXPECT_EQ(found["cacheScope"], "private");
  EXPECT_GT(found["ttlMs"], 0);
  const Json called = result("tools/call", {{"name", "page"}}, kModern);
  EXPECT_EQ(called["resultType"], "complete");
  EXPECT_FALSE(called.contains("ttlMs"));
  EXPECT_EQ(called["_meta"]["pandora/trust"], "web");
  EXPECT_TRUE(called["_meta"].contains(std::string(kMcpServerInfoKey)));
}

TEST_F(Mcp, WhatIsNotOfferedIsNotFound) {
  for (const char* method : {"logging/setLevel", "prompts/list", "completion/complete", "tasks/list", "", "tools/List"})
    for (const auto revision : {McpRevision::k2025_03_26, kModern})
      EXPECT_EQ(code(method, {}, revision), kRpcMethodNotFound) << method;
}

TEST_F(Mcp, ToolsAreListedWithSchemasOfObjects) {
  const Json tools = result("tools/list")["tools"];
  ASSERT_EQ(tools.size(), world_.tools.catalogue().size());
  EXPECT_EQ(tools[0]["name"], "greet");
  for (const auto& tool : tools) EXPECT_EQ(tool["inputSchema"]["type"], "object") << tool;
  EXPECT_EQ(code("tools/list", {{"cursor", "more"}}), kRpcInvalidParams);
}

TEST_F(Mcp, ACallGivesTextWithItsTrust) {
  const Json greeted = result("tools/call", {{"name", "greet"}, {"arguments", {{"name", "Ana"}}}});
  EXPECT_EQ(greeted["content"], Json::array({{{"type", "text"}, {"text", "hello Ana"}}}));
  EXPECT_EQ(greeted["isError"], false);
  EXPECT_EQ(greeted["_meta"]["pandora/trust"], "tool");
}

TEST_F(Mcp, AToolRunsOnTheCallersBehalfAndTheirKeysRulesHold) {
  std::string seen;
  world_.tools.add({"whose", "Says whose.", "{}"},
                   [&seen](const ToolCall&, const ToolCaller& caller, const Deadline&) -> Result<ToolOutcome> {
                     seen = caller.who.user.str() + " " + caller.key + " " + caller.session.str();
                     return ToolOutcome{};
                   });
  ToolCaller caller = world_.ana;
  caller.session = SessionId::parse("trip").value();
  const auto answer = world_.server.answer({RpcKind::kRequest, 1, "tools/call", {{"name", "whose"}}},
                                           McpRevision::k2025_11_25, caller, listener_);
  EXPECT_FALSE(answer.fault);
  EXPECT_EQ(seen, "ana phone trip");
}

TEST_F(Mcp, WithoutToolsNoneAreListedAndNoneCanBeCalled) {
  McpServer bare({"1.2.3"}, nullptr, world_.service, world_.clock);
  const auto ask = [&](const char* method, Json params) {
    return bare.answer({RpcKind::kRequest, 1, method, std::move(params)}, kModern, world_.ana, listener_);
  };
  EXPECT_EQ(ask("tools/list", Json::object()).result["tools"], Json::array());
  EXPECT_EQ(ask("tools/call", {{"name", "greet"}}).fault->code, kRpcInvalidParams);
}

TEST_F(Mcp, WhatFailsIsAResultThatAModelCanRead) {
  const std::pair<const char*, const char*> failing[] = {{"broken", "it broke"}, {"secret", ""}, {"greet", ""}};
  for (const auto& [tool, text] : failing) {
    const Json failed = result("tools/call", {{"name", tool}});
    EXPECT_EQ(failed["isError"], true) << tool;
    EXPECT_NE(failed["content"][0]["text"].get<std::string>().find(text), std::string::npos) << tool;
    EXPECT_FALSE(failed["content"][0]["text"].get<std::string>().empty()) << tool;
  }
  EXPECT_EQ(code("tools/call", {{"name", "bug"}}), kRpcInternalError);
}

TEST_F(Mcp, ACallThatMakesNoSenseReachesNoTool) {
  for (const Json& params :
       {Json::object(), Json{{"name", 7}}, Json{{"name", "nothing"}}, Json{{"name", ""}},
        Json{{"name", "greet"}, {"arguments", Json::array()}}, Json{{"name", "greet"}, {"arguments", nullptr}},
        Json{{"name", "greet"}, {"arguments", "{}"}}})
    EXPECT_EQ(code("tools/call", params), kRpcInvalidParams) << params;
  EXPECT_TRUE(world_.tools.calls().empty());
}

TEST_F(Mcp, ProgressIsToldToWhoAsksForIt) {
  (void)result("tools/call", {{"name", "page"}});
  (void)result("tools/call", {{"name", "page"}, {"_meta", {{"progressToken", Json::array()}}}});
  EXPECT_TRUE(listener_.said.empty());
  (void)result("tools/call", {{"name", "page"}, {"_meta", {{"progressToken", "mine"}}}});
  ASSERT_EQ(listener_.said.size(), 1u);
  EXPECT_EQ(listener_.said[0]["method"], "notifications/progress");
  EXPECT_EQ(listener_.said[0]["params"]["progressToken"], "mine");
  EXPECT_EQ(listener_.said[0]["params"]["progress"], 0);
}

TEST_F(Mcp, ResourcesComePageByPageMemoriesFirst) {
  constexpr int kMemories = 150, kTurns = 130;
  world_.service.on("memory.list", [](const Json& arguments) -> Result<Json> {
    const int after = arguments.contains("after") ? std::stoi(arguments["after"].get<std::string>()) : 0;
    Json memories = Json::array();
    for (int i = after + 1; i <= kMemories && memories.size() < arguments["limit"].get<std::size_t>(); ++i)
      memories.push_back({{"id", std::to_string(i)}, {"content", "line\nof memory"}});
    return Json{{"memories", memories}};
  });
  world_.service.on("turns.list", [](const Json& arguments) -> Result<Json> {
    const int before = arguments.value("before", kTurns + 1);
    Json turns = Json::array();
    for (int i = before - 1; i > 0 && turns.size() < arguments["limit"].get<std::size_t>(); --i)
      turns.push_back({{"number", i}, {"message", {{"text", std::string(500, 'x')}}}});
    return Json{{"turns", turns}};
  });
  std::vector<std::string> uris;
  Json params = Json::object();
  for (int pages = 0; pages < 10; ++pages) {
    const Json page = result("resources/list", params);
    EXPECT_LE(page["resources"].size(), kMaxListedResources);
    for (const auto& one : page["resources"]) {
      uris.push_back(one["uri"]);
      EXPECT_LE(one["title"].get<std::string>().size(), 100u);
      EXPECT_EQ(one["title"].get<std::string>().find('\n'), std::string::npos);
    }
    if (!page.contains("nextCursor")) break;
    params = {{"cursor", page["nextCursor"]}};
  }
  ASSERT_EQ(uris.size(), static_cast<std::size_t>(kMemories + kTurns));
  EXPECT_EQ(uris.front(), "pandora://memories/1");
  EXPECT_EQ(uris[kMemories], "pandora://turns/130");
  EXPECT_EQ(uris.back(), "pandora://turns/1");
  for (const Json& cursor : {Json("x"), Json(""), Json(7), Json("turn:x"), Json("turn:-1")})
    EXPECT_EQ(code("resources/list", {{"cursor", cursor}}), kRpcInvalidParams) << cursor;
}

TEST_F(Mcp, AResourceIsReadByItsURI) {
  world_.service.on("turns.show", [](const Json& arguments) -> Result<Json> {
    if (arguments["number"] == 2) return Json{{"context", nullptr}, {"turn", {{"message", {{"text", "just said"}}}}}};
    if (arguments["number"] != 1) return fail(ErrorCode::kNotFound, "no such turn");
    return Json{{"context", "# Turn 1"}, {"turn", Json::object()}};
  });
  world_.service.on("memory.show", [](const Json& arguments) -> Result<Json> {
    if (arguments["id"] != "abc") return fail(ErrorCode::kInvalidArgument, "no id");
    return Json{{"memory", {{"content", "peanuts"}}}};
  });
  const Json turn = result("resources/read", {{"uri", "pandora://turns/1"}})["contents"][0];
  EXPECT_EQ(turn, Json({{"uri", "pandora://turns/1"}, {"mimeType", "text/markdown"}, {"text", "# Turn 1"}}));
  EXPECT_NE(result("resources/read", {{"uri", "pandora://turns/2"}})["contents"][0]["text"].get<std::string>().find(
                "just said"),
            std::string::npos);
  EXPECT_EQ(result("resources/read", {{"uri", "pandora://memories/abc"}})["contents"][0]["text"],
            R"({"content":"peanuts"})");
  for (const char* uri :
       {"pandora://turns/3", "pandora://turns/0", "pandora://turns/x", "pandora://turns/", "pandora://memories/",
        "pandora://turns/99999999999999999999", "file:///etc/passwd", "", "pandora://"}) {
    EXPECT_EQ(code("resources/read", {{"uri", uri}}), kMcpResourceNotFound) << uri;
    EXPECT_EQ(code("resources/read", {{"uri", uri}}, kModern), kRpcInvalidParams) << uri;
  }
  EXPECT_EQ(code("resources/read"), kRpcInvalidParams);
  EXPECT_EQ(code("resources/read", {{"uri", 7}}), kRpcInvalidParams);
}

TEST_F(Mcp, AStoreThatIsDownIsAnInternalError) {
  world_.service.on("turns.show", [](const Json&) -> Result<Json> { return fail(ErrorCode::kUnavailable, "down"); });
  EXPECT_EQ(code("resources/read", {{"uri", "pandora://turns/1"}}), kRpcInternalError);
}

TEST_F(Mcp, WhoAsksIsWhoIsAnswered) {
  world_.service.on("memory.show", [](const Json&) -> Result<Json> { return Json{{"memory", Json::object()}}; });
  (void)result("resources/read", {{"uri", "pandora://memories/x"}});
  EXPECT_EQ(world_.service.calls().at(0).user.str(), "ana");
}

}  // namespace
}  // namespace pandora
