// The tokenizer beside the reference's results in golden/ (scripts/make_encoder_golden), and what we do differently.
#include <charconv>

#include "embed/weights.h"
#include "embed/wordpiece_tokenizer.h"

namespace pandora {
namespace {

constexpr char32_t kLastCodePoint = 0x10FFFF;
constexpr char32_t kBlock = 4096;

std::string utf8(char32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  std::string bytes;
  const auto tail = [&](int shift) { bytes += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x800) return bytes += static_cast<char>(0xC0 | (c >> 6)), tail(0), bytes;
  if (c < 0x10000) return bytes += static_cast<char>(0xE0 | (c >> 12)), tail(6), tail(0), bytes;
  return bytes += static_cast<char>(0xF0 | (c >> 18)), tail(12), tail(6), tail(0), bytes;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(by);
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

template <class T>
T number(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  EXPECT_TRUE(error == std::errc() && end == text.data() + text.size()) << text;
  return value;
}

std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (text.substr(i + 1, 1) == "\\") {
      bytes += text[++i];
    } else {
      bytes += static_cast<char>(number<unsigned char>(text.substr(i + 2, 2), 16));
      i += 3;
    }
  }
  return bytes;
}

// A vocabulary of our own for what needs no reference.
WordpieceTokenizer small_tokenizer() {
  auto tokenizer =
      WordpieceTokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[\n]\nsep\nun\n##do\n##ne\nword\n##s\n");
  EXPECT_TRUE(tokenizer);
  return *std::move(tokenizer);
}
constexpr std::int32_t kUnknown = 1, kOpen = 5, kClose = 6, kSep = 7, kUn = 8, kDo = 9, kNe = 10, kWord = 11, kS = 12;
using Ids = std::vector<std::int32_t>;

class Tokenizer : public ::testing::Test {
 protected:
  void SetUp() override {
    PANDORA_NEED_WEIGHTS("bge-small-en-v1.5");
    auto made = WordpieceTokenizer::from_vocabulary(
        testing::read_test_file(testing::model_directory("bge-small-en-v1.5") + "/vocab.txt"));
    ASSERT_TRUE(made) << made.error().message;
    tokenizer_ = std::make_unique<WordpieceTokenizer>(*std::move(made));
  }
  Ids ids(std::string_view text) const { return tokenizer_->tokenize(text); }
  std::unique_ptr<WordpieceTokenizer> tokenizer_;
};

TEST_F(Tokenizer, GivesTheReferencesIdsForEveryGoldenString) {
  const std::string golden = testing::read_golden("tokenizer.tsv");
  std::size_t strings = 0;
  for (const auto line : split(golden, '\n')) {
    const auto tab = line.rfind('\t');
    ASSERT_NE(tab, std::string_view::npos) << line;
    Ids expected;
    for (const auto id : split(line.substr(tab + 1), ' ')) expected.push_back(number<std::int32_t>(id, 10));
    EXPECT_EQ(ids(unescape(line.substr(0, tab))), expected) << line;
    ++strings;
  }
  EXPECT_GE(strings, 2000u);
}

// Every code point of Unicode between two letters; those left out are newer than the tables of the reference, which
// keeps marks and punctuation that it does not know.
TEST_F(Tokenizer, ReadsEveryCodePointAsTheReferenceDoes) {
  const std::string golden = testing::read_golden("code_points.txt");
  const auto lines = split(golden, '\n');
  std::vector<bool> newer(kLastCodePoint + 1);
  std::size_t left_out = 0;
  for (const auto range : split(lines.at(0).substr(6), ' ')) {
    const auto dash = range.find('-');
    const auto first = number<std::uint32_t>(range.substr(0, dash), 16);
    const auto last = dash == std::string_view::npos ? first : number<std::uint32_t>(range.substr(dash + 1), 16);
    for (auto c = first; c <= last; ++c, ++left_out) newer.at(c) = true;
  }
  EXPECT_LT(left_out, 600u);
  ASSERT_EQ(lines.size(), 1 + (kLastCodePoint + 1) / kBlock);
  for (std::size_t block = 0; block + 1 < lines.size(); ++block) {
    const auto first = static_cast<char32_t>(block * kBlock);
    std::uint64_t hash = 0xCBF29CE484222325;
    const auto add = [&](std::uint32_t value) {
      for (const auto byte : {value & 255, value >> 8}) hash = (hash ^ byte) * 0x100000001B3;
    };
    for (char32_t c = first; c < first + kBlock; ++c) {
      if (newer[c] || (c >= 0xD800 && c < 0xE000)) continue;
      for (const auto id : ids("x" + utf8(c) + "a")) add(static_cast<std::uint32_t>(id));
      add(0xFFFF);
    }
    const auto line = lines[block + 1];
    ASSERT_EQ(number<std::uint32_t>(line.substr(0, line.find(' ')), 16), first);
    EXPECT_EQ(number<std::uint64_t>(line.substr(line.find(' ') + 1), 16), hash) << "block " << line;
  }
}

TEST_F(Tokenizer, ALiteralSpecialTokenIsPlainText) {
  for (const char* name : {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"}) {
    const auto found = ids(std::string("a ") + name + " b");
    const auto inner = ids(std::string(name).substr(1, std::string(name).size() - 2));
    Ids expected = ids("a [");
    expected.insert(expected.end(), inner.begin(), inner.end());
    for (const auto id : ids("] b")) expected.push_back(id);
    EXPECT_EQ(found, expected) << name;
    for (const auto id : found) {
      EXPECT_NE(id, tokenizer_->cls()) << name;
      EXPECT_NE(id, tokenizer_->sep()) << name;
    }
  }
}

TEST_F(Tokenizer, TenMegabytesGiveAsManyPiecesAsTheirParts) {
  constexpr std::size_t kRepeats = 200'000;
  const std::string part = "Unbelievable, 42 words: naïve 漢字! ";  // 38 bytes
  std::string text;
  while (text.size() < 10'000'000) text += part;
  const auto once = ids(part), all = ids(text);
  ASSERT_GE(text.size() / part.size(), kRepeats);
  ASSERT_EQ(all.size(), once.size() * (text.size() / part.size()));
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], once[i % once.size()]) << i;
}

