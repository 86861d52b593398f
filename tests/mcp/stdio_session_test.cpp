#include "mcp/stdio_session.h"

#include <thread>

#include <gmock/gmock.h>

#include "mcp/mcp_world.h"
#include "support/raw_tcp.h"

namespace pandora {
namespace {

using testing::eventually;

class Stdio : public ::testing::Test {
 protected:
  ~Stdio() override { world_.let_go(); }
  std::vector<Json> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  Json last_after(const std::string& line) {
    session_->take(line);
    session_->finish();
    return said().empty() ? Json() : said().back();
  }
  static std::string call(const Json& id, const std::string& tool) {
    return dump_json({{"jsonrpc", "2.0"}, {"id", id}, {"method", "tools/call"}, {"params", {{"name", tool}}}});
  }

  testing::McpWorld world_;
  std::mutex mutex_;
  std::vector<Json> said_;
  std::unique_ptr<McpStdioSession> session_ =
      std::make_unique<McpStdioSession>(world_.server, world_.ana, [this](std::string_view line) {
        EXPECT_EQ(line.find('\n'), std::string_view::npos);
        const std::lock_guard lock(mutex_);
        said_.push_back(Json::parse(line));
      });
};

TEST_F(Stdio, EachRequestIsAnsweredByOneLineAndNothingElseIs) {
  EXPECT_EQ(last_after(R"({"jsonrpc":"2.0","id":1,"method":"ping"})")["result"], Json::object());
  for (const char* quiet : {"", "   ", "\r", R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
                            R"({"jsonrpc":"2.0","method":"nothing/known"})", R"({"jsonrpc":"2.0","id":1,"result":{}})",
                            R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}})",
                            R"({"jsonrpc":"2.0","method":"notifications/cancelled"})"})
    session_->take(quiet);
  session_->finish();
  EXPECT_EQ(said().size(), 1u);
}

TEST_F(Stdio, WhatMakesNoSenseIsAnsweredAndTheSessionGoesOn) {
  EXPECT_EQ(last_after("{")["error"]["code"], kRpcParseError);
  EXPECT_TRUE(said().back()["id"].is_null());
  EXPECT_EQ(last_after("[]")["error"]["code"], kRpcInvalidRequest);
  EXPECT_EQ(last_after(R"({"jsonrpc":"2.0","id":5,"method":"nothing"})")["error"]["code"], kRpcMethodNotFound);
  EXPECT_EQ(said().back()["id"], 5);
  session_->refuse_too_long(kMaxRpcMessageBytes + 1);
  EXPECT_EQ(said().back()["error"]["code"], kRpcInvalidRequest);
  EXPECT_EQ(last_after(R"({"jsonrpc":"2.0","id":6,"method":"ping"})")["id"], 6);
}

TEST_F(Stdio, TheEnvelopeOfARequestDecidesItsRevision) {
  const Json meta = {{std::string(kMcpRevisionKey), "2026-07-28"},
                     {std::string(kMcpClientCapabilitiesKey), Json::object()}};
  const auto ask = [&](const char* method) {
    return dump_json({{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", {{"_meta", meta}}}});
  };
  EXPECT_EQ(last_after(ask("server/discover"))["result"]["resultType"], "complete");
  EXPECT_EQ(last_after(ask("ping"))["error"]["code"], kRpcMethodNotFound);
}

TEST_F(Stdio, ASlowToolDoesNotHoldUpTheOthers) {
  session_->take(call(1, "held"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  session_->take(call(2, "page"));
  ASSERT_TRUE(eventually([&] { return said().size() == 1; }));
  EXPECT_EQ(said()[0]["id"], 2);
  world_.let_go();
  session_->finish();
  EXPECT_EQ(said().back()["id"], 1);
}

TEST_F(Stdio, ACancelledRequestGetsNoAnswer) {
  session_->take(call("a", "held"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  session_->take(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}})");
  world_.let_go();
  session_->finish();
  EXPECT_TRUE(said().empty());
}

TEST_F(Stdio, AnIdThatIsUnderWayIsRefused) {
  session_->take(call(1, "held"));
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  session_->take(call(1, "page"));
  ASSERT_EQ(said().size(), 1u);
  EXPECT_EQ(said()[0]["error"]["code"], kRpcInvalidRequest);
}

TEST_F(Stdio, MoreThanMayWaitAreRefusedAndMayComeAgain) {
  for (std::size_t i = 0; i < kMcpStdioThreads; ++i) session_->take(call(i, "held"));
  ASSERT_TRUE(eventually([&] { return world_.holding == static_cast<int>(kMcpStdioThreads); }));
  for (std::size_t i = 0; i < kMcpStdioQueue; ++i) session_->take(call(100 + i, "page"));
  EXPECT_TRUE(said().empty());
  session_->take(call(999, "page"));
  session_->take("[" + call(998, "page") + "]");
  ASSERT_EQ(said().size(), 2u);
  EXPECT_EQ(said()[0]["error"]["code"], kMcpBusy);
  EXPECT_EQ(said()[0]["id"], 999);
  EXPECT_EQ(said()[1]["error"]["code"], kMcpBusy);
  world_.let_go();
  session_->finish();
  EXPECT_EQ(said().size(), 2 + kMcpStdioThreads + kMcpStdioQueue);
  EXPECT_FALSE(last_after(call(999, "page")).contains("error"));
}

TEST_F(Stdio, ABatchIsAnsweredAsOne) {
  const Json answers =
      last_after("[" + call(1, "page") + R"(,{"jsonrpc":"2.0","method":"x"},7,)" + call(2, "nothing") + "]");
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0]["id"], 1);
  EXPECT_EQ(answers[1]["error"]["code"], kRpcInvalidRequest);
  EXPECT_EQ(answers[2]["error"]["code"], kRpcInvalidParams);
  const std::size_t before = said().size();
  session_->take(R"([{"jsonrpc":"2.0","method":"x"}])");
  session_->finish();
  EXPECT_EQ(said().size(), before);
}

TEST_F(Stdio, TheEndOfASessionEndsABatch) {
  world_.tools.add({"patient", "Waits until nobody waits for it.", "{}"},
                   [this](const ToolCall&, const ToolCaller& caller, const Deadline&) -> Result<ToolOutcome> {
                     ++world_.holding;
                     while (!caller.cancelled()) std::this_thread::yield();
                     return ToolOutcome{};
                   });
  session_->take("[" + call(1, "patient") + "," + call(2, "patient") + "]");
  ASSERT_TRUE(eventually([&] { return world_.holding == 1; }));
  session_.reset();
  EXPECT_EQ(world_.holding, 1) << "the second is not begun";
}

TEST_F(Stdio, ProgressComesBeforeTheAnswer) {
  session_->take(dump_json({{"jsonrpc", "2.0"},
                            {"id", 1},
                            {"method", "tools/call"},
                            {"params", {{"name", "page"}, {"_meta", {{"progressToken", 7}}}}}}));
  session_->finish();
  ASSERT_EQ(said().size(), 2u);
  EXPECT_EQ(said()[0]["params"]["progressToken"], 7);
  EXPECT_TRUE(said()[1].contains("result"));
}

}  // namespace
}  // namespace pandora
