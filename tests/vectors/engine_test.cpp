// What of a directory's collections is removed at a start, and what never is.
#include "vectors/engine.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/forwarding_file_system.h"
#include "support/temporary_directory.h"
#include "vectors/bodies.h"

namespace pandora::qdrant {
namespace {

namespace fs = std::filesystem;

// One whose catalogue cannot be read, or whose folders cannot be removed.
class FailingFiles final : public testing::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<std::string> read_file(const std::string& path, std::size_t max_bytes) override {
    if (fails(path)) return fail(ErrorCode::kUnavailable, path + ": input/output error");
    return ForwardingFileSystem::read_file(path, max_bytes);
  }
  Result<FileInfo> info(const std::string& path) override {
    if (fails(path)) return fail(ErrorCode::kUnavailable, path + ": input/output error");
    return ForwardingFileSystem::info(path);
  }
  Status remove_tree(const std::string& path) override {
    if (!removes) return fail(ErrorCode::kUnavailable, path + ": input/output error");
    return ForwardingFileSystem::remove_tree(path);
  }
  bool reads_catalogue = true, removes = true;

 private:
  bool fails(const std::string& path) const { return !reads_catalogue && path.ends_with("catalogue.json"); }
};

class EngineFiles : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Engine>> open() { return Engine::open(directory_.path(), files_, clock_, random_); }
  void create(Engine& engine, const std::string& name) { ASSERT_TRUE(engine.create(name, params_of(kPlain))); }
  std::string catalogue() const { return directory_.path() + "/catalogue.json"; }
  std::string folder_of(const std::string& name) {
    return directory_.path() + "/collections/" + Catalogue::read(*real_, catalogue()).value().collections.at(name);
  }

  const testing::TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> real_ = make_posix_file_system();
  FailingFiles files_{*real_};
  const SystemClock clock_;
  SystemRandom random_;
};

TEST_F(EngineFiles, a_catalogue_that_cannot_be_read_just_now_costs_no_collection) {
  create(*open().value(), "kept");
  files_.reads_catalogue = false;
  EXPECT_EQ(open().error().code, ErrorCode::kUnavailable);
  files_.reads_catalogue = true;
  EXPECT_FALSE(open().value()->find("kept").value()->damage());
}

TEST_F(EngineFiles, without_its_catalogue_nothing_opens_and_nothing_is_removed) {
  create(*open().value(), "kept");
  const std::string folder = folder_of("kept");
  fs::rename(catalogue(), catalogue() + ".away");
  const auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDataCorrupt);
  EXPECT_NE(refused.error().message.find("catalogue.json is missing"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(fs::exists(folder));
  fs::rename(catalogue() + ".away", catalogue());
  EXPECT_FALSE(open().value()->find("kept").value()->damage());
}

TEST_F(EngineFiles, a_new_directory_has_a_catalogue_before_it_has_a_collection) {
  const auto engine = open().value();
  EXPECT_TRUE(Catalogue::read(*real_, catalogue()));
}

TEST_F(EngineFiles, what_an_older_catalogue_does_not_know_stays) {
  create(*open().value(), "before");
  fs::copy_file(catalogue(), catalogue() + ".older");
  create(*open().value(), "after");
  const std::string folder = folder_of("after");
  fs::rename(catalogue() + ".older", catalogue());
  EXPECT_FALSE(open().value()->exists("after"));
  EXPECT_TRUE(fs::exists(folder + "/points.db"));
}

TEST_F(EngineFiles, what_was_left_of_a_removed_one_goes_at_the_next_start_and_is_forgotten_with_the_next_change) {
  std::string folder;
  {
    const auto engine = open().value();
    create(*engine, "gone");
    folder = folder_of("gone");
    files_.removes = false;
    ASSERT_TRUE(engine->remove("gone").value());
  }
  EXPECT_TRUE(fs::exists(folder));
  EXPECT_EQ(Catalogue::read(*real_, catalogue()).value().removed.size(), 1U);
  files_.removes = true;
  const auto engine = open().value();
  EXPECT_FALSE(fs::exists(folder));
  create(*engine, "next");
  EXPECT_TRUE(Catalogue::read(*real_, catalogue()).value().removed.empty());
}

}  // namespace
}  // namespace pandora::qdrant
