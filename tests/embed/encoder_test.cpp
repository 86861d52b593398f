// The encoder with its real weights, beside vectors of ONNX Runtime (golden/, scripts/make_encoder_golden).
#include <bit>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <thread>

#include "embed/embedders.h"
#include "embed/model_files.h"
#include "embed/weights.h"

namespace pandora {
namespace {

using Vector = std::vector<float>;

// Of the cosines below, which are given to four digits. In bf16 (8 bits of mantissa) compilers and kernels differ by a
// little over a thousandth.
constexpr float kHappyToleranceF32 = 1e-3F, kHappyToleranceFastest = 2e-3F;
// With the reference's vectors, in f16: whose rounding alone costs 1e-7.
constexpr double kCosineF32 = 0.99999, kCosineFastest = 0.9995;

float dot(const Vector& a, const Vector& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return static_cast<float>(sum);
}

// IEEE 754 binary16; the golden vectors hold no infinities.
float from_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  const float value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                    : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return half & 0x8000 ? -value : value;
}

std::vector<std::string> golden_sentences() {
  std::istringstream text(testing::read_golden("sentences.txt"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::string words(std::size_t count, const std::string& word) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += word + ' ';
  return text;
}

struct ModelCase {
  std::string name, label;
  Products products;
  std::array<float, 3> happy;  // cosines that the model's publisher and every other runtime give
  std::size_t window;
};
void PrintTo(const ModelCase& one, std::ostream* out) { *out << one.label; }

class Encoder : public ::testing::TestWithParam<ModelCase> {
 protected:
  void SetUp() override {
    PANDORA_NEED_WEIGHTS(GetParam().name);
    // Packed once for all tests.
    static std::map<std::string, std::unique_ptr<Embedder>> opened;
    auto& shared = opened[GetParam().label];
    if (!shared) {
      auto made = open();
      ASSERT_TRUE(made) << made.error().to_line();
      shared = *std::move(made);
    }
    embedder_ = shared.get();
  }

  static Result<std::unique_ptr<Embedder>> open() {
    return open_bert_embedder(testing::model_directory(GetParam().name), GetParam().products);
  }

  std::vector<Vector> encode_all(const std::vector<std::string>& texts, TextRole role = TextRole::kPassage) const {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    auto vectors = embedder_->embed(views, role, Deadline::never());
    EXPECT_TRUE(vectors) << vectors.error().to_line();
    EXPECT_EQ(vectors->size(), texts.size());
    return *std::move(vectors);
  }
  Vector encode(const std::string& text) const { return encode_all({text}).at(0); }
  std::size_t room() const { return GetParam().window - 2; }

  Embedder* embedder_ = nullptr;
};

TEST_P(Encoder, SaysWhichWeightsItHas) {
  const auto manifest = read_manifest(testing::model_directory(GetParam().name));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(embedder_->identity().model, GetParam().name);
  EXPECT_EQ(embedder_->identity().revision, manifest->files.at("model.safetensors").sha256);
  EXPECT_EQ(embedder_->identity().dimension, 384u);
  EXPECT_EQ(manifest->window, GetParam().window);
}

TEST_P(Encoder, GivesTheCosinesThatEveryRuntimeGives) {
  const auto v = encode_all(
      {"That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"});
  const float tolerance = GetParam().products == Products::kF32 ? kHappyToleranceF32 : kHappyToleranceFastest;
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(dot(v[0], v[i + 1]), GetParam().happy[i], tolerance) << i;
}

TEST_P(Encoder, GivesTheVectorsOfTheReference) {
  const auto lines = golden_sentences();
  const std::string bytes = testing::read_golden(GetParam().name + ".f16");
  const std::size_t dimension = embedder_->identity().dimension;
  ASSERT_GE(lines.size(), 200u);
  ASSERT_EQ(bytes.size(), lines.size() * dimension * 2);
  const double least = GetParam().products == Products::kF32 ? kCosineF32 : kCosineFastest;
  double lowest = 1;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Vector expected(dimension);
    for (std::size_t d = 0; d < dimension; ++d) {
      const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[(i * dimension + d) * 2 + at]); };
      expected[d] = from_half(static_cast<std::uint16_t>(byte(0) | byte(1) << 8));
    }
    const Vector vector = encode(lines[i]);
    const double cosine = dot(vector, expected) / std::sqrt(static_cast<double>(dot(expected, expected)));
    EXPECT_GE(cosine, least) << lines[i].substr(0, 100);
    lowest = std::min(lowest, cosine);
    longest = std::max(longest, embedder_->count_tokens(lines[i]));
  }
  RecordProperty("lowest_cosine", std::to_string(lowest));
  EXPECT_GT(longest, room());  // so that splitting was compared too
}

TEST_P(Encoder, EveryVectorHasLengthOne) {
  for (const auto& vector : encode_all({"", "a", "?", words(3 * room(), "river"), "\xff\xfe", std::string(5000, 'x')}))
    EXPECT_NEAR(dot(vector, vector), 1, 1e-5);
}

TEST_P(Encoder, TheSameTextGivesTheSameBitsAlsoFromAnotherInstance) {
  const std::string text = "The neighbour repaired the old bicycle, which surprised everyone.";
  const Vector first = encode(text);
  (void)encode(words(room(), "something else"));  // whatever is left in the workspace
  EXPECT_EQ(encode(text), first);
  const auto other = open();
  ASSERT_TRUE(other);
  const std::string_view view = text;
  EXPECT_EQ((*other)->embed({&view, 1}, TextRole::kPassage, Deadline::never())->at(0), first);
}

