// What lies in a server, and in a file of lines, is as docs/formats.md says and stays readable: golden files.
#include <fstream>
#include <sstream>

#include "store_server/collection_copy.h"
#include "store_server/point_json.h"
#include "store_server/scripted_qdrant.h"

namespace pandora::testing {
namespace {

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}
std::string golden(const std::string& name) { return text_of(PANDORA_GOLDEN "/" + name); }

TEST(Golden, a_point_is_written_and_read_as_version_1_says) {
  Point one{{}, -3, {{"", {0, 0.6F, 0.8F, 0}}}, {{"words", {{3, 9}, {0.5F, 2}}}}, {}};
  one.id.bytes[15] = 1;
  one.payload = {{"user_id", std::vector<std::string>{"ana"}},
                 {"scope", std::string("global")},
                 {"yes", true},
                 {"n", 2.0},
                 {"whole", 3.0},
                 {"part", 0.1},
                 {"at", Timestamp{1'767'600'000'123'456}},
                 {"like_a_date", std::string("2026-01-05")},
                 {"list", std::vector<std::string>{"b", "\\a"}}};
  std::string written;
  append_point(written, scripted_spec(), one);
  EXPECT_EQ(written + "\n", golden("point-v1.json"));
  const std::string kept = golden("point-v1.json");
  const auto tape = JsonTape::parse(kept);
  ASSERT_TRUE(tape);
  const auto read = read_point(tape->root());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->payload, one.payload);
  EXPECT_EQ(read->dense, one.dense);
  EXPECT_EQ(read->sparse, one.sparse);
  EXPECT_EQ(read->version, one.version);
}

class GoldenLines : public ScriptedQdrant {};

TEST_F(GoldenLines, a_collection_is_written_and_read_as_version_1_says) {
  script = [](const Asked& one) {
    if (one.target == "/collections/things/aliases")
      return answer({{"aliases", {{{"alias_name", "now"}, {"collection_name", "things"}}}}});
    if (!one.target.ends_with("/scroll")) return HttpResponse{0, {}, {}};
    return answer({{"points",
                    {{{"id", 7}, {"payload", nullptr}, {"vector", Json::object()}},
                     {{"id", point(1).id.to_string()}, {"payload", {{"n", 1}}}, {"vector", {1.0, 0.0, 0.0, 0.0}}}}},
                   {"next_page_offset", nullptr}});
  };
  TemporaryDirectory folder;
  must(store().snapshot("things", folder.path() + "/lines", kNever));
  EXPECT_EQ(text_of(folder.path() + "/lines"), golden("collection-v1.jsonl"));

  forget();
  const auto api = must(QdrantApi::create(options_.server, *client_));
  std::istringstream lines(golden("collection-v1.jsonl"));
  LineImporter importer(*api, [&lines]() -> Result<std::optional<std::string>> {
    std::string line;
    if (!std::getline(lines, line)) return std::nullopt;
    return line;
  });
  const auto progress = [](std::int64_t, const std::string&) { return Status(); };
  const auto imported = must(importer.next(progress, kNever));
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->points, 2);
  EXPECT_EQ(imported->name, "things");
  std::string put;
  for (const auto& one : asked())
    if (one.line() == "PUT /collections/things/points?wait=true") put += one.body;
  EXPECT_EQ(put, R"({"points":[{"id":7,"vector":{},"payload":{}},{"id":"00000000-0000-0000-0000-000000000001",)"
                 R"("vector":[1.0,0.0,0.0,0.0],"payload":{"n":1}}]})");
  EXPECT_FALSE(must(importer.next(progress, kNever)));
}

TEST_F(GoldenLines, a_point_longer_than_a_batch_goes_alone) {
  const auto api = must(QdrantApi::create(options_.server, *client_));
  std::vector<std::string> lines = {R"({"points":1})",
                                    R"({"id":1,"vector":{},"payload":{"text":")" + std::string(30 << 20, 'x') + "\"}}",
                                    golden("collection-v1.jsonl").substr(0, golden("collection-v1.jsonl").find('\n'))};
  LineImporter importer(*api, [&lines]() -> Result<std::optional<std::string>> {
    if (lines.empty()) return std::nullopt;
    const std::string line = lines.back();
    lines.pop_back();
    return line;
  });
  // Whether it is taken is the server's to say.
  const auto imported = importer.next([](std::int64_t, const std::string&) { return Status(); }, kNever);
  ASSERT_TRUE(imported) << imported.error().to_line();
  EXPECT_EQ((*imported)->points, 1);
}

}  // namespace
}  // namespace pandora::testing
