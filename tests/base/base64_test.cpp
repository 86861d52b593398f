#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pandora {
namespace {

// RFC 4648, section 10.
TEST(Base64, TheExamplesOfTheStandard) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : examples) {
    EXPECT_EQ(base64_encode(plain), coded);
    EXPECT_EQ(base64_decode(coded).value(), plain);
  }
}

TEST(Base64, AnyBytesComeBackAndAnyOtherSpellingOfThemIsRefused) {
  constexpr std::uint64_t kSeed = 20261125;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random.below(40), '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random.below(256));
    std::string coded = base64_encode(bytes);
    EXPECT_EQ(base64_decode(coded).value(), bytes);
    if (coded.empty()) continue;
    coded[random.below(coded.size())] = static_cast<char>(random.below(256));
    if (const auto other = base64_decode(coded)) {
      EXPECT_EQ(base64_encode(*other), coded);  // another value, never a second spelling of one
    }
  }
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"A", "AB", "ABC", "A===", "====", "=AAA", "A=AA", "AA=A", "Zg==Zg==", "Zg= =", "Zm9\n",
                           "Zm9v ", "Zm-_", "Zh==", "Zm9=", "Zg==\n",
                           "\xC3\xA9"
                           "AA"}) {
    const auto decoded = base64_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace pandora