TEST_F(Tokenizer, TenMegabytesWithoutASpaceAreOneUnknownPiece) {
  EXPECT_EQ(ids(std::string(10'000'000, 'a')), ids(std::string(101, 'a')));
  EXPECT_EQ(ids(std::string(10'000'000, 'a')).size(), 1u);
  std::string marks = "e";
  while (marks.size() < 10'000'000) marks += "\u0301";
  EXPECT_EQ(ids(marks), ids("e"));
}

TEST(SmallVocabulary, TheLongestPieceIsTakenFirst) {
  EXPECT_EQ(small_tokenizer().tokenize("undone words"), (Ids{kUn, kDo, kNe, kWord, kS}));
}

TEST(SmallVocabulary, AWordWithARestThatIsNoPieceIsUnknownAsAWhole) {
  EXPECT_EQ(small_tokenizer().tokenize("undoing word"), (Ids{kUnknown, kWord}));
}

TEST(SmallVocabulary, AContinuationIsNoWordAndAWordIsNoContinuation) {
  EXPECT_EQ(small_tokenizer().tokenize("do wordword"), (Ids{kUnknown, kUnknown}));
}

TEST(SmallVocabulary, ALiteralSeparatorIsItsBracketsAndItsLetters) {
  EXPECT_EQ(small_tokenizer().tokenize("[SEP]"), (Ids{kOpen, kSep, kClose}));
}

TEST(SmallVocabulary, AWordOfAHundredCharactersIsReadAndOneMoreIsUnknown) {
  auto tokenizer = WordpieceTokenizer::from_vocabulary("[UNK]\n[CLS]\n[SEP]\na\n##a\n");
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->tokenize(std::string(100, 'a')).size(), 100u);
  EXPECT_EQ(tokenizer->tokenize(std::string(101, 'a')), Ids{0});
}

TEST(SmallVocabulary, NothingButSpaceHasNoPiece) {
  for (const char* text : {"", " ", "\n\t \r\n", "\u00a0\u2003\u3000", "\u200b\ufeff", "\xff\xfe"})
    EXPECT_TRUE(small_tokenizer().tokenize(text).empty());
}

// Emoji newer than the tables here are one unknown piece, as the reference reads them, not nothing.
TEST(SmallVocabulary, ACharacterThatUnicodeHasNotAssignedIsUnknownAndNotDropped) {
  EXPECT_EQ(small_tokenizer().tokenize("\u0378"), Ids{kUnknown});
  EXPECT_EQ(small_tokenizer().tokenize("word\U0001FFFD word"), (Ids{kUnknown, kWord}));
}

TEST(SmallVocabulary, WithoutItsSpecialTokensItIsRefused) {
  for (const char* name : {"[CLS]", "[SEP]", "[UNK]"}) {
    std::string vocabulary;
    for (const std::string each : {"[CLS]", "[SEP]", "[UNK]"})
      if (each != name) vocabulary += each + "\n";
    const auto tokenizer = WordpieceTokenizer::from_vocabulary(vocabulary);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code, ErrorCode::kDataCorrupt);
    EXPECT_NE(tokenizer.error().message.find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace pandora