TEST_P(Encoder, ABatchGivesTheBitsOfItsTextsAlone) {
  const std::vector<std::string> texts = {"short", words(40, "long"), "", "Which nuts should I avoid?",
                                          words(17, "mid")};
  const auto together = encode_all(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(together[i], encode(texts[i])) << i;
  EXPECT_TRUE(encode_all({}).empty());
}

TEST_P(Encoder, ATextOfOneWindowIsReadAtOnceAndOneMorePieceIsAWindowOfItsOwn) {
  const std::string full = words(room(), "river");
  ASSERT_EQ(embedder_->count_tokens(full), room());
  const Vector one = encode(full), rest = encode("volcano"), both = encode(full + "volcano");
  Vector expected(one.size());
  for (std::size_t d = 0; d < one.size(); ++d) expected[d] = static_cast<float>(room()) * one[d] + rest[d];
  EXPECT_NEAR(dot(both, expected) / std::sqrt(dot(expected, expected)), 1, 1e-6);
  EXPECT_NE(one, encode(words(room() - 1, "river")));
}

TEST_P(Encoder, TheLastWordsOfALongTextHaveTheirInfluence) {
  const std::string start = words(2 * room(), "river");
  const Vector plain = encode(start), ended = encode(start + words(60, "peanut allergy"));
  const Vector question = encode(std::string("peanut allergy"));
  EXPECT_GT(dot(ended, question), dot(plain, question) + 0.01F);
  EXPECT_NE(encode(start + "volcano"), encode(start + "peanut"));
}

TEST_P(Encoder, AMegabyteOfATextIsReadAndNotOneByteMore) {
  EXPECT_EQ(encode(std::string(kMaxEmbeddedBytes - 1, ' ') + "x"), encode("x"));
  EXPECT_EQ(encode(std::string(kMaxEmbeddedBytes, ' ') + "x"), encode(""));
  EXPECT_EQ(embedder_->count_tokens(std::string(kMaxEmbeddedBytes - 1, ' ') + "x"), 1u);
  EXPECT_EQ(embedder_->count_tokens(std::string(kMaxEmbeddedBytes, ' ') + "x"), 0u);
}

TEST_P(Encoder, ASpecialTokenInATextDoesNotEndIt) {
  const auto v = encode_all({"I am allergic to peanuts", "I am allergic to peanuts [SEP] the weather",
                             "I am allergic to peanuts sep the weather"});
  EXPECT_NE(v[0], v[1]);
  EXPECT_GT(dot(v[1], v[2]), 0.9F);
}

TEST_P(Encoder, AQuestionIsReadAsItsManifestSays) {
  const auto manifest = read_manifest(testing::model_directory(GetParam().name));
  ASSERT_TRUE(manifest);
  const std::string text = "Which nuts should I avoid?";
  EXPECT_EQ(encode_all({text}, TextRole::kQuestion), encode_all({manifest->question_prefix + text}));
}

TEST_P(Encoder, SeveralThreadsGetWhatOneGets) {
  constexpr std::size_t kThreads = 4, kRounds = 3;
  const std::vector<std::string> texts = {"short", words(40, "long"), "Which nuts should I avoid?", words(70, "river")};
  const auto expected = encode_all(texts);
  const auto fresh = open();  // the load is raced for, too
  ASSERT_TRUE(fresh);
  std::vector<std::vector<Vector>> got(kThreads * kRounds);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      for (std::size_t round = 0; round < kRounds; ++round)
        if (auto vectors = (*fresh)->embed(views, TextRole::kPassage, Deadline::never()))
          got[t * kRounds + round] = *std::move(vectors);
    });
  for (auto& thread : threads) thread.join();
  for (const auto& vectors : got) EXPECT_EQ(vectors, expected);
}

TEST_P(Encoder, AnExpiredDeadlineIsAnErrorAndTheNextCallWorks) {
  const ManualClock clock;
  const std::string_view text = "late";
  const auto late = embedder_->embed({&text, 1}, TextRole::kPassage, Deadline::after(clock, Duration(0)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(embedder_->embed({&text, 1}, TextRole::kPassage, Deadline::after(clock, Duration(1))));
}

constexpr std::array<float, 3> kHappyBge = {0.8533F, 0.9760F, 0.6628F}, kHappyMiniLm = {0.6946F, 0.9429F, 0.2569F};
INSTANTIATE_TEST_SUITE_P(
    Models, Encoder,
    ::testing::Values(ModelCase{"bge-small-en-v1.5", "Bge", Products::kFastest, kHappyBge, 512},
                      ModelCase{"bge-small-en-v1.5", "BgeF32", Products::kF32, kHappyBge, 512},
                      ModelCase{"all-MiniLM-L6-v2", "MiniLm", Products::kFastest, kHappyMiniLm, 256},
                      ModelCase{"all-MiniLM-L6-v2", "MiniLmF32", Products::kF32, kHappyMiniLm, 256}),
    [](const auto& each) { return each.param.label; });

TEST(HashingEmbedder, IsDeterministicNormalisedAndSeesCommonWords) {
  const auto embedder = make_hashing_embedder();
  const std::vector<std::string_view> texts = {"peanut allergy", "the allergy to peanuts", "winter garden", ""};
  const auto v = embedder->embed(texts, TextRole::kQuestion, Deadline::never());
  ASSERT_TRUE(v);
  for (const auto& vector : *v) EXPECT_NEAR(dot(vector, vector), 1, 1e-5);
  EXPECT_GT(dot((*v)[0], (*v)[1]), dot((*v)[0], (*v)[2]) + 0.2F);
  EXPECT_EQ(*embedder->embed(texts, TextRole::kPassage, Deadline::never()), *v);
  EXPECT_EQ((*v)[0].size(), embedder->identity().dimension);
}

}  // namespace
}  // namespace pandora
