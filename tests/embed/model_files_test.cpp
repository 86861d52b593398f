#include "embed/model_files.h"

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "embed/embedders.h"
#include "embed/weights.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

class ModelFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/model_files_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    remedy_ = "run scripts/fetch_weights --model " + pattern.substr(pattern.rfind('/') + 1) + " --force";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(std::string_view name) const { return join_path(directory_, name); }
  // In place: the same inode.
  void write(std::string_view name, std::string_view bytes) const {
    const int file = ::open(path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(file);
  }
  static Json manifest() {
    return {{"name", "tiny"},
            {"revision", "1"},
            {"layers", 2},
            {"heads", 4},
            {"hidden", 8},
            {"dimension", 8},
            {"intermediate", 16},
            {"window", 6},
            {"pooling", "mean"},
            {"question_prefix", "query: "},
            {"passage_prefix", ""},
            {"licence", "MIT"},
            {"files", Json::object()}};
  }
  // A manifest that names one file with these bytes.
  ModelManifest naming(std::string_view name, std::string_view bytes) const {
    ModelManifest made;
    made.files[std::string(name)] = {bytes.size(), sha256_hex(bytes)};
    return made;
  }
  // As if the stamp had been written long after the file.
  void age_stamp(const std::string& name) const {
    struct stat info{};
    ASSERT_EQ(::stat(path(name + ".verified").c_str(), &info), 0);
    const std::array<timespec, 2> times{timespec{info.st_mtim.tv_sec + 10, 0}, timespec{info.st_mtim.tv_sec + 10, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path(name + ".verified").c_str(), times.data(), 0), 0);
  }
  Error refused(const std::string& name, const ModelManifest& by) const {
    const auto opened = MappedFile::open(directory_, name, by);
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }
  std::string directory_, remedy_;
};

TEST_F(ModelFiles, AManifestSaysWhatTheModelIs) {
  Json json = manifest();
  json["files"]["vocab.txt"] = {{"size", 12}, {"sha256", "ab"}};
  write("manifest.json", json.dump());
  const auto read = read_manifest(directory_);
  ASSERT_TRUE(read) << read.error().to_line();
  EXPECT_EQ(read->name, "tiny");
  EXPECT_EQ(read->revision, "1");
  EXPECT_EQ(read->layers, 2u);
  EXPECT_EQ(read->heads, 4u);
  EXPECT_EQ(read->hidden, 8u);
  EXPECT_EQ(read->intermediate, 16u);
  EXPECT_EQ(read->window, 6u);
  EXPECT_TRUE(read->mean_pooling);
  EXPECT_EQ(read->question_prefix, "query: ");
  EXPECT_EQ(read->files.at("vocab.txt").bytes, 12u);
  EXPECT_EQ(read->files.at("vocab.txt").sha256, "ab");
}

