#include "wire/mcp_revision.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

RpcMessage request(const std::string& method, Json params = Json::object()) {
  return {RpcKind::kRequest, 1, method, std::move(params)};
}
// As Python's client of 2026-07-28 sends it.
RpcMessage modern(const std::string& method, Json params = Json::object(), const Json& revision = "2026-07-28") {
  params["_meta"] = {{std::string(kMcpRevisionKey), revision},
                     {std::string(kMcpClientCapabilitiesKey), Json::object()}};
  return request(method, std::move(params));
}
const McpHeaders kNone;

void expect_revision(const McpVerdict& verdict, McpRevision revision) {
  EXPECT_FALSE(verdict.fault) << verdict.fault->message;
  EXPECT_EQ(verdict.revision, revision);
}
void expect_fault(const McpVerdict& verdict, int code) {
  ASSERT_TRUE(verdict.fault);
  EXPECT_EQ(verdict.fault->code, code) << verdict.fault->message;
}

TEST(McpRevision, TheHandshakeGivesWhatWasAskedForOrTheNewestThatHasOne) {
  for (const auto revision : {McpRevision::k2025_03_26, McpRevision::k2025_06_18, McpRevision::k2025_11_25})
    EXPECT_EQ(negotiated_revision(to_string(revision)), revision);
  for (const char* asked : {"2026-07-28", "2024-11-05", "2099-01-01", "", "2025-11-25 "})
    EXPECT_EQ(negotiated_revision(asked), McpRevision::k2025_11_25) << asked;
}

TEST(McpRevision, OverLinesTheEnvelopeDecides) {
  expect_revision(judge_mcp(request("tools/list"), nullptr), McpRevision::k2025_11_25);
  expect_revision(judge_mcp(request("tools/list", {{"_meta", {{"progressToken", 1}}}}), nullptr),
                  McpRevision::k2025_11_25);
  expect_revision(judge_mcp(modern("tools/list"), nullptr), McpRevision::k2026_07_28);
  expect_revision(judge_mcp(modern("initialize"), nullptr), McpRevision::k2025_11_25);
  expect_fault(judge_mcp(modern("tools/list", {}, "2025-11-25"), nullptr), kMcpUnsupportedRevision);
  expect_fault(judge_mcp(modern("tools/list", {}, "2099-01-01"), nullptr), kMcpUnsupportedRevision);
  expect_fault(judge_mcp(modern("tools/list", {}, 7), nullptr), kRpcInvalidParams);
  expect_fault(judge_mcp(request("tools/list", {{"_meta", {{std::string(kMcpRevisionKey), "2026-07-28"}}}}), nullptr),
               kRpcInvalidParams);  // it lacks the capabilities
}

TEST(McpRevision, AnUnsupportedOneIsAnsweredWithThoseThatAreSpoken) {
  const auto verdict = judge_mcp(modern("server/discover", {}, "2099-01-01"), nullptr);
  expect_fault(verdict, kMcpUnsupportedRevision);
  EXPECT_EQ(verdict.fault->data["requested"], "2099-01-01");
  EXPECT_EQ(verdict.fault->data["supported"], Json::array({"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"}));
}

TEST(McpRevision, OverHTTPTheHeaderDecidesAndItsAbsenceMeansTheOneWithBatches) {
  expect_revision(judge_mcp(request("initialize"), &kNone), McpRevision::k2025_11_25);
  expect_revision(judge_mcp(request("tools/list"), &kNone), McpRevision::k2025_03_26);
  for (const auto revision : {McpRevision::k2025_03_26, McpRevision::k2025_06_18, McpRevision::k2025_11_25}) {
    const McpHeaders headers{std::string(to_string(revision)), {}, {}, false};
    expect_revision(judge_mcp(request("tools/list"), &headers), revision);
  }
  for (const char* unknown : {"2024-11-05", "2099-01-01", "", "latest"}) {
    const McpHeaders headers{unknown, {}, {}, false};
    expect_fault(judge_mcp(request("tools/list"), &headers), kMcpUnsupportedRevision);
  }
}

TEST(McpRevision, HeadersAndBodyMustSayTheSame) {
  const McpHeaders right{"2026-07-28", "tools/call", "memory_search", false};
  const RpcMessage call = modern("tools/call", {{"name", "memory_search"}});
  expect_revision(judge_mcp(call, &right), McpRevision::k2026_07_28);
  const auto with = [&](auto change) {
    McpHeaders headers = right;
    change(headers);
    return judge_mcp(call, &headers);
  };
  expect_fault(with([](McpHeaders& h) { h.revision.reset(); }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.revision = "2025-11-25"; }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.method.reset(); }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.method = "tools/list"; }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.name.reset(); }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.name = "memory_forget"; }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.doubled = true; }), kMcpHeaderMismatch);
  expect_fault(with([](McpHeaders& h) { h.name = "=?base64?%%%?="; }), kMcpHeaderMismatch);
  expect_revision(with([](McpHeaders& h) { h.name = "=?base64?bWVtb3J5X3NlYXJjaA==?="; }), McpRevision::k2026_07_28);
  expect_fault(judge_mcp(request("tools/list"), &right), kRpcInvalidParams);  // the header alone is no envelope
}

TEST(McpRevision, AHeaderCarriesAnyText) {
  EXPECT_EQ(mcp_header_value("plain"), "plain");
  EXPECT_EQ(mcp_header_value(""), "");
  EXPECT_EQ(mcp_header_value("=?base64?w6k=?="), "é");
  EXPECT_EQ(mcp_header_value("=?base64?"
                             "?="),
            "");
  EXPECT_EQ(mcp_header_value("=?base64?="), "=?base64?=");  // too short to be one
  EXPECT_EQ(mcp_header_value("=?base64?w6l=?="), std::nullopt);
}

TEST(McpRevision, TheStatusOfAnErrorIsThatOfItsRevision) {
  for (const int code : {kRpcParseError, kRpcInvalidRequest, kMcpHeaderMismatch, kMcpUnsupportedRevision}) {
    EXPECT_EQ(mcp_http_status(McpRevision::k2025_11_25, code), 400);
    EXPECT_EQ(mcp_http_status(McpRevision::k2026_07_28, code), 400);
  }
  EXPECT_EQ(mcp_http_status(McpRevision::k2025_11_25, kRpcMethodNotFound), 200);
  EXPECT_EQ(mcp_http_status(McpRevision::k2026_07_28, kRpcMethodNotFound), 404);
  EXPECT_EQ(mcp_http_status(McpRevision::k2025_11_25, kRpcInvalidParams), 200);
  EXPECT_EQ(mcp_http_status(McpRevision::k2026_07_28, kRpcInvalidParams), 400);
  EXPECT_EQ(mcp_http_status(McpRevision::k2026_07_28, kRpcInternalError), 200);
}

}  // namespace
}  // namespace pandora
