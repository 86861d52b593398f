#include "mcp/service_tools.h"

#include <set>

#include <gtest/gtest.h>

#include "mcp/scripted_service.h"

namespace pandora {
namespace {

class ServiceTools : public ::testing::Test {
 protected:
  Result<ToolOutcome> run(const std::string& tool, const std::string& arguments,
                          const Deadline& deadline = Deadline::never()) {
    return tools_->run({"call-1", tool, arguments}, {.who = Principal::of(UserId::parse("ana").value())}, deadline);
  }
  testing::ScriptedService service_;
  std::unique_ptr<ToolRunner> tools_ = make_service_tools(service_);
};

TEST_F(ServiceTools, EveryToolIsAnOperationThatThereIs) {
  std::set<std::string> known, names;
  for (const auto& operation : operations()) known.insert(std::string(operation.name));
  for (const auto& tool : tools_->catalogue()) {
    EXPECT_TRUE(names.insert(tool.name).second) << tool.name;
    const Json schema = Json::parse(tool.schema);
    EXPECT_EQ(schema["type"], "object");
    EXPECT_EQ(schema["additionalProperties"], false);
    Json arguments = Json::object();
    for (const auto& name : schema["required"]) arguments[name.get<std::string>()] = "x";
    EXPECT_TRUE(run(tool.name, dump_json(arguments))) << tool.name;
  }
  for (const auto& call : service_.calls()) EXPECT_TRUE(known.contains(call.operation)) << call.operation;
}

TEST_F(ServiceTools, WhatIsSavedIsWhatAModelSaid) {
  service_.on("memory.add", [](const Json& arguments) -> Result<Json> { return arguments; });
  EXPECT_EQ(run("memory_save", R"({"content":"tea"})")->result, R"({"content":"tea","trust":"model"})");
  const auto forged = run("memory_save", R"({"content":"tea","trust":"user"})");
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ServiceTools, ArgumentsAreLookedAtBeforeAnythingRuns) {
  for (const char* arguments :
       {"", "x", "[]", "null", "{}", "7", R"({"other":1})", R"({"content":"x","other":1})", R"({"content":)"}) {
    const auto refused = run("memory_save", arguments);
    ASSERT_FALSE(refused) << arguments;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << arguments;
  }
  EXPECT_EQ(run("nothing", "{").error().code, ErrorCode::kNotFound);
  const SystemClock clock;
  EXPECT_EQ(run("memory_save", R"({"content":"x"})", Deadline::after(clock, Duration(-1))).error().code,
            ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(service_.calls().empty());
}

TEST_F(ServiceTools, AnOperationThatFailsIsAResult) {
  service_.on("turns.show", [](const Json&) -> Result<Json> { return fail(ErrorCode::kNotFound, "no turn 7"); });
  const auto outcome = run("turn_open", R"({"number":7})");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status, ToolStatus::kFailed);
  EXPECT_EQ(outcome->result, "no turn 7");
}

TEST_F(ServiceTools, ASearchWaitsAMomentForWhatWasJustSaved) {
  service_.on("memory.search", [](const Json&) -> Result<Json> { return Json::object(); });
  ASSERT_TRUE(run("memory_search", R"({"query":"x"})"));
  ASSERT_EQ(service_.calls().size(), 2u);
  EXPECT_EQ(service_.calls()[0].operation, "drain");
  EXPECT_EQ(service_.calls()[0].user.str(), "ana");
}

TEST_F(ServiceTools, ALongResultIsCut) {
  service_.on("turns.show",
              [](const Json&) -> Result<Json> { return Json{{"x", std::string(kMaxToolResultBytes, 'x')}}; });
  const auto outcome = run("turn_open", R"({"number":7})");
  EXPECT_LE(outcome->result.size(), kMaxToolResultBytes);
  EXPECT_TRUE(outcome->result.ends_with("…"));
}

}  // namespace
}  // namespace pandora
