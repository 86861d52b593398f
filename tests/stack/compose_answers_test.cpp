// When Compose is asked, and when what it said before still holds.
#include "stack/compose_answers.h"

#include <fstream>
#include <mutex>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace pandora {
namespace {

class Compose final : public ProcessRunner {
 public:
  int calls = 0;
  bool refuses = false;

  Result<CommandOutput> run(const Command& command, const Deadline&) override {
    const std::lock_guard lock(mutex_);
    ++calls;
    const std::string& last = command.arguments.back();
    if (last == "--short") return CommandOutput{.status = {0}, .out = "2.26.1\n", .err = ""};
    if (refuses) return CommandOutput{.status = {15}, .out = "", .err = "it is refused\n"};
    return CommandOutput{.status = {0}, .out = last == "*" ? "postgres abc\n" : "{\"services\": {}}", .err = ""};
  }
  Result<std::unique_ptr<Process>> start(const Command&, const std::string&) override {
    return fail(ErrorCode::kInternal, "nothing is started here");
  }

 private:
  std::mutex mutex_;
};

class Answers : public ::testing::Test {
 protected:
  // How many programs were run for it.
  int asked() {
    const int before = compose_.calls;
    const auto answers = ask_compose(question_, kept_, *files_, compose_, Deadline::never());
    EXPECT_TRUE(answers) << answers.error().to_line();
    if (answers) {
      EXPECT_EQ(answers->program.name(), "docker compose 2.26.1");
      EXPECT_EQ(answers->hashes, (std::map<std::string, std::string>{{"postgres", "abc"}}));
      EXPECT_EQ(answers->model, Json::parse("{\"services\": {}}"));
    }
    return compose_.calls - before;
  }
  static constexpr int kAll = 3;  // its version, the model, the hashes
  testing::TemporaryDirectory folder_;
  const std::string kept_ = folder_.path() + "/state/compose.json";
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::map<std::string, std::string> variables_ = {{"LEVEL", "1"}, {"OTHER", "1"}};
  Compose compose_;
  ComposeQuestion question_{
      .files = {.project = "mine", .paths = {"/f/compose.yaml"}, .directory = "/f", .profiles = {}},
      .sources = {{"/f/compose.yaml", "services: {postgres: {image: \"p:${LEVEL:-1}\"}}"}},
      .env = "A=1\n",
      .programs = "docker 1 2 3",
      .environment = [this](const std::string& name) -> std::optional<std::string> {
        const auto found = variables_.find(name);
        return found == variables_.end() ? std::nullopt : std::optional(found->second);
      }};
};

TEST_F(Answers, are_kept_until_something_that_they_depend_on_changes) {
  EXPECT_EQ(asked(), kAll);
  EXPECT_EQ(asked(), 0);
  variables_["OTHER"] = "2";  // which no file names
  EXPECT_EQ(asked(), 0);
  variables_["LEVEL"] = "2";
  EXPECT_EQ(asked(), kAll);
  question_.env = "A=2\n";
  EXPECT_EQ(asked(), kAll);
  question_.sources[0].text += "\n";
  EXPECT_EQ(asked(), kAll);
  question_.files.profiles.insert("cache");
  EXPECT_EQ(asked(), kAll);
  question_.programs = "docker 1 2 4";
  EXPECT_EQ(asked(), kAll);
  variables_["COMPOSE_ENV_FILES"] = "other";
  EXPECT_EQ(asked(), kAll);
  EXPECT_EQ(asked(), 0);
}

TEST_F(Answers, of_files_that_name_others_are_not_kept) {
  for (const char* line : {"env_file: a", "extends: b", "include: [c]", "label_file: d"}) {
    question_.sources[0].text = line;
    EXPECT_EQ(asked(), kAll) << line;
    EXPECT_EQ(asked(), kAll) << line;
  }
}

TEST_F(Answers, that_cannot_be_read_or_written_are_asked_for_again) {
  EXPECT_EQ(asked(), kAll);
  for (const char* damage : {"", "{", "[]", "{\"form\": 1}", "{\"form\": \"x\", \"made_of\": 1}"}) {
    std::ofstream(kept_) << damage;
    EXPECT_EQ(asked(), kAll) << damage;
    EXPECT_EQ(asked(), 0) << damage;
  }
  std::ofstream(folder_.path() + "/file") << "no folder";
  const auto answers =
      ask_compose(question_, folder_.path() + "/file/compose.json", *files_, compose_, Deadline::never());
  EXPECT_TRUE(answers) << answers.error().to_line();
}

TEST_F(Answers, a_refusal_is_never_kept) {
  compose_.refuses = true;
  for (int i = 0; i < 2; ++i) {
    const auto answers = ask_compose(question_, kept_, *files_, compose_, Deadline::never());
    ASSERT_FALSE(answers);
    EXPECT_EQ(answers.error().code, ErrorCode::kInvalidArgument);
  }
  compose_.refuses = false;
  EXPECT_EQ(asked(), kAll);
}

}  // namespace
}  // namespace pandora
