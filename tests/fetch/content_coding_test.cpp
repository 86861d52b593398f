#include "fetch/content_coding.h"

#include <gtest/gtest.h>

#include "fetch/packing.h"

namespace pandora {
namespace {

using testing::pack;

TEST(ContentCoding, WhatWasPackedComesOutWhateverTheFrame) {
  const std::string text = "peanuts " + std::string(100'000, 'p');
  EXPECT_EQ(unpack("gzip", pack(text), 1 << 20)->bytes, text);
  EXPECT_EQ(unpack(" X-GZip ", pack(text), 1 << 20)->bytes, text);
  EXPECT_EQ(unpack("deflate", pack(text, testing::kZlib), 1 << 20)->bytes, text);
  EXPECT_EQ(unpack("deflate", pack(text, testing::kRawDeflate), 1 << 20)->bytes, text);
  for (const char* none : {"", "identity", "Identity"}) EXPECT_EQ(unpack(none, text, 1 << 20)->bytes, text);
  EXPECT_FALSE(unpack("gzip", pack(text), 1 << 20)->cut);
}

TEST(ContentCoding, ASmallBodyDoesNotFillTheMemory) {
  const std::string bomb = pack(std::string(64 << 20, '\0'));
  EXPECT_LT(bomb.size(), 100'000u);
  const auto unpacked = unpack("gzip", bomb, 1000);
  EXPECT_EQ(unpacked->bytes.size(), 1000u);
  EXPECT_TRUE(unpacked->cut);
}

TEST(ContentCoding, ItsMaximumIsReachedAndNotPassed) {
  const std::string text(5000, 'x');
  for (const char* coding : {"gzip", ""}) {
    const std::string body = *coding ? pack(text) : text;
    EXPECT_FALSE(unpack(coding, body, 5000)->cut);
    EXPECT_TRUE(unpack(coding, body, 4999)->cut);
    EXPECT_EQ(unpack(coding, body, 4999)->bytes.size(), 4999u);
  }
}

TEST(ContentCoding, WhatBreaksOffIsGivenAsFarAsItCame) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919);
  const std::string packed = pack(text);
  const auto half = unpack("gzip", packed.substr(0, packed.size() / 2), 1 << 20);
  ASSERT_TRUE(half);
  EXPECT_TRUE(half->cut);
  EXPECT_GT(half->bytes.size(), 1000u);
  EXPECT_TRUE(text.starts_with(half->bytes));
  EXPECT_TRUE(unpack("gzip", "", 10)->cut);
}

TEST(ContentCoding, WhatIsNotPackedSoIsAnError) {
  EXPECT_EQ(unpack("gzip", "<html>", 100).error().code, ErrorCode::kDataCorrupt);
  EXPECT_EQ(unpack("deflate", "\xFF\xFF\xFF\xFF", 100).error().code, ErrorCode::kDataCorrupt);
  std::string damaged = pack(std::string(1000, 'x') + "the end");
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // its checksum
  EXPECT_EQ(unpack("gzip", damaged, 10'000).error().code, ErrorCode::kDataCorrupt);
  for (const char* other : {"br", "zstd", "compress", "gzip, gzip", "gzip,br", "*"})
    EXPECT_EQ(unpack(other, "x", 100).error().code, ErrorCode::kInvalidArgument) << other;
}

}  // namespace
}  // namespace pandora
