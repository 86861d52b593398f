#include "domain/analyzer.h"

#include <set>

#include <gmock/gmock.h>

namespace pandora {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> terms(std::string_view text) {
  std::vector<std::string> result;
  for (auto& term : analyze(text)) result.push_back(std::move(term.text));
  return result;
}

TEST(Analyzer, WordsAreLowerCaseWithoutMarksStemmedAndWithoutStopWords) {
  EXPECT_THAT(terms("The Cats were running to the Cafés"), ElementsAre("cat", "run", "cafe"));
  EXPECT_THAT(terms("cafe\u0301 CAFÉ"), ElementsAre("cafe", "cafe"));  // composed or not
  EXPECT_THAT(terms("Straße ŁÓDŹ Ελλάδα"), ElementsAre("strass", "łodz", "ελλαδα"));
}

TEST(Analyzer, AnApostropheEndsAWord) {
  EXPECT_THAT(terms("I'd seen Mel's dog, it isn't Tom’s and we don't mind"),
              ElementsAre("seen", "mel", "dog", "tom", "mind"));
  EXPECT_THAT(terms("O'Brien 'quoted'"), ElementsAre("o", "brien", "quot"));
}

TEST(Analyzer, NumbersAreKeptWhole) {
  EXPECT_THAT(terms("3.14 on 2026-01-05 at 10:30, 50%."), ElementsAre("3.14", "2026-01-05", "10:30", "50"));
  EXPECT_THAT(terms("2023. 7-"), ElementsAre("2023", "7"));
}

TEST(Analyzer, IdentifiersAreKeptWholeAndByTheirParts) {
  EXPECT_THAT(terms("read_file"), ElementsAre("read_file", "read", "file"));
  EXPECT_THAT(terms("readFile"), ElementsAre("readfile", "read", "file"));
  EXPECT_THAT(terms("__init__"), ElementsAre("init"));
  EXPECT_THAT(terms("C++ and C# or C"), ElementsAre("c++", "c#", "c"));
  EXPECT_THAT(terms("___"), IsEmpty());
}

TEST(Analyzer, ChineseAndJapaneseAreCutIntoBigrams) {
  EXPECT_THAT(terms("日本語"), ElementsAre("日本", "本語"));
  EXPECT_THAT(terms("猫"), ElementsAre("猫"));
  EXPECT_THAT(terms("ABC社の新製品"), ElementsAre("abc", "社の", "の新", "新製", "製品"));
}

TEST(Analyzer, EmojiAndPunctuationSeparate) {
  EXPECT_THAT(terms("pizza🍕party — yes!"), ElementsAre("pizza", "parti", "yes"));
  EXPECT_THAT(terms("🙂 … !!"), IsEmpty());
  EXPECT_THAT(terms(""), IsEmpty());
}

TEST(Analyzer, BrokenUtf8SeparatesWords) {
  EXPECT_THAT(terms("alpha\xFF"
                    "beta\xC3 gamma\xE2\x82"),
              ElementsAre("alpha", "beta", "gamma"));
  EXPECT_THAT(terms(std::string_view("one\0two", 7)), ElementsAre("one", "two"));
  EXPECT_THAT(terms("\x80\x80\xED\xA0\x80"), IsEmpty());  // continuation bytes, a surrogate
}

TEST(Analyzer, TheWrittenFormIsAViewOfTheInput) {
  const std::string text = "Two CAFÉS, read_file";
  for (const Term& term : analyze(text)) {
    EXPECT_GE(term.written.data(), text.data());
    EXPECT_LE(term.written.data() + term.written.size(), text.data() + text.size());
  }
  EXPECT_EQ(analyze(text)[1].written, "CAFÉS");
}

TEST(Analyzer, ALongRunIsCutAtTheLimitAndAtACodePoint) {
  EXPECT_EQ(terms(std::string(kMaxTermBytes, '7'))[0].size(), kMaxTermBytes);
  EXPECT_EQ(terms(std::string(kMaxTermBytes + 1, '7'))[0].size(), kMaxTermBytes);
  std::string cyrillic = "x";
  for (int i = 0; i < 100; ++i) cyrillic += "ж";
  EXPECT_EQ(terms(cyrillic)[0].size(), kMaxTermBytes - 1);
}

TEST(Analyzer, KeepsEveryWordAsItIsWhenAsked) {
  std::vector<std::string> all;
  for (auto& term : analyze("I do not like Cats", StopWords::kKept)) all.push_back(std::move(term.text));
  EXPECT_THAT(all, ElementsAre("i", "do", "not", "like", "cats"));
}

TEST(Analyzer, AMegabyteOfAnythingIsReadThrough) {
  constexpr std::size_t kMegabyte = 1'000'000;
  for (const std::string_view unit : {"a", "a_", "1.", "'", "日", "\xFF", "word ", "aB", "e\u0301", "_"}) {
    std::string text;
    while (text.size() < kMegabyte) text += unit;
    for (const Term& term : analyze(text)) ASSERT_LE(term.text.size(), kMaxTermBytes);
  }
}

TEST(Analyzer, TermIdsAreFnv1a) {
  EXPECT_EQ(term_id(""), 2'166'136'261U);
  EXPECT_EQ(term_id("a"), 0xE40C292CU);  // Fowler, Noll, Vo: published test vectors
  EXPECT_EQ(term_id("foobar"), 0xBF9CF968U);
}

TEST(Analyzer, StopWordsAreWords) {
  EXPECT_TRUE(is_stop_word("the"));
  EXPECT_TRUE(is_stop_word("a"));
  EXPECT_TRUE(is_stop_word("yours"));
  EXPECT_FALSE(is_stop_word("museum"));
  EXPECT_FALSE(is_stop_word(""));
}

}  // namespace
}  // namespace pandora
