#include "embed/vector_cache.h"

#include <gtest/gtest.h>

#include "support/fault_file_system.h"
#include "support/word_embedder.h"

namespace pandora {
namespace {

using testing::FaultFileSystem;
using testing::WordEmbedder;

constexpr const char* kPath = "/vectors";
using Vectors = std::vector<std::vector<float>>;

// The same words, under another name.
class OtherModel final : public Embedder {
 public:
  explicit OtherModel(EmbedderIdentity identity) : identity_(std::move(identity)) {}
  const EmbedderIdentity& identity() const override { return identity_; }
  Result<Vectors> embed(std::span<const std::string_view> texts, TextRole, const Deadline&) override {
    return Vectors(texts.size(), std::vector<float>(identity_.dimension, 1.0F));
  }
  std::size_t count_tokens(std::string_view) const override { return 1; }

 private:
  EmbedderIdentity identity_;
};

class VectorCacheTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Embedder>> open(std::size_t most = kMaxCachedVectors) {
    auto words = std::make_unique<WordEmbedder>();
    words_ = words.get();
    return open_vector_cache(files_, kPath, std::move(words), most);
  }
  // Opened, asked, closed.
  Vectors ask(const std::vector<std::string_view>& texts, TextRole role = TextRole::kPassage) {
    auto cache = open();
    EXPECT_TRUE(cache) << cache.error().to_line();
    auto vectors = (*cache)->embed(texts, role, Deadline::never());
    EXPECT_TRUE(vectors) << vectors.error().to_line();
    calls_ = words_->calls;
    return *vectors;
  }
  std::string bytes() { return *files_.read_file(kPath, 1 << 20); }
  void put(const std::string& content) { ASSERT_TRUE(files_.write_atomic(kPath, content, Durability::kNow)); }
  Vectors fresh(const std::vector<std::string_view>& texts) {
    return *WordEmbedder().embed(texts, TextRole::kPassage, Deadline::never());
  }

  FaultFileSystem files_;
  WordEmbedder* words_ = nullptr;
  int calls_ = 0;
};

TEST_F(VectorCacheTest, WhatWasEncodedOnceComesBackWithTheSameBitsAndNoCall) {
  const std::vector<std::string_view> texts = {"the cat sat", "on a mat", "", "the cat sat"};
  const Vectors first = ask(texts);
  EXPECT_EQ(first, fresh(texts));
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(ask(texts), first);
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(ask({"on a mat", "something new"}), fresh({"on a mat", "something new"}));
  EXPECT_EQ(calls_, 1);
}

TEST_F(VectorCacheTest, AQuestionIsAlwaysEncodedAndNotKept) {
  ask({"the cat"}, TextRole::kPassage);
  const std::string before = bytes();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask({"the cat"}, TextRole::kQuestion), fresh({"the cat"}));
    EXPECT_EQ(calls_, 1);
  }
  EXPECT_EQ(bytes(), before);
}

TEST_F(VectorCacheTest, AFileTornAtAnyByteLosesTheTornRecordAlone) {
  const Vectors both = ask({"the cat sat", "on a mat"});
  const std::string whole = bytes();
  const std::size_t header = whole.rfind('\n', 80) + 1, record = (whole.size() - header) / 2;
  ASSERT_EQ(header + 2 * record, whole.size());
  for (std::size_t size = header + record; size < whole.size(); ++size) {
    put(whole.substr(0, size));
    EXPECT_EQ(ask({"the cat sat"}), Vectors{both[0]});
    EXPECT_EQ(calls_, 0) << size;
    EXPECT_EQ(bytes().size(), header + record) << "the torn tail is cut";
    EXPECT_EQ(ask({"on a mat"}), Vectors{both[1]});
    EXPECT_EQ(calls_, 1) << size;
    EXPECT_EQ(bytes(), whole);
  }
}

