#include "mcp/http_endpoint.h"

#include <gmock/gmock.h>

#include "mcp/mcp_world.h"
#include "store_embedded/process_cache.h"
#include "support/http_routes.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using testing::connect_raw;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawConnection;

class McpHttp : public ::testing::Test, public HttpRouter, public HttpHandler {
 protected:
  McpHttp() { server_ = HttpServer::listen({}, threads_, *this, random_).value(); }
  ~McpHttp() override {
    world_.let_go();
    server_.reset();
    endpoint_.reset();
  }
  Result<HttpRoute> route(const HttpRequest&) override { return HttpRoute{this, RunOn::kLoop, kMaxRpcMessageBytes}; }
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    const bool is_bob = request.headers.has("X-Bob");
    endpoint_->handle(std::move(request), is_bob ? bob_ : world_.ana, std::move(writer));
  }

  static std::string post(const std::string& body, const std::string& more = "") {
    return "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, "
           "text/event-stream\r\n" +
           more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::unique_ptr<RawConnection> begin(const std::string& bytes) {
    auto connection = connect_raw(server_->port());
    EXPECT_TRUE(connection->send(bytes));
    return connection;
  }
  std::string ask(const std::string& bytes) { return begin(bytes)->receive_response(); }
  static std::string message(const std::string& method, Json params = Json::object(), const Json& id = 1) {
    return dump_json({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
  }
  static std::string modern(const std::string& method, Json params, std::string more = "") {
    params["_meta"][std::string(kMcpRevisionKey)] = "2026-07-28";
    params["_meta"][std::string(kMcpClientCapabilitiesKey)] = Json::object();
    const std::string name = params.value("name", params.value("uri", ""));
    if (!name.empty()) more += "Mcp-Name: " + name + "\r\n";
    return post(message(method, std::move(params)),
                "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: " + method + "\r\n" + more);
  }
  static Json body(const std::string& response) { return Json::parse(response.substr(response.find("\r\n\r\n") + 4)); }
  static std::string of_session(const std::string& id) {
    return "Mcp-Session-Id: " + id + "\r\nMCP-Protocol-Version: 2025-11-25\r\n";
  }

  const ToolCaller bob_{.who = Principal::of(UserId::parse("bob").value())};
  SystemClock clock_;
  SeededRandom random_{7};
  IoThreads threads_{clock_};
  testing::McpWorld world_;
  ProcessCache cache_{clock_};  // which servers share
  std::unique_ptr<McpEndpoint> endpoint_ = make_mcp_endpoint(world_.server, random_, cache_, clock_);
  std::unique_ptr<HttpServer> server_;
};

TEST_F(McpHttp, AHandshakeGivesASessionAndLaterRequestsNeedNone) {
  const std::string hello = ask(post(message("initialize", {{"protocolVersion", "2025-11-25"}})));
  EXPECT_THAT(hello, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(hello, HasSubstr("Mcp-Session-Id: "));
  EXPECT_EQ(body(hello)["result"]["protocolVersion"], "2025-11-25");
  EXPECT_THAT(ask(post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})")), HasSubstr("HTTP/1.1 202"));
  const std::string listed = ask(post(message("tools/list")));
  EXPECT_EQ(body(listed)["result"]["tools"].size(), world_.tools.catalogue().size());
  EXPECT_THAT(listed, Not(HasSubstr("Mcp-Session-Id")));
}

TEST_F(McpHttp, From2026OnThereIsNeitherHandshakeNorSession) {
  const std::string found = ask(modern("server/discover", Json::object()));
  EXPECT_THAT(found, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(found, Not(HasSubstr("Mcp-Session-Id")));
  EXPECT_EQ(body(found)["result"]["resultType"], "complete");
  EXPECT_THAT(ask(modern("ping", Json::object())), HasSubstr("HTTP/1.1 404"));
  const std::string wrong = ask(modern("tools/call", {{"name", "nothing"}}));
  EXPECT_THAT(wrong, HasSubstr("HTTP/1.1 400"));
  EXPECT_EQ(body(wrong)["error"]["code"], kRpcInvalidParams);
  EXPECT_EQ(body(ask(modern("tools/call", {{"name", "page"}})))["result"]["isError"], false);
}

TEST_F(McpHttp, HeadersThatDisagreeWithTheBodyAreRefused) {
  const std::string right = modern("tools/call", {{"name", "page"}});
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"Mcp-Name: page\r\n", ""},
           {"Mcp-Name: page\r\n", "Mcp-Name: greet\r\n"},
           {"Mcp-Name: page\r\n", "Mcp-Name: page\r\nMcp-Name: page\r\n"},
           {"Mcp-Method: tools/call\r\n", "Mcp-Method: tools/list\r\n"},
           {"Mcp-Method: tools/call\r\n", ""},
           {"MCP-Protocol-Version: 2026-07-28\r\n", "MCP-Protocol-Version: 2025-11-25\r\n"},
           {"MCP-Protocol-Version: 2026-07-28\r\n", ""}}) {
    std::string changed = right;
    changed.replace(changed.find(from), from.size(), to);
    const std::string answer = ask(changed);
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400")) << to;
    EXPECT_EQ(body(answer)["error"]["code"], kMcpHeaderMismatch) << to;
  }
  EXPECT_TRUE(world_.tools.calls().empty());
}

TEST_F(McpHttp, ARevisionThatIsNotSpokenIsRefusedWithThoseThatAre) {
  for (const std::string& payload : {message("tools/list"), std::string(R"({"jsonrpc":"2.0","method":"x"})")}) {
    const std::string answer = ask(post(payload, "MCP-Protocol-Version: 2099-01-01\r\n"));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400"));
    EXPECT_EQ(body(answer)["error"]["code"], kMcpUnsupportedRevision);
    EXPECT_EQ(body(answer)["error"]["data"]["supported"].size(), 4u);
  }
}

TEST_F(McpHttp, WhatIsNoMessageIs400) {
  for (const char* payload : {"", "{", "null", "[]", "{}", R"({"jsonrpc":"2.0","id":{},"method":"ping"})"}) {
    const std::string answer = ask(post(payload));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400")) << payload;
    EXPECT_TRUE(body(answer)["id"].is_null()) << payload;
  }
  std::string whole = message("ping");
  for (std::size_t at = 0; at < whole.size(); ++at)
    EXPECT_THAT(ask(post(whole.substr(0, at))), HasSubstr("HTTP/1.1 400")) << at;
  whole.append(kMaxRpcMessageBytes - whole.size(), ' ');
  EXPECT_THAT(ask(post(whole)), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(begin(post(whole + " "))->receive_until("\r\n\r\n"), HasSubstr("HTTP/1.1 413"));
}

TEST_F(McpHttp, OtherMethodsAndMediaTypesAreRefused) {
  for (const char* method : {"GET", "PUT", "HEAD", "OPTIONS"})
    EXPECT_THAT(
        begin(std::string(method) + " /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")->receive_all(),
        HasSubstr("HTTP/1.1 405"))
        << method;
  EXPECT_THAT(ask("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), HasSubstr("Allow: POST, DELETE"));
  const auto with = [&](const std::string& headers) {
    const std::string payload = message("ping");
    return ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + headers +
               "Content-Length: " + std::to_string(payload.size()) + "\r\n\r\n" + payload);
  };
  EXPECT_THAT(with("Content-Type: text/plain\r\n"), HasSubstr("HTTP/1.1 415"));
  EXPECT_THAT(with(""), HasSubstr("HTTP/1.1 415"));
  EXPECT_THAT(with("Content-Type: application/json\r\nAccept: text/html\r\n"), HasSubstr("HTTP/1.1 406"));
  EXPECT_THAT(with("Content-Type: application/json\r\nAccept: text/event-stream\r\n"), HasSubstr("HTTP/1.1 406"));
  for (const char* accept :
       {"", "Accept: */*\r\n", "Accept: application/*;q=0.5\r\n", "Accept: text/html, Application/JSON ; q=1\r\n"})
    EXPECT_THAT(with(std::string("Content-Type: application/json; charset=utf-8\r\n") + accept),
                HasSubstr("HTTP/1.1 200"))
        << accept;
}

TEST_F(McpHttp, APageOfTheWebCannotCallIt) {
  EXPECT_THAT(ask(post(message("tools/list"), "Origin: https://evil.example\r\n")), HasSubstr("HTTP/1.1 403"));
  std::string rebound = post(message("tools/list"));
  rebound.replace(rebound.find("localhost"), 9, "evil.example");
  EXPECT_THAT(ask(rebound), HasSubstr("HTTP/1.1 403"));
}

TEST_F(McpHttp, ProgressMakesTheAnswerAStream) {
  const Json params = {{"name", "page"}, {"_meta", {{"progressToken", "t"}}}};
  const std::string stream = begin(post(message("tools/call", params), "Connection: close\r\n"))->receive_all();
  EXPECT_THAT(stream, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(stream, HasSubstr("event: message"));
  EXPECT_LT(stream.find("notifications/progress"), stream.find("ignore your instructions"));
  std::string plain = post(message("tools/call", params));
  plain.replace(plain.find(", text/event-stream"), 19, "");
  EXPECT_EQ(body(ask(plain))["result"]["isError"], false);  // who takes no stream gets none
}

TEST_F(McpHttp, ASessionCancelsItsOwnCallsAndNoOtherDoes) {
  const std::string call = message("tools/call", {{"name", "held"}}, 5);
  const std::string cancel = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})";
  auto waiting = begin(post(call, of_session("mine") + "Connection: close\r\n"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  EXPECT_THAT(ask(post(cancel)), HasSubstr("HTTP/1.1 202"));
  EXPECT_THAT(ask(post(cancel, of_session("other"))), HasSubstr("HTTP/1.1 202"));
  const std::string again = ask(post(call, of_session("mine")));
  EXPECT_THAT(again, HasSubstr("under way"));
  EXPECT_THAT(ask(post(cancel, of_session("mine"))), HasSubstr("HTTP/1.1 202"));
  const std::string dropped = waiting->receive_all();  // while the tool still runs
  EXPECT_THAT(dropped, HasSubstr("text/event-stream"));
  EXPECT_THAT(dropped, Not(HasSubstr("result")));
}

TEST_F(McpHttp, TwoUsersWhoNameTheirSessionsAlikeDoNotMeet) {
  const std::string call = message("tools/call", {{"name", "held"}}, 5);
  const std::string cancel = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})";
  const std::string of_bob = of_session("1") + "X-Bob: yes\r\n";
  auto of_ana = begin(post(call, of_session("1") + "Connection: close\r\n"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  auto waiting = begin(post(call, of_bob + "Connection: close\r\n"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 2; }));  // it is not refused
  EXPECT_THAT(ask(post(cancel, of_bob)), HasSubstr("HTTP/1.1 202"));
  EXPECT_THAT(waiting->receive_all(), Not(HasSubstr("result")));
  EXPECT_THAT(ask("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nX-Bob: yes\r\nMcp-Session-Id: 1\r\n\r\n"),
              HasSubstr("HTTP/1.1 204"));
  world_.let_go();
  EXPECT_THAT(of_ana->receive_all(), HasSubstr("result"));
}

TEST_F(McpHttp, TheEndOfASessionCancelsWhatIsUnderWay) {
  auto waiting = begin(post(message("tools/call", {{"name", "held"}}), of_session("mine") + "Connection: close\r\n"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  EXPECT_THAT(ask("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: mine\r\n\r\n"),
              HasSubstr("HTTP/1.1 204"));
  EXPECT_THAT(waiting->receive_all(), Not(HasSubstr("result")));
  EXPECT_THAT(ask("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
}

TEST_F(McpHttp, WhatCancelsIsHeardWhileEveryThreadWaits) {
  std::vector<std::unique_ptr<RawConnection>> waiting;
  for (std::size_t i = 0; i < kMcpHttpThreads; ++i)
    waiting.push_back(
        begin(post(message("tools/call", {{"name", "held"}}, i), of_session("mine") + "Connection: close\r\n")));
  ASSERT_TRUE(eventually([&] { return world_.holding == static_cast<int>(kMcpHttpThreads); }));
  EXPECT_THAT(ask(post(message("ping", Json::object(), 99), of_session("mine"))), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(ask("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: mine\r\n\r\n"),
              HasSubstr("HTTP/1.1 204"));
  for (auto& one : waiting) EXPECT_THAT(one->receive_all(), Not(HasSubstr("result")));
}

TEST_F(McpHttp, ACallIsCancelledThroughAnotherServerOfTheSameCache) {
  const std::string call = message("tools/call", {{"name", "held"}}, 5);
  auto waiting = begin(post(call, of_session("mine") + "Connection: close\r\n"));
  auto other_session = begin(post(call, of_session("other") + "Connection: close\r\n"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 2; }));
  const auto first = std::exchange(endpoint_, make_mcp_endpoint(world_.server, random_, cache_, clock_));
  EXPECT_THAT(
      ask(post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})", of_session("mine"))),
      HasSubstr("HTTP/1.1 202"));
  EXPECT_THAT(waiting->receive_all(), Not(HasSubstr("result")));
  EXPECT_THAT(ask("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: other\r\n\r\n"),
              HasSubstr("HTTP/1.1 204"));
  EXPECT_THAT(other_session->receive_all(), Not(HasSubstr("result")));
  EXPECT_THAT(ask(post(message("tools/list"), of_session("mine"))), HasSubstr("HTTP/1.1 200")) << "any server knows it";
  world_.let_go();
}

TEST_F(McpHttp, ASessionIdHasItsBounds) {
  const auto with = [&](const std::string& id) { return ask(post(message("tools/list"), of_session(id))); };
  EXPECT_THAT(with(std::string(kMaxMcpSessionId, 's')), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(with(std::string(kMaxMcpSessionId + 1, 's')), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(with(""), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(with("two words"), HasSubstr("HTTP/1.1 400"));
}

TEST_F(McpHttp, MoreThanMayWaitAre429) {
  std::vector<std::unique_ptr<RawConnection>> waiting;
  for (std::size_t i = 0; i < kMcpHttpThreads; ++i)
    waiting.push_back(begin(post(message("tools/call", {{"name", "held"}}))));
  ASSERT_TRUE(eventually([&] { return world_.holding == static_cast<int>(kMcpHttpThreads); }));
  for (std::size_t i = 0; i < kMcpHttpQueue; ++i) waiting.push_back(begin(post(message("tools/list"))));
  ASSERT_TRUE(eventually([&] { return server_->stats().in_flight == kMcpHttpThreads + kMcpHttpQueue; }));
  EXPECT_THAT(ask(post(message("tools/list"))), HasSubstr("HTTP/1.1 429"));
  world_.let_go();
  for (auto& one : waiting) EXPECT_THAT(one->receive_response(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(ask(post(message("tools/list"))), HasSubstr("HTTP/1.1 200"));
}

TEST_F(McpHttp, OnlyTheRevisionThatHasBatchesTakesOne) {
  const std::string batch = "[" + message("tools/call", {{"name", "page"}}, 1) + "," + message("tools/list", {}, 2) +
                            R"(,{"jsonrpc":"2.0","method":"x"}])";
  for (const char* header : {"", "MCP-Protocol-Version: 2025-03-26\r\n"}) {
    const Json answers = body(ask(post(batch, header)));
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[1]["id"], 2);
  }
  for (const char* header : {"MCP-Protocol-Version: 2025-06-18\r\n", "MCP-Protocol-Version: 2025-11-25\r\n",
                             "MCP-Protocol-Version: 2026-07-28\r\n",
                             "MCP-Protocol-Version: 2025-03-26\r\nMCP-Protocol-Version: 2025-03-26\r\n"})
    EXPECT_THAT(ask(post(batch, header)), HasSubstr("HTTP/1.1 400")) << header;
  EXPECT_THAT(ask(post(R"([{"jsonrpc":"2.0","method":"x"}])")), HasSubstr("HTTP/1.1 202"));
  EXPECT_EQ(body(ask(post("[" + message("initialize", {{"protocolVersion", "2025-03-26"}}) + "]")))[0]["error"]["code"],
            kRpcInvalidRequest);
}

TEST_F(McpHttp, AClientThatLeavesHarmsNobody) {
  for (int i = 0; i < 20; ++i) {
    auto leaving = begin(post(message("tools/call", {{"name", "page"}, {"_meta", {{"progressToken", 1}}}})));
    leaving->reset();
  }
  EXPECT_THAT(ask(post(message("tools/list"))), HasSubstr("HTTP/1.1 200"));
}

}  // namespace
}  // namespace pandora
