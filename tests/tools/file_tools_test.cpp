#include "tools/file_tools.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "contract/expect.h"
#include "support/temporary_directory.h"
#include "tools/argument_schema.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FileTools : public ::testing::Test {
 protected:
  FileTools() {
    fs::create_directories(root + "/sub/deeper");
    write("a.txt", "one\ntwo\nthree\n");
    write("sub/b.md", "# Title");
    std::ofstream(directory.path() + "/secret.txt") << "secret";
    fs::create_directory(directory.path() + "/beside");
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root + "/" + name, std::ios::binary) << text;
  }
  Result<ToolOutcome> run(const char* name, Json arguments) {
    if (!arguments.contains("folder")) arguments["folder"] = "notes";
    for (const auto& tool : make_file_tools({{"notes", root}}))
      if (tool->info().definition.name == name) return tool->run({arguments, caller, kNever, stop});
    return fail(ErrorCode::kInternal, "no such tool");
  }
  std::string read(const Json& arguments) { return must(run("file_read", arguments)).result; }

  const testing::TemporaryDirectory directory;
  const std::string root = directory.path() + "/notes";
  const ToolCaller caller{Principal::of(must(UserId::parse("ana")))};
  const std::atomic<bool> stop = false;
};

TEST_F(FileTools, ReadAndListWhatIsInTheFolder) {
  EXPECT_EQ(read({{"path", "a.txt"}}), "one\ntwo\nthree\n");
  EXPECT_EQ(read({{"path", "sub/b.md"}}), "# Title");
  EXPECT_EQ(read({{"path", "sub/../a.txt"}}), "one\ntwo\nthree\n") << "it stays inside";
  EXPECT_EQ(must(run("file_list", Json::object())).result, "a.txt  14 bytes\nsub/\n");
  EXPECT_EQ(must(run("file_list", {{"path", "sub"}})).result, "b.md  7 bytes\ndeeper/\n");
  EXPECT_EQ(must(run("file_list", {{"path", "sub/deeper"}})).result, "The folder is empty.");
}

TEST_F(FileTools, NothingLeadsOutOfTheFolder) {
  fs::create_symlink(directory.path() + "/secret.txt", root + "/absolute");
  fs::create_symlink("../secret.txt", root + "/relative");
  fs::create_symlink("../../beside", root + "/sub/beside");
  fs::create_symlink("..", root + "/up");
  fs::create_symlink("/proc/self/root", root + "/magic");
  fs::create_symlink("loop", root + "/loop");
  for (const char* path : {"../secret.txt", "/etc/passwd", "sub/../../secret.txt", "absolute", "relative",
                           "up/secret.txt", "..", "/", "magic/etc/passwd", "sub/beside/../secret.txt", "loop", "up"}) {
    const auto result = run("file_read", {{"path", path}});
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().code, ErrorCode::kPermissionDenied) << path << ": " << result.error().message;
    EXPECT_FAILS(kPermissionDenied, run("file_list", {{"path", path}})) << path;
  }
  fs::create_symlink("a.txt", root + "/inside");
  EXPECT_EQ(read({{"path", "inside"}}), "one\ntwo\nthree\n") << "a link that stays inside is a file like any other";
}

TEST_F(FileTools, WhatIsNoTextFileIsRefusedInAClearSentence) {
  write("image.png", std::string("\x89PNG\0\1", 6));
  write("latin.txt", "caf\xE9");
  write("empty.txt", "");
  EXPECT_THAT(run("file_read", {{"path", "image.png"}}).error().message, HasSubstr("no text in UTF-8"));
  EXPECT_FAILS(kInvalidArgument, run("file_read", {{"path", "latin.txt"}}));
  EXPECT_EQ(read({{"path", "empty.txt"}}), "The file is empty.");
  ASSERT_EQ(::mkfifo((root + "/pipe").c_str(), 0600), 0);
  EXPECT_FAILS(kInvalidArgument, run("file_read", {{"path", "pipe"}})) << "and it does not wait for a writer";
  EXPECT_FAILS(kInvalidArgument, run("file_read", {{"path", "sub"}}));
  EXPECT_FAILS(kInvalidArgument, run("file_list", {{"path", "a.txt"}}));
  EXPECT_FAILS(kNotFound, run("file_read", {{"path", "nothing.txt"}}));
  EXPECT_FAILS(kNotFound, run("file_read", {{"path", "a.txt/more"}}));
  EXPECT_FAILS(kInvalidArgument, run("file_read", {{"path", std::string("a.txt\0b", 7)}}));
  const auto stranger = run("file_read", {{"folder", "other"}, {"path", "a.txt"}});
  EXPECT_FAILS(kNotFound, stranger);
  EXPECT_THAT(stranger.error().remedy, HasSubstr("notes"));
}

