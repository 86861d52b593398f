#include "fetch/charset.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace pandora {
namespace {

TEST(Charset, AMarkBeatsTheServersWordWhichBeatsThePages) {
  EXPECT_EQ(charset_of("\xEF\xBB\xBFx", "iso-8859-1", true), "UTF-8");
  EXPECT_EQ(charset_of(std::string_view("\xFF\xFEx\0", 4), "utf-8", true), "UTF-16LE");
  EXPECT_EQ(charset_of(std::string_view("\xFE\xFF\0x", 4), "utf-8", true), "UTF-16BE");
  EXPECT_EQ(charset_of("<meta charset=koi8-r>", "windows-1251", true), "CP1251");
  EXPECT_EQ(charset_of("<meta charset=koi8-r>", "", true), "KOI8-R");
  EXPECT_EQ(charset_of("<meta charset=koi8-r>", "", false), "UTF-8");
  EXPECT_EQ(charset_of("<meta charset=koi8-r>", "no-such", true), "KOI8-R");
}

TEST(Charset, ThePageSaysItInEitherWay) {
  for (const char* page : {R"(<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=Shift_JIS">)",
                           "<meta charset = 'sjis' >", "<meta name=x><meta charset=\"shift-jis\"/>"})
    EXPECT_EQ(charset_of(page, "", true), "CP932") << page;
  EXPECT_EQ(charset_of("<meta charset=utf-16>", "", true), "UTF-8");  // it could not have been read
  for (const char* page :
       {"<meta charset>", "<meta charset=>", "<meta charset=no-such>", "<meta", "charset=sjis", "<meta charset=utf-7>"})
    EXPECT_EQ(charset_of(page, "", true), "UTF-8") << page;
  const std::string late = std::string(kCharsetSearch, ' ') + "<meta charset=sjis>";
  EXPECT_EQ(charset_of(late, "", true), "UTF-8");
}

TEST(Charset, WithoutAnyWordItIsUtf8WhenItCanBe) {
  EXPECT_EQ(charset_of("caf\xC3\xA9", "", true), "UTF-8");
  EXPECT_EQ(charset_of("caf\xE9", "", true), "CP1252");
}

TEST(Charset, TextsOfManyKindsAreRead) {
  EXPECT_EQ(to_utf8("\xEF\xBB\xBF"
                    "caf\xC3\xA9",
                    "UTF-8")
                .value(),
            "café");
  EXPECT_EQ(to_utf8("caf\xE9 \x80", "CP1252").value(), "café €");
  EXPECT_EQ(to_utf8("\xCF\xF0\xE8\xE2\xE5\xF2", "CP1251").value(), "Привет");
  EXPECT_EQ(to_utf8("\x93\xFA\x96\x7B", "CP932").value(), "日本");
  EXPECT_EQ(to_utf8("\xC4\xE3\xBA\xC3", "GB18030").value(), "你好");
  EXPECT_EQ(to_utf8("\xB0\xA1", "CP949").value(), "가");
  EXPECT_EQ(to_utf8(std::string_view("\xFF\xFEh\0i\0", 6), "UTF-16LE").value(), "hi");
  EXPECT_EQ(to_utf8(std::string_view("\xFE\xFF\0h\0i", 6), "UTF-16BE").value(), "hi");
}

TEST(Charset, WhatCannotBeReadIsMarkedAndTheRestStays) {
  EXPECT_EQ(to_utf8("a\xFF"
                    "b",
                    "UTF-8")
                .value(),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(to_utf8("a\xFF\xFF"
                    "b",
                    "CP932")
                .value(),
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
  EXPECT_TRUE(to_utf8("cut \x93", "CP932").value().starts_with("cut "));
  EXPECT_FALSE(to_utf8("x", "NO-SUCH"));
}

TEST(Charset, AnyBytesInAnyCharsetBecomeValidText) {
  constexpr std::uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  for (const char* charset : {"UTF-8", "CP1252", "CP1251", "CP932", "EUC-JP", "ISO-2022-JP", "GB18030", "BIG5-HKSCS",
                              "CP949", "UTF-16LE", "UTF-16BE", "KOI8-R", "CP874"})
    for (int round = 0; round < 50; ++round) {
      std::string bytes(random.below(200), '\0');
      for (auto& byte : bytes) byte = static_cast<char>(random.below(256));
      EXPECT_TRUE(is_valid_utf8(to_utf8(bytes, charset).value())) << charset;
    }
}

}  // namespace
}  // namespace pandora
