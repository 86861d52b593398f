#include "tools/memory_tools.h"

#include <gmock/gmock.h>

#include "contract/expect.h"
#include "tools/research_tools.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;

class Recorded final : public Operations {
 public:
  Result<Json> call(const std::string& operation, const Json& arguments, const UserId& user,
                    const std::function<bool()>&, const Deadline&) override {
    calls.push_back({operation, arguments, user.str()});
    const auto found = answers.find(operation);
    if (found == answers.end()) return fail(ErrorCode::kNotFound, "there is no such thing");
    return found->second;
  }
  struct Call {
    std::string operation;
    Json arguments;
    std::string user;
  };
  std::vector<Call> calls;
  std::map<std::string, Json> answers;
};

class RememberingTools : public ::testing::Test {
 protected:
  Result<ToolOutcome> run(const std::string& name, const Json& arguments) {
    ToolList tools = make_memory_tools(operations);
    for (auto& tool : make_research_tools(operations)) tools.push_back(std::move(tool));
    for (const auto& tool : tools)
      if (tool->info().definition.name == name) return tool->run({arguments, caller, kNever, stop});
    return fail(ErrorCode::kInternal, "there is no " + name);
  }
  const std::shared_ptr<Recorded> operations = std::make_shared<Recorded>();
  const ToolCaller caller{.who = Principal::of(must(UserId::parse("ana"))),
                          .session = must(SessionId::parse("trip")),
                          .turn = must(Uuid::parse("0190b3a2-0000-7000-8000-000000000001"))};
  const std::atomic<bool> stop = false;
};

TEST_F(RememberingTools, WhatAModelSavesIsItsOwnWordAndBelongsToItsTurn) {
  operations->answers["memory.add"] = {{"memory", {{"id", "0190"}}}, {"superseded", Json::array({"0189"})}};
  EXPECT_EQ(must(run("memory_save", {{"content", "Ana likes tea"}, {"kind", "fact"}})).result,
            "Saved as memory 0190. It replaces 1 older.");
  ASSERT_EQ(operations->calls.size(), 1u);
  EXPECT_EQ(operations->calls[0].user, "ana");
  EXPECT_EQ(operations->calls[0].arguments, Json({{"content", "Ana likes tea"},
                                                  {"kind", "fact"},
                                                  {"trust", "model"},
                                                  {"session", "trip"},
                                                  {"turn", "0190b3a2-0000-7000-8000-000000000001"}}));
}

TEST_F(RememberingTools, WhatIsFoundKeepsTheLowestTrustAndSaysWhatWasNotSearched) {
  const Json item = {{"kind", "memory"}, {"source", "memory 0190"}, {"id", "0190"}, {"at", "2026-01-05T10:00:00Z"},
                     {"trust", "user"},  {"text", "I like tea"}};
  operations->answers["memory.search"] = {{"items", Json::array({item})},
                                          {"missing", Json::array({"the encoder is down"})}};
  operations->answers["turns.search"] = {{"items", Json::array()}, {"missing", Json::array()}};
  auto outcome = must(run("memory_search", {{"query", "tea"}}));
  EXPECT_EQ(outcome.trust, Trust::kTool);
  EXPECT_THAT(outcome.result, HasSubstr("[memory 0190, id 0190] (2026-01-05, user trust) I like tea"));
  EXPECT_THAT(outcome.result, HasSubstr("Not searched: the encoder is down"));
  Json web = item;
  web["trust"] = "web";
  operations->answers["turns.search"]["items"].push_back(web);
  EXPECT_EQ(must(run("memory_search", {{"query", "tea"}})).trust, Trust::kWeb);
}

TEST_F(RememberingTools, ASearchWaitsAMomentForWhatWasJustSaved) {
  operations->answers["memory.search"] =
      operations->answers["turns.search"] = {{"items", Json::array()}, {"missing", Json::array()}};
  (void)must(run("memory_search", {{"query", "tea"}}));
  ASSERT_EQ(operations->calls.size(), 3u);
  EXPECT_EQ(operations->calls[0].operation, "drain");
  EXPECT_EQ(operations->calls[0].arguments, Json({{"at_most_ms", 500}}));
}

TEST_F(RememberingTools, NothingFoundIsSaid) {
  operations->answers["memory.search"] =
      operations->answers["turns.search"] = {{"items", Json::array()}, {"missing", Json::array()}};
  EXPECT_EQ(must(run("memory_search", {{"query", "tea"}})).result, "Nothing was found.");
  operations->answers["research.find"] = {{"research", Json::array()}};
  EXPECT_THAT(must(run("research_find", {{"topic", "tea"}})).result, HasSubstr("no research"));
  EXPECT_THAT(must(run("source_report", {{"domain", "tea.example"}})).result, HasSubstr("Nothing is known"));
}

TEST_F(RememberingTools, ResearchIsTheWebsWord) {
  operations->answers["research.find"] = {
      {"research",
       Json::array(
           {{{"primary_topic", "tea"},
             {"created_at", "2026-01-05T10:00:00Z"},
             {"confidence_now", 0.5},
             {"findings",
              Json::array({{{"claim", "It is hot"}, {"confidence", 0.7}, {"domains", Json::array({"tea.example"})}}})},
             {"conflicts", Json::array()}}})}};
  const auto outcome = must(run("research_find", {{"topic", "tea"}}));
  EXPECT_EQ(outcome.trust, Trust::kWeb);
  EXPECT_THAT(outcome.result, HasSubstr("- It is hot (0.70; tea.example)"));
}

TEST_F(RememberingTools, AnErrorOfTheOperationIsTheTools) {
  EXPECT_FAILS(kNotFound, run("memory_retrieve", {{"id", "0190"}}));
  EXPECT_FAILS(kNotFound, run("memory_forget", {{"id", "0190"}}));
  EXPECT_FAILS(kNotFound, run("turn_open", {{"number", 7}}));
}

}  // namespace
}  // namespace pandora
