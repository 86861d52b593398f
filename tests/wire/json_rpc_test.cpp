#include "wire/json_rpc.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

RpcReading one(std::string_view text) {
  const RpcInput input = read_rpc(text);
  EXPECT_FALSE(input.batch) << text;
  EXPECT_EQ(input.messages.size(), 1u) << text;
  return input.messages.front();
}
int code_of(std::string_view text) {
  const RpcReading reading = one(text);
  return reading.fault ? reading.fault->code : 0;
}

TEST(JsonRpc, AMessageIsARequestANotificationOrAResponse) {
  const auto request = one(R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"a":1}})");
  EXPECT_FALSE(request.fault);
  EXPECT_EQ(request.message.kind, RpcKind::kRequest);
  EXPECT_EQ(request.message.id, 7);
  EXPECT_EQ(request.message.method, "tools/list");
  EXPECT_EQ(request.message.params, Json({{"a", 1}}));
  EXPECT_EQ(one(R"({"jsonrpc":"2.0","id":"seven","method":"ping"})").message.id, "seven");
  const auto notification = one(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  EXPECT_EQ(notification.message.kind, RpcKind::kNotification);
  EXPECT_TRUE(notification.message.params.is_object());
  EXPECT_EQ(one(R"({"jsonrpc":"2.0","id":1,"result":{}})").message.kind, RpcKind::kResponse);
  EXPECT_EQ(one(R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}})").message.kind, RpcKind::kResponse);
}

TEST(JsonRpc, WhatIsNoJSONIsAParseErrorWithoutAnId) {
  for (const char* text : {"", "x", "{", R"({"jsonrpc":"2.0","id":1)", "\xFF", "{} {}", "[1,", R"({"id":1e999})"}) {
    const RpcReading reading = one(text);
    ASSERT_TRUE(reading.fault) << text;
    EXPECT_EQ(reading.fault->code, kRpcParseError) << text;
    EXPECT_TRUE(reading.message.id.is_null());
  }
}

TEST(JsonRpc, WhatIsNoMessageIsAnInvalidRequestThatNamesTheIdWhereItCan) {
  for (const char* text :
       {"null", "1", "\"text\"", "{}", R"({"method":"x"})", R"({"jsonrpc":"1.0","id":1,"method":"x"})",
        R"({"jsonrpc":2.0,"id":1,"method":"x"})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","id":1,"method":7})", R"({"jsonrpc":"2.0","id":null,"method":"x"})",
        R"({"jsonrpc":"2.0","id":1.5,"method":"x"})", R"({"jsonrpc":"2.0","id":[1],"method":"x"})",
        R"({"jsonrpc":"2.0","id":true,"method":"x"})", R"({"jsonrpc":"2.0","result":{}})",
        R"({"jsonrpc":"2.0","id":null,"result":{}})", R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})"})
    EXPECT_EQ(code_of(text), kRpcInvalidRequest) << text;
  EXPECT_EQ(one(R"({"jsonrpc":"1.0","id":9,"method":"x"})").message.id, 9);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})"), kRpcInvalidParams);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"x","params":null})"), kRpcInvalidParams);
}

TEST(JsonRpc, EveryBoundHoldsAtItAndNotOnePastIt) {
  const auto with_id = [](std::size_t bytes) {
    return R"({"jsonrpc":"2.0","method":"x","id":")" + std::string(bytes, 'i') + "\"}";
  };
  EXPECT_EQ(code_of(with_id(kMaxRpcId)), 0);
  EXPECT_EQ(code_of(with_id(kMaxRpcId + 1)), kRpcInvalidRequest);

  std::string message = R"({"jsonrpc":"2.0","method":"x"})";
  message.append(kMaxRpcMessageBytes - message.size(), ' ');
  EXPECT_EQ(code_of(message), 0);
  EXPECT_EQ(code_of(message + " "), kRpcInvalidRequest);

  const auto batch = [](std::size_t messages) {
    std::string text = "[";
    for (std::size_t i = 0; i < messages; ++i) text += std::string(i ? "," : "") + R"({"jsonrpc":"2.0","method":"x"})";
    return text + "]";
  };
  const RpcInput most = read_rpc(batch(kMaxRpcBatch));
  EXPECT_TRUE(most.batch);
  EXPECT_EQ(most.messages.size(), kMaxRpcBatch);
  EXPECT_EQ(code_of(batch(kMaxRpcBatch + 1)), kRpcInvalidRequest);
  EXPECT_EQ(code_of("[]"), kRpcInvalidRequest);

  const std::string deep = R"({"jsonrpc":"2.0","method":"x","params":)";
  EXPECT_EQ(code_of(deep + std::string(100'000, '[')), kRpcParseError);
}

TEST(JsonRpc, OneBadMessageOfABatchDoesNotSpoilTheOthers) {
  const RpcInput input = read_rpc(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}, 7, {"jsonrpc":"2.0","method":"x"}])");
  ASSERT_EQ(input.messages.size(), 3u);
  EXPECT_FALSE(input.messages[0].fault);
  EXPECT_EQ(input.messages[1].fault->code, kRpcInvalidRequest);
  EXPECT_EQ(input.messages[2].message.kind, RpcKind::kNotification);
}

TEST(JsonRpc, WhatIsWrittenIsOneLineAndReadsTheSame) {
  EXPECT_EQ(rpc_result(3, {{"text", "a\nb"}}), R"({"id":3,"jsonrpc":"2.0","result":{"text":"a\nb"}})");
  EXPECT_EQ(rpc_error({}, {kRpcParseError, "broken"}),
            R"({"error":{"code":-32700,"message":"broken"},"id":null,"jsonrpc":"2.0"})");
  EXPECT_EQ(one(rpc_notification("notifications/progress", {{"progress", 1}})).message.params, Json({{"progress", 1}}));
  EXPECT_EQ(one(rpc_error("x", {1, "\xFF", {{"more", 1}}})).message.kind, RpcKind::kResponse);
}

}  // namespace
}  // namespace pandora
