#include "contract/embedder_contract.h"

#include <cmath>
#include <thread>

namespace pandora {
namespace {

using Vector = std::vector<float>;

class EmbedderContract : public ::testing::TestWithParam<EmbedderImplementation> {
 protected:
  void SetUp() override {
    if (!GetParam().why_not.empty()) GTEST_SKIP() << GetParam().why_not;
    setup_ = GetParam().make();
  }
  Embedder& embedder() { return setup_->embedder(); }
  std::vector<Vector> embed(const std::vector<std::string>& texts, TextRole role = TextRole::kPassage) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    return must(embedder().embed(views, role, kNever));
  }
  Vector one(const std::string& text, TextRole role = TextRole::kPassage) { return embed({text}, role).at(0); }
  static double cosine(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  }
  static std::string repeated(const std::string& text, std::size_t bytes) {
    std::string result;
    while (result.size() < bytes) result += text;
    return result;
  }

  std::unique_ptr<EmbedderSetup> setup_;
};

TEST_P(EmbedderContract, ItSaysWhoItIs) {
  const EmbedderIdentity identity = embedder().identity();
  EXPECT_FALSE(identity.model.empty());
  EXPECT_FALSE(identity.revision.empty());
  EXPECT_GT(identity.dimension, 0u);
  one("a text");
  EXPECT_EQ(embedder().identity(), identity);
}

TEST_P(EmbedderContract, EveryVectorIsOfUnitLengthAndOfItsDimension) {
  for (const TextRole role : {TextRole::kQuestion, TextRole::kPassage}) {
    const auto vectors = embed(
        {"I am allergic to peanuts.", "", " ", "!?", "Ärger 日本 😀", std::string(1, '\0'), repeated("word ", 4'000)},
        role);
    ASSERT_EQ(vectors.size(), 7u);
    for (const auto& vector : vectors) {
      EXPECT_EQ(vector.size(), embedder().identity().dimension);
      EXPECT_NEAR(cosine(vector, vector), 1, 1e-5);
    }
  }
}

TEST_P(EmbedderContract, ATextHasOneVectorAloneAndAmongOthers) {
  const std::vector<std::string> texts = {"The first.", "Quite another text, and a longer one.", "", "The first.",
                                          repeated("long ", 4'000)};
  const auto together = embed(texts);
  ASSERT_EQ(together.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(together[i], one(texts[i])) << "text " << i;
  EXPECT_EQ(together[0], together[3]);
  EXPECT_NE(together[0], together[1]);
  EXPECT_TRUE(embed({}).empty());
}

TEST_P(EmbedderContract, NearTextsHaveNearVectors) {
  const auto question = one("Which nuts am I allergic to?", TextRole::kQuestion);
  const double near = cosine(question, one("I am allergic to nuts, peanuts above all.")),
               far = cosine(question, one("The train to Vienna leaves at noon."));
  EXPECT_GT(near, far + 0.05);
}

TEST_P(EmbedderContract, BrokenUtf8IsReadAsReplacementCharacters) {
  for (const auto& [broken, repaired] :
       {std::pair{"a \xff b", "a \xef\xbf\xbd b"}, std::pair{"caf\xc3 house", "caf\xef\xbf\xbd house"},
        std::pair{"end \xe2\x82", "end \xef\xbf\xbd"}, std::pair{"\x80", "\xef\xbf\xbd"}}) {
    EXPECT_EQ(one(broken), one(repaired)) << repaired;
    EXPECT_EQ(embedder().count_tokens(broken), embedder().count_tokens(repaired)) << repaired;
  }
}

TEST_P(EmbedderContract, TheEndOfALongTextCounts) {
  const std::string beginning = repeated("Nothing happened on this day. ", 4'000);
  EXPECT_NE(one(beginning + "The dragon came at night."), one(beginning + "It rained a little in the evening."));
}

TEST_P(EmbedderContract, PastItsBoundATextIsNotRead) {
  // The bound is too long to encode in a test of seconds; the tokenizer has the same one.
  const std::string longest = repeated("word ", kMaxEmbeddedBytes).substr(0, kMaxEmbeddedBytes);
  EXPECT_EQ(embedder().count_tokens(longest + " and another word"), embedder().count_tokens(longest));
  EXPECT_LT(embedder().count_tokens(longest.substr(0, kMaxEmbeddedBytes - 100)), embedder().count_tokens(longest));
}

TEST_P(EmbedderContract, TextsOfOneCallHaveABound) {
  std::vector<std::string_view> texts(kMaxEmbeddedTexts, "");
  EXPECT_TRUE(!GetParam().quick ||
              must(embedder().embed(texts, TextRole::kPassage, kNever)).size() == kMaxEmbeddedTexts);
  texts.push_back("");
  EXPECT_FAILS(kTooLarge, embedder().embed(texts, TextRole::kPassage, kNever));
}

TEST_P(EmbedderContract, TokensAreCounted) {
  EXPECT_EQ(embedder().count_tokens(""), 0u);
  const std::size_t one_word = embedder().count_tokens("peanuts"),
                    five = embedder().count_tokens("allergic people never eat peanuts");
  EXPECT_GT(one_word, 0u);
  EXPECT_GT(five, one_word);
  EXPECT_GT(embedder().count_tokens(repeated("peanuts ", 80'000)), 1'000u) << "the window is no bound";
}

TEST_P(EmbedderContract, AfterADeadlineThereIsNoVector) {
  const std::string_view text = "a text";
  EXPECT_FAILS(kDeadlineExceeded, embedder().embed({&text, 1}, TextRole::kPassage, past()));
}

TEST_P(EmbedderContract, ManyThreadsGetWhatOneGets) {
  constexpr int kThreads = 4;
  std::vector<std::string> texts;
  for (int i = 0; i < 5; ++i)
    texts.push_back(repeated("Text number " + std::to_string(i) + ". ", static_cast<std::size_t>(40 * i + 1)));
  const auto expected = embed(texts);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string_view text = texts[i];
        const auto vectors = embedder().embed({&text, 1}, TextRole::kPassage, kNever);
        if (!vectors || vectors->at(0) != expected[i]) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Embedders, EmbedderContract, ::testing::ValuesIn(embedder_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
