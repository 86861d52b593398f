// The folder of an instance, as a command finds it.
#include "stack/stack_folder.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace pandora {
namespace {

class Folder : public ::testing::Test {
 protected:
  Result<StackFolder> read(const std::string& env, const std::set<std::string>& profiles = {}) {
    if (!env.empty()) std::ofstream(folder_.path() + "/.env") << env;
    return read_stack_folder(
        *files_, folder_.path(),
        [&](const std::string& name) -> std::optional<std::string> {
          const auto found = environment_.find(name);
          return found == environment_.end() ? std::nullopt : std::optional(found->second);
        },
        profiles);
  }
  testing::TemporaryDirectory folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::map<std::string, std::string> environment_;
  const std::string env_ =
      "COMPOSE_PROJECT_NAME=mine\nCOMPOSE_FILE=compose.yaml:/abs/dev.yaml\nPANDORA_INSTANCE=i\nPANDORA_SECRETS=/s\n"
      "COMPOSE_PROFILES=cache, own\nPANDORA_PORT_POSTGRES=15432\nPANDORA_PORT_REDIS=none\n";
};

TEST_F(Folder, SaysWhatInitHasWritten) {
  const auto folder = read(env_, {"objects"});
  ASSERT_TRUE(folder) << folder.error().to_line();
  EXPECT_EQ(folder->name, "mine");
  EXPECT_EQ(folder->files, (std::vector<std::string>{folder_.path() + "/compose.yaml", "/abs/dev.yaml"}));
  EXPECT_EQ(folder->profiles, (std::set<std::string>{"cache", "objects", "own"}));
  EXPECT_EQ(folder->port_of(*find_stack_service("postgres")), 15432);
  EXPECT_EQ(folder->port_of(*find_stack_service("redis")), 0) << "no number";
  EXPECT_EQ(folder->port_of(*find_stack_service("grafana")), 0) << "not set";
}

TEST_F(Folder, TheEnvironmentCountsMore) {
  environment_ = {{"PANDORA_PORT_POSTGRES", "5"}, {"COMPOSE_PROFILES", ""}};
  const auto folder = read(env_);
  EXPECT_EQ(folder->port_of(*find_stack_service("postgres")), 5);
  EXPECT_TRUE(folder->profiles.empty());
}

TEST_F(Folder, OneThatInitHasNotMadeIsRefused) {
  EXPECT_EQ(read("").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read("COMPOSE_PROJECT_NAME=mine\n").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read("PANDORA_INSTANCE=i\nCOMPOSE_PROJECT_NAME=mine\nCOMPOSE_FILE=a\n").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(read("PANDORA_INSTANCE=i\nCOMPOSE_PROJECT_NAME=no name\nCOMPOSE_FILE=a\nPANDORA_SECRETS=/s\n").error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(Folder, ASecretIsReadWithoutItsLineBreak) {
  StackFolder folder;
  folder.secrets = folder_.path();
  std::ofstream(folder_.path() + "/word") << "open sesame\r\n";
  EXPECT_EQ(*read_secret(*files_, folder, "word"), "open sesame");
  EXPECT_EQ(read_secret(*files_, folder, "none").error().code, ErrorCode::kNotFound);
  std::ofstream(folder_.path() + "/long") << std::string(kMaxSecretBytes, 'x');
  EXPECT_TRUE(read_secret(*files_, folder, "long"));
  std::ofstream(folder_.path() + "/long") << std::string(kMaxSecretBytes + 1, 'x');
  EXPECT_EQ(read_secret(*files_, folder, "long").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