TEST_F(FileTools, APartIsShownByLines) {
  EXPECT_EQ(read({{"path", "a.txt"}, {"first_line", 2}, {"lines", 1}}), "(lines 2 to 2 of 3)\ntwo\n");
  EXPECT_EQ(read({{"path", "a.txt"}, {"first_line", 3}}), "(lines 3 to 3 of 3)\nthree\n");
  EXPECT_EQ(read({{"path", "a.txt"}, {"lines", 2}}), "(lines 1 to 2 of 3)\none\ntwo\n");
  EXPECT_EQ(read({{"path", "a.txt"}, {"lines", 3}}), "one\ntwo\nthree\n");
  EXPECT_FAILS(kInvalidArgument, run("file_read", {{"path", "a.txt"}, {"first_line", 4}}));
}

TEST_F(FileTools, ALineHasTheNumberOfALineAtMost) {
  for (const auto& tool : make_file_tools({{"notes", root}})) {
    if (tool->info().definition.name != "file_read") continue;
    const auto schema = must(ArgumentSchema::parse("file_read", tool->info().definition.schema));
    const auto read_from = [&](const std::string& line) {
      return schema.read(R"({"folder": "notes", "path": "a.txt", "first_line": )" + line + "}", 1'000);
    };
    EXPECT_TRUE(read_from("1000000000"));
    EXPECT_FAILS(kInvalidArgument, read_from("1000000001"));
    EXPECT_FAILS(kInvalidArgument, read_from("9223372036854775807"));  // to which no number of lines can be added
  }
}

TEST_F(FileTools, TheirBoundsHoldAtThemAndOnePast) {
  write("largest.txt", std::string(kMaxToolFileBytes, 'x'));
  write("larger.txt", std::string(kMaxToolFileBytes + 1, 'x'));
  EXPECT_EQ(read({{"path", "largest.txt"}}).size(), kMaxToolFileBytes);
  EXPECT_FAILS(kTooLarge, run("file_read", {{"path", "larger.txt"}}));
  fs::create_directory(root + "/many");
  for (std::size_t i = 0; i < kMaxListedFiles; ++i) write("many/" + std::to_string(100'000 + i), "");
  EXPECT_THAT(must(run("file_list", {{"path", "many"}})).result, ::testing::Not(HasSubstr("more than")));
  for (std::size_t i = 0; i < 2 * kMaxListedFiles; ++i) write("many/x" + std::to_string(i), "");
  const std::string cut = must(run("file_list", {{"path", "many"}})).result;
  EXPECT_THAT(cut, HasSubstr("(there are more than 500)"));
  EXPECT_EQ(std::count(cut.begin(), cut.end(), '\n'), static_cast<std::ptrdiff_t>(kMaxListedFiles) + 1);
  EXPECT_EQ(cut.find('x'), std::string::npos) << "the first by name";
}

TEST_F(FileTools, ATreeThatChangesMeanwhileLeadsNowhereElse) {
  // A folder that is now a folder, now a link out of it.
  fs::create_directory(root + "/turning");
  write("turning/secret.txt", "harmless");
  std::atomic<bool> done = false;
  std::thread turner([&] {
    fs::rename(root + "/turning", root + "/real");
    while (!done) {
      fs::create_directory_symlink("..", root + "/turning");
      fs::remove(root + "/turning");
      fs::create_directory_symlink("real", root + "/turning");
      fs::remove(root + "/turning");
    }
  });
  int read_well = 0;
  for (int i = 0; i < 2000; ++i)
    if (const auto result = run("file_read", {{"path", "turning/secret.txt"}})) {
      EXPECT_EQ(result->result, "harmless");
      ++read_well;
    }
  done = true;
  turner.join();
  std::printf("read %d times of 2000\n", read_well);
}

TEST(ToolFolders, AreNamedByTheSettings) {
  const auto expand = [](const std::string& path) {
    return path.starts_with("~/") ? "/home/ana" + path.substr(1) : path;
  };
  const auto folders = must(parse_tool_folders("notes = ~/notes, papers=/srv/papers", expand));
  EXPECT_EQ(folders, (ToolFolders{{"notes", "/home/ana/notes"}, {"papers", "/srv/papers"}}));
  EXPECT_TRUE(must(parse_tool_folders(" ", expand)).empty());
  EXPECT_TRUE(make_file_tools({}).empty()) << "without folders there are no such tools";
  for (const char* text : {"notes", "=/srv", "notes=srv", "no tes=/srv", "a=/x,a=/y", "a=/x,,b=/y"})
    EXPECT_FAILS(kInvalidArgument, parse_tool_folders(text, expand)) << text;
  std::string many;
  for (std::size_t i = 0; i < kMaxToolFolders; ++i) many += (i ? ",f" : "f") + std::to_string(i) + "=/srv";
  EXPECT_TRUE(parse_tool_folders(many, expand));
  EXPECT_FAILS(kInvalidArgument, parse_tool_folders(many + ",more=/srv", expand));
}

}  // namespace
}  // namespace pandora
