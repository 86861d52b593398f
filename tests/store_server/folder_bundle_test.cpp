// A folder as one object: what is written is read, in this form for good, and what is torn is told from it.
#include "store_server/folder_bundle.h"

#include <fstream>
#include <iterator>

#include "base/random.h"
#include "contract/expect.h"

namespace pandora {
namespace {

const FolderBundle kFolder = {
    {"context.md", "# One\n\nWords.\n"}, {"empty", ""}, {"webpage_cache/1.html", "<>\n5 x\n"}};

TEST(FolderBundle, is_as_it_always_was) {
  std::ifstream file(PANDORA_GOLDEN "/folder-v1.txt");
  const std::string kept{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(encode_bundle(kFolder), kept);
  EXPECT_EQ(must(decode_bundle(kept)), kFolder);
}

TEST(FolderBundle, any_bytes_come_back) {
  SeededRandom random(11);
  FolderBundle folder;
  for (int i = 0; i < 50; ++i) {
    std::string bytes;
    for (std::uint64_t left = random.below(200); left > 0; --left) bytes += static_cast<char>(random.below(256));
    folder["d" + std::to_string(i)] = bytes;
  }
  EXPECT_EQ(must(decode_bundle(encode_bundle(folder))), folder);
  EXPECT_EQ(must(decode_bundle(encode_bundle({}))), FolderBundle());
}

TEST(FolderBundle, what_is_torn_anywhere_is_no_folder_or_a_shorter_one) {
  const std::string whole = encode_bundle(kFolder);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = decode_bundle(std::string_view(whole).substr(0, size));
    const bool good = read ? read->size() < kFolder.size() : read.error().code == ErrorCode::kDataCorrupt;
    EXPECT_TRUE(good) << size;
  }
}

TEST(FolderBundle, what_was_not_written_so_is_refused) {
  EXPECT_FAILS(kIncompatible, decode_bundle("pandora folder 2\n"));
  for (const std::string text : {"", "x", "pandora folder ", "pandora folder 2"})
    EXPECT_FAILS(kDataCorrupt, decode_bundle(text)) << text;
  for (const std::string text : {"1 a\n1", "x a\n1\n", "-1 a\n1\n", " a\n1\n", "1 \n1\n", "1a\n1\n", "2 a\n1\n",
                                 "1 a\n12", "99999999999999999999 a\n1\n", "1 a\n1\n1 a\n1\n"})
    EXPECT_FAILS(kDataCorrupt, decode_bundle("pandora folder 1\n" + text)) << text;
  FolderBundle most;
  for (std::size_t i = 0; i < kMaxBundledDocuments; ++i) most["d" + std::to_string(i)] = "";
  EXPECT_EQ(must(decode_bundle(encode_bundle(most))).size(), kMaxBundledDocuments);
  most["one more"] = "";
  EXPECT_FAILS(kDataCorrupt, decode_bundle(encode_bundle(most)));
}

}  // namespace
}  // namespace pandora