TEST_F(ModelFiles, WithoutAManifestTheCommandThatFetchesTheWeightsIsNamed) {
  const auto read = read_manifest(directory_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_NE(read.error().message.find(directory_), std::string::npos);
  EXPECT_EQ(read.error().remedy, remedy_.substr(0, remedy_.size() - std::string(" --force").size()) +
                                     ", or set encoder.model = \"hashing\"");
}

TEST_F(ModelFiles, AManifestThatMakesNoSenseNamesItsFaultAndTheRemedy) {
  const auto fault = [&](const std::string& text) {
    write("manifest.json", text);
    const auto read = read_manifest(directory_);
    EXPECT_FALSE(read) << text;
    if (read) return std::string();
    EXPECT_EQ(read.error().code, ErrorCode::kDataCorrupt) << text;
    EXPECT_EQ(read.error().remedy, remedy_) << text;
    EXPECT_NE(read.error().message.find(directory_), std::string::npos) << text;
    return read.error().message;
  };
  const auto with = [&](const char* field, const Json& value) {
    Json json = manifest();
    json[field] = value;
    return fault(json.dump());
  };
  EXPECT_NE(fault("").find("no JSON"), std::string::npos);
  EXPECT_NE(fault("[]").find("object"), std::string::npos);
  EXPECT_NE(fault(manifest().dump().substr(0, 40)).find("no JSON"), std::string::npos);
  for (const char* field : {"layers", "heads", "hidden", "intermediate", "window"}) {
    EXPECT_NE(with(field, 0).find(field), std::string::npos);
    EXPECT_NE(with(field, 65'537).find(field), std::string::npos);
    EXPECT_NE(with(field, "two").find(field), std::string::npos);
  }
  EXPECT_NE(with("pooling", "max").find("pooling"), std::string::npos);
  EXPECT_NE(with("heads", 3).find("heads"), std::string::npos);
  EXPECT_NE(with("window", 3).find("heads"), std::string::npos);  // no room for a word between the special tokens
  EXPECT_NE(with("dimension", 4).find("dimension"), std::string::npos);
  EXPECT_NE(with("mood", 1).find("mood"), std::string::npos);
  EXPECT_NE(with("files", {{"vocab.txt", {{"size", 1}}}}).find("sha256"), std::string::npos);
  EXPECT_NE(with("files", {{"vocab.txt", 7}}).find("vocab.txt"), std::string::npos);
}

TEST_F(ModelFiles, TheFileThatTheManifestNamesIsMapped) {
  write("a", "content");
  const auto opened = MappedFile::open(directory_, "a", naming("a", "content"));
  ASSERT_TRUE(opened) << opened.error().to_line();
  EXPECT_EQ((*opened)->bytes(), "content");
}

TEST_F(ModelFiles, AFileWithAnotherHashIsIncompatibleAndNamedWithItsRemedy) {
  write("a", "content");
  const auto error = refused("a", naming("a", "Content"));
  EXPECT_EQ(error.code, ErrorCode::kIncompatible);
  EXPECT_NE(error.message.find(path("a")), std::string::npos);
  EXPECT_EQ(error.remedy, remedy_);
}

TEST_F(ModelFiles, ATruncatedAnEmptyAndALongerFileAreIncompatible) {
  for (const char* bytes : {"conten", "", "content."}) {
    write("a", bytes);
    EXPECT_EQ(refused("a", naming("a", "content")).code, ErrorCode::kIncompatible) << bytes;
  }
  write("a", "");
  EXPECT_EQ(refused("a", naming("a", "")).code, ErrorCode::kIncompatible);  // no file of a model is empty
}

TEST_F(ModelFiles, AMissingFileIsNotFoundAndAnUnnamedOneIsAFaultOfTheManifest) {
  const auto missing = refused("a", naming("a", "content"));
  EXPECT_EQ(missing.code, ErrorCode::kNotFound);
  EXPECT_NE(missing.message.find(path("a")), std::string::npos);
  EXPECT_EQ(missing.remedy, remedy_);
  write("b", "content");
  EXPECT_EQ(refused("b", naming("a", "content")).code, ErrorCode::kDataCorrupt);
}

TEST_F(ModelFiles, AStampSparesTheHash) {
  write("a", "content");
  const ModelManifest good = naming("a", "content");
  ASSERT_TRUE(MappedFile::open(directory_, "a", good));
  const std::string stamp = testing::read_test_file(path("a.verified"));
  EXPECT_TRUE(stamp.starts_with(good.files.at("a").sha256 + " 7 ")) << stamp;
  // A stamp of a hash that the file does not have: only one that is believed lets it pass.
  const ModelManifest wrong = naming("a", "CONTENT");
  write("a.verified", wrong.files.at("a").sha256 + stamp.substr(64));
  age_stamp("a");
  EXPECT_TRUE(MappedFile::open(directory_, "a", wrong));
  EXPECT_EQ(refused("a", naming("a", "Content")).code, ErrorCode::kIncompatible);  // yet not for another manifest
}

TEST_F(ModelFiles, AStampIsNotBelievedWhenTheFileChangedThoughItsSizeDidNot) {
  const ModelManifest good = naming("a", "content");
  write("a", "content");
  ASSERT_TRUE(MappedFile::open(directory_, "a", good));
  write("a", "CONTENT");  // possibly within the same tick of the file system's clock
  EXPECT_EQ(refused("a", good).code, ErrorCode::kIncompatible);
  age_stamp("a");
  EXPECT_EQ(refused("a", good).code, ErrorCode::kIncompatible);
}

TEST_F(ModelFiles, AStampWrittenRightAfterTheFileIsNotBelieved) {
  write("a", "content");
  ASSERT_TRUE(MappedFile::open(directory_, "a", naming("a", "content")));
  const std::string stamp = testing::read_test_file(path("a.verified"));
  const ModelManifest wrong = naming("a", "CONTENT");
  write("a.verified", wrong.files.at("a").sha256 + stamp.substr(64));
  EXPECT_EQ(refused("a", wrong).code, ErrorCode::kIncompatible);
}

TEST_F(ModelFiles, AnotherFileUnderTheNameIsHashedAgain) {
  const ModelManifest good = naming("a", "content");
  write("a", "content");
  ASSERT_TRUE(MappedFile::open(directory_, "a", good));
  write("b", "CONTENT");
  std::filesystem::rename(path("b"), path("a"));
  age_stamp("a");
  EXPECT_EQ(refused("a", good).code, ErrorCode::kIncompatible);
}

TEST_F(ModelFiles, AStampThatCannotBeWrittenIsOnlySlower) {
  write("a", "content");
  std::filesystem::create_directory(path("a.verified"));  // in the way, also for root
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(MappedFile::open(directory_, "a", naming("a", "content")));
}

std::string safetensors(const std::string& header, std::size_t values) {
  std::string bytes(8, '\0'), padded = header;
  while (padded.size() % 4 != 0) padded += ' ';
  const std::uint64_t size = padded.size();
  std::memcpy(bytes.data(), &size, sizeof size);
  bytes += padded;
  for (std::size_t i = 0; i < values; ++i) {
    const auto value = std::bit_cast<std::array<char, 4>>(static_cast<float>(i));
    bytes.append(value.data(), value.size());
  }
  return bytes;
}

TEST(TensorsOfAFile, AreFoundByNameAndSize) {
  const auto bytes = safetensors(
      R"({"__metadata__":{"linear_layout":"in_out"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"n":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}})",
      3);
  const auto tensors = Tensors::parse(bytes);
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_TRUE(tensors->linear_in_out());
  const auto a = tensors->find("a", 2);
  ASSERT_TRUE(a);
  EXPECT_EQ((*a)[1], 1.0F);
  EXPECT_EQ((*tensors->find("b", 1))[0], 2.0F);
  EXPECT_EQ(tensors->find_table("a", 1, 1)->size(), 2u);  // a row more than is needed
  for (const auto& [rows, width] : {std::pair{3u, 1u}, {1u, 3u}})
    EXPECT_EQ(tensors->find_table("a", rows, width).error().code, ErrorCode::kDataCorrupt);
  for (const auto& [name, values] : {std::pair{"a", 3u}, {"a", 1u}, {"c", 1u}, {"n", 2u}}) {
    const auto missing = tensors->find(name, values);
    ASSERT_FALSE(missing) << name;
    EXPECT_EQ(missing.error().code, ErrorCode::kDataCorrupt);
    EXPECT_NE(missing.error().message.find(name), std::string::npos);
  }
}

TEST(TensorsOfAFile, OutsideOfItOrMalformedAreCorrupt) {
  const auto tensor = [](const std::string& offsets) {
    return safetensors(R"({"a":{"dtype":"F32","data_offsets":)" + offsets + "}}", 2);
  };
  ASSERT_TRUE(Tensors::parse(tensor("[0,8]")));
  for (const char* offsets :
       {"[0,12]", "[8,4]", "[1,5]", "[-4,4]", "[0]", "[0,4,8]", "{}", "7", "[0,\"8\"]", "[0.0,8.0]", "null"})
    EXPECT_EQ(Tensors::parse(tensor(offsets)).error().code, ErrorCode::kDataCorrupt) << offsets;
  for (const std::string header : {"[]", "7", "{", "", "\"a\""})
    EXPECT_EQ(Tensors::parse(safetensors(header, 0)).error().code, ErrorCode::kDataCorrupt) << header;
  EXPECT_FALSE(Tensors::parse(std::string("\2\0\0\0\0\0\0\0{}", 10)));  // what follows would not be aligned
  const auto whole = tensor("[0,8]");
  for (const std::size_t kept : {0u, 7u, 8u, 20u})
    EXPECT_EQ(Tensors::parse(std::string_view(whole).substr(0, kept)).error().code, ErrorCode::kDataCorrupt) << kept;
  EXPECT_EQ(Tensors::parse(std::string_view(whole).substr(0, whole.size() - 1)).error().code, ErrorCode::kDataCorrupt);
}

TEST(TensorsOfAFile, EntriesThatAreNoTensorsAreNotFound) {
  for (const char* entry : {"7", "null", "[]", "{}", R"({"dtype":7})"}) {
    const auto tensors = Tensors::parse(safetensors(std::string(R"({"a":)") + entry + "}", 0));
    ASSERT_TRUE(tensors) << entry;
    EXPECT_FALSE(tensors->find("a", 0)) << entry;
  }
}

TEST_F(ModelFiles, AnEncoderWithOtherWeightsIsIncompatibleWhenItIsUsed) {
  const std::string vocabulary = "[UNK]\n[CLS]\n[SEP]\n";
  Json json = manifest();
  json["files"]["vocab.txt"] = {{"size", vocabulary.size()}, {"sha256", sha256_hex(vocabulary)}};
  json["files"]["model.safetensors"] = {{"size", 7}, {"sha256", sha256_hex("content")}};
  write("manifest.json", json.dump());
  write("vocab.txt", vocabulary);
  write("model.safetensors", "CONTENT");
  const auto embedder = open_bert_embedder(directory_);
  ASSERT_TRUE(embedder) << embedder.error().to_line();
  EXPECT_EQ((*embedder)->count_tokens("one two"), 2u);  // needs no weights
  const std::string_view text = "one";
  for (int i = 0; i < 2; ++i) {
    const auto vectors = (*embedder)->embed({&text, 1}, TextRole::kQuestion, Deadline::never());
    ASSERT_FALSE(vectors);
    EXPECT_EQ(vectors.error().code, ErrorCode::kIncompatible);
    EXPECT_NE(vectors.error().message.find(path("model.safetensors")), std::string::npos);
    EXPECT_EQ(vectors.error().remedy, remedy_);
  }
}

}  // namespace
}  // namespace pandora