TEST_F(VectorCacheTest, ADamagedRecordIsEncodedAgainAndThoseBehindItAreNot) {
  const Vectors both = ask({"the cat sat", "on a mat"});
  const std::string whole = bytes();
  const std::size_t header = whole.rfind('\n', 80) + 1, record = (whole.size() - header) / 2;
  for (const std::size_t at : {header, header + 33, header + record - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put(damaged);
    EXPECT_EQ(ask({"on a mat"}), Vectors{both[1]});
    EXPECT_EQ(calls_, 0);
    EXPECT_EQ(ask({"the cat sat"}), Vectors{both[0]});
    EXPECT_EQ(calls_, 1);
  }
}

TEST_F(VectorCacheTest, AnotherModelRevisionOrDimensionIsRefusedAndTheFileLeftAlone) {
  ask({"the cat sat"});
  const std::string before = bytes();
  for (const EmbedderIdentity& other :
       {EmbedderIdentity{"others", "1", 16}, EmbedderIdentity{"words", "2", 16}, EmbedderIdentity{"words", "1", 32}}) {
    const auto opened = open_vector_cache(files_, kPath, std::make_unique<OtherModel>(other));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kIncompatible);
    EXPECT_NE(opened.error().message.find("words 1 16"), std::string::npos) << opened.error().message;
  }
  EXPECT_EQ(bytes(), before);
}

TEST_F(VectorCacheTest, WhatIsNoFileOfVectorsIsRefusedAndLeftAlone) {
  for (const std::string& content :
       std::vector<std::string>{"", "# a diary\n", "pandora vectors 1\n", "pandora vectors 1\nwords 1 16 00000000\n",
                                std::string(5000, 'x')}) {
    put(content);
    const auto opened = open();
    ASSERT_FALSE(opened) << content;
    EXPECT_EQ(opened.error().code, ErrorCode::kDataCorrupt);
    EXPECT_EQ(bytes(), content);
  }
}

TEST_F(VectorCacheTest, OneProcessUsesItAtATime) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST_F(VectorCacheTest, AtItsMaximumItKeepsNoMoreAndAnswersAllTheSame) {
  {
    auto cache = open(2);
    ASSERT_TRUE(cache);
    for (const std::string_view text : {"one", "two", "three"})
      EXPECT_EQ(*(*cache)->embed({&text, 1}, TextRole::kPassage, Deadline::never()), fresh({text}));
  }
  ask({"one", "two"});
  EXPECT_EQ(calls_, 0);
  ask({"three"});
  EXPECT_EQ(calls_, 1);
}

TEST_F(VectorCacheTest, AFullDiskFailsNoCallAndLeavesAFileThatOpens) {
  ask({"one"});
  {
    auto cache = open();
    ASSERT_TRUE(cache);
    files_.limit_bytes(7);  // a part of a record
    const std::string_view text = "two", more = "three";
    EXPECT_EQ(*(*cache)->embed({&text, 1}, TextRole::kPassage, Deadline::never()), fresh({text}));
    files_.limit_bytes(std::nullopt);
    EXPECT_EQ(*(*cache)->embed({&more, 1}, TextRole::kPassage, Deadline::never()), fresh({more}));
  }
  EXPECT_EQ(ask({"one", "two", "three"}), fresh({"one", "two", "three"}));
  EXPECT_EQ(ask({"one", "two", "three"}), fresh({"one", "two", "three"}));
  EXPECT_EQ(calls_, 0);
}

TEST_F(VectorCacheTest, AnEncoderThatFailsIsHeardAndNothingIsKeptOfIt) {
  auto cache = open();
  ASSERT_TRUE(cache);
  const std::string_view text = "one";
  words_->down = true;
  EXPECT_EQ((*cache)->embed({&text, 1}, TextRole::kPassage, Deadline::never()).error().code, ErrorCode::kUnavailable);
  words_->down = false;
  EXPECT_EQ(*(*cache)->embed({&text, 1}, TextRole::kPassage, Deadline::never()), fresh({text}));
  words_->down = true;
  EXPECT_EQ(*(*cache)->embed({&text, 1}, TextRole::kPassage, Deadline::never()), fresh({text}));
}

}  // namespace
}  // namespace pandora
