#include "mcp/joined_tools.h"

#include <gtest/gtest.h>

#include "support/scripted_tool_runner.h"

namespace pandora {
namespace {

TEST(JoinedTools, EveryToolIsThereOnceAndTheFirstRunnersComesFirst) {
  testing::ScriptedToolRunner first, second;
  first.add("one", "of the first");
  first.add("both", "of the first");
  second.add("both", "of the second");
  second.add("two", "of the second");
  JoinedTools joined(first, second);
  std::vector<std::string> names;
  for (const auto& tool : joined.catalogue()) names.push_back(tool.name);
  EXPECT_EQ(names, (std::vector<std::string>{"one", "both", "two"}));
  const auto run = [&](const std::string& name) { return joined.run({"1", name, "{}"}, {}, Deadline::never()); };
  EXPECT_EQ(run("one")->result, "of the first");
  EXPECT_EQ(run("both")->result, "of the first");
  EXPECT_EQ(run("two")->result, "of the second");
  EXPECT_EQ(run("three").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pandora
