// What is remembered, over HTTP: paths, parameters, and that api/openapi.yaml describes exactly what is there.
#include "gateway/resource_routes.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "gateway/gateway.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<Json> arguments(const std::string& method, const std::string& path, const std::string& query = "",
                       const std::string& body = "") {
  HttpRequest request;
  request.method = method, request.path = path, request.query = query, request.body = body;
  const ResourceMatch match = match_resource(method, request.path);
  if (!match.route) return fail(ErrorCode::kNotFound, "no route");
  return resource_arguments(match, request);
}
std::string operation(const std::string& method, const std::string& path) {
  const ResourceMatch match = match_resource(method, path);
  return match.route ? std::string(match.route->operation) : "";
}

TEST(ResourceRoutes, APathAndAMethodNameAnOperation) {
  EXPECT_EQ(operation("GET", "/v1/turns"), "turns.list");
  EXPECT_EQ(operation("HEAD", "/v1/turns"), "turns.list");
  EXPECT_EQ(operation("GET", "/v1/turns/12"), "turns.show");
  EXPECT_EQ(operation("POST", "/v1/turns/search"), "turns.search");
  EXPECT_EQ(operation("DELETE", "/v1/turns/search"), "") << "\"search\" is no turn";
  EXPECT_EQ(operation("POST", "/v1/sources/example.com/block"), "sources.block");
  EXPECT_EQ(match_resource("PUT", "/v1/turns/12").allowed, "GET, HEAD, DELETE");
  for (const char* path : {"/v1/turns/", "/v1/turn", "/v1/turns/1/2", "/v1", "/", ""})
    EXPECT_THAT(match_resource("GET", path).allowed, IsEmpty()) << path;
}

TEST(ResourceRoutes, ParametersBecomeArgumentsOfTheirKind) {
  EXPECT_EQ(arguments("GET", "/v1/turns", "session=a%20b&limit=3&before=9"),
            Json({{"session", "a b"}, {"limit", 3}, {"before", 9}}));
  EXPECT_EQ(arguments("GET", "/v1/memories", "all=true"), Json({{"all", true}}));
  EXPECT_EQ(arguments("GET", "/v1/sources/example%2Ecom"), Json({{"domain", "example.com"}}));
  EXPECT_EQ(arguments("POST", "/v1/turns/12/reject", "", R"({"undo":true})"), Json({{"number", 12}, {"undo", true}}));
  EXPECT_EQ(arguments("POST", "/v1/turns/12/reject"), Json({{"number", 12}}));
}

TEST(ResourceRoutes, WhatMakesNoSenseIsRefusedByName) {
  const auto refusal = [](const Result<Json>& result) { return result ? "taken" : result.error().message; };
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns", "limit=x")), HasSubstr("limit"));
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns", "limit=")), HasSubstr("limit"));
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns", "limit=1&limit=2")), HasSubstr("more than once"));
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns", "colour=red")), HasSubstr("colour"));
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns/x")), HasSubstr("number"));
  EXPECT_THAT(refusal(arguments("GET", "/v1/memories", "all=1")), HasSubstr("all"));
  EXPECT_THAT(refusal(arguments("POST", "/v1/memories", "", "[]")), HasSubstr("object"));
  EXPECT_THAT(refusal(arguments("POST", "/v1/turns/12/reject", "", R"({"number":13})")), HasSubstr("more than once"));
  std::string many = "&";
  for (std::size_t i = 1; i < kMaxQueryParameters; ++i) many += '&';
  EXPECT_THAT(refusal(arguments("GET", "/v1/turns", many)), HasSubstr("more than"));
  many.pop_back();
  EXPECT_TRUE(arguments("GET", "/v1/turns", many));
}

TEST(ResourceRoutes, EveryOneIsAnOperationOfTheService) {
  std::set<std::string_view> known;
  for (const auto& one : operations()) known.insert(one.name);
  for (const auto& route : resource_routes()) EXPECT_TRUE(known.contains(route.operation)) << route.operation;
}

TEST(ResourceRoutes, TheDescriptionNamesExactlyTheseBesidesTheGatewaysOwn) {
  std::set<std::string> described, there;
  std::istringstream lines{std::string(openapi_description())};
  std::string path;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("components:")) break;
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    for (const char* method : {"get", "post", "delete"})
      if (line == "    " + std::string(method) + ":") described.insert(std::string(method) + " " + path);
  }
  for (const auto& route : resource_routes()) {
    std::string method(route.method);
    for (auto& c : method) c = static_cast<char>(std::tolower(c));
    there.insert(method + " " + std::string(route.path));
  }
  for (const char* own :
       {"post /v1/chat/completions", "get /v1/models", "get /v1/models/{model}", "post /v1/embeddings",
        "get /health/live", "get /health/ready", "get /openapi.yaml", "get /metrics", "get /v1/turns/{turn}/progress",
        "get /tools", "post /tools/{name}", "post /mcp", "delete /mcp"})
    there.insert(own);
  EXPECT_EQ(described, there);
}

}  // namespace
}  // namespace pandora
