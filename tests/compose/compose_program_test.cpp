// How a Compose is found, and what is made of what it prints: with scripted programs.
#include "compose/compose_program.h"

#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compose/compose_model.h"

namespace pandora {
namespace {

class Programs final : public ProcessRunner {
 public:
  std::function<Result<CommandOutput>(const std::string& line)> answer;
  std::vector<std::string> lines;

  Result<CommandOutput> run(const Command& command, const Deadline&) override {
    lines.push_back(fmt::format("{}", fmt::join(command.arguments, " ")));
    return answer(lines.back());
  }
  Result<std::unique_ptr<Process>> start(const Command&, const std::string&) override {
    return fail(ErrorCode::kInternal, "nothing is started here");
  }
};
CommandOutput says(std::string out, int code = 0, std::string err = "") {
  return {.status = {code}, .out = std::move(out), .err = std::move(err)};
}

Result<ComposeProgram> found(Result<CommandOutput> plugin, Result<CommandOutput> program) {
  Programs programs;
  programs.answer = [&](const std::string& line) { return line.starts_with("docker compose") ? plugin : program; };
  return find_compose(programs, Deadline::never());
}

TEST(ComposeProgram, TheSecondVersionIsTakenFirst) {
  const auto missing = Result<CommandOutput>(fail(ErrorCode::kNotFound, "no such program"));
  EXPECT_EQ(found(says("2.26.1-4\n"), says("1.29.2\n"))->name(), "docker compose 2.26.1-4");
  EXPECT_EQ(found(says("", 125), says("1.29.2\n"))->name(), "docker-compose 1.29.2");
  EXPECT_FALSE(found(missing, says("1.29.2\n"))->is_version_two());
  EXPECT_TRUE(found(missing, says("v2.40.0\n"))->is_version_two());
  EXPECT_TRUE(found(says("5.0.1\n"), missing)->is_version_two());
}

TEST(ComposeProgram, NoneOrOneThatIsTooOldIsSaid) {
  const auto missing = Result<CommandOutput>(fail(ErrorCode::kNotFound, "no such program"));
  EXPECT_EQ(found(missing, missing).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(found(says("usage\n"), says("usage\n")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(found(missing, says("1.28.9\n")).error().code, ErrorCode::kIncompatible);
  EXPECT_EQ(found(fail(ErrorCode::kDeadlineExceeded, "late"), says("1.29.2\n")).error().code,
            ErrorCode::kDeadlineExceeded);
}

TEST(ComposeProgram, IsAskedForAModelThatProgramsRead) {
  Programs programs;
  programs.answer = [](const std::string&) { return says(R"({"services": {"a": {"image": "x"}}})"); };
  const ComposeFiles files{.paths = {"/d/a.yaml", "/d/b.yaml"}, .directory = "/d", .profiles = {"cache", "objects"}};
  const auto two = merged_by_compose(programs, {.command = {"docker", "compose"}, .version = "2.26.1", .major = 2},
                                     files, Deadline::never());
  EXPECT_EQ((*two)["services"]["a"]["image"], "x");
  EXPECT_EQ(programs.lines.back(),
            "docker compose -f /d/a.yaml -f /d/b.yaml --profile cache --profile objects config --format json");
  programs.answer = [](const std::string&) { return says("services:\n  a:\n    image: x\n"); };
  const auto one = merged_by_compose(programs, {.command = {"docker-compose"}, .version = "1.29.2", .major = 1}, files,
                                     Deadline::never());
  EXPECT_EQ(*one, *two);
  EXPECT_EQ(programs.lines.back(), "docker-compose -f /d/a.yaml -f /d/b.yaml --profile cache --profile objects config");
}

TEST(ComposeProgram, WhatItRefusesIsItsLastLine) {
  Programs programs;
  programs.answer = [](const std::string&) { return says("", 15, "warning: x\n\nservices.a: no such key\n"); };
  const auto refused = merged_by_compose(programs, {.command = {"docker", "compose"}, .version = "2.26.1", .major = 2},
                                         {}, Deadline::never());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "docker compose 2.26.1 refuses it: services.a: no such key");
  programs.answer = [](const std::string&) { return says("{"); };
  EXPECT_EQ(merged_by_compose(programs, {.command = {"docker", "compose"}, .version = "2.26.1", .major = 2}, {},
                              Deadline::never())
                .error()
                .code,
            ErrorCode::kDataCorrupt);
}

TEST(ComposeProgram, WhatItPrintsBecomesTheModel) {
  auto model =
      *read_compose({{"a.yaml", "services:\n  a:\n    image: x\n"}}, [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(take_composes_model(
      model, Json::parse(R"({"services": {"a": {"image": "y", "ports": [{"target": 1, "published": "2"}]}}})")));
  EXPECT_EQ(model.value["services"]["a"]["image"], "y");
  EXPECT_EQ(model.value["services"]["a"]["ports"][0]["target"], "1");
  EXPECT_EQ(model.place("/services/a/image").to_string(), "a.yaml:3:5");
  EXPECT_EQ(take_composes_model(model, Json::array()).error().code, ErrorCode::kDataCorrupt);
}

}  // namespace
}  // namespace pandora
