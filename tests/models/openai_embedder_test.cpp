#include "models/openai_embedder.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "support/http_routes.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

using ::testing::HasSubstr;
using namespace testing;  // our doubles
using Writer = std::shared_ptr<ResponseWriter>;

// Embeds a text as (its bytes, how many 'a' it holds, 1), and answers in reverse order.
class OpenAiEmbedderTest : public ::testing::Test {
 protected:
  OpenAiEmbedderTest() {
    routes_.on(
        "/v1/embeddings",
        [this](const HttpRequest& request, const Writer& writer) {
          if (!override_.empty()) return writer->respond({200, {}, override_});
          const Json json = Json::parse(request.body);
          requests_.push_back(json);
          Json data = Json::array();
          for (std::size_t i = json["input"].size(); i-- > 0;) {
            const std::string text = json["input"][i].get<std::string>();
            EXPECT_TRUE(is_valid_utf8(text));
            data.push_back(
                {{"index", i},
                 {"embedding",
                  {static_cast<double>(text.size()), static_cast<double>(std::ranges::count(text, 'a')), 1.0}}});
          }
          writer->respond({200, {{"Content-Type", "application/json"}}, dump_json({{"data", data}})});
        },
        RunOn::kLoop, 8 << 20);
    server_ = *HttpServer::listen({}, threads_, routes_, random_);
    client_ = *HttpClient::create({}, threads_);
  }
  Result<std::unique_ptr<Embedder>> open(std::string model = "m") {
    return open_http_embedder({{server_->url() + "/v1", std::move(model), "key"}, "query: ", "", {}}, *client_, clock_,
                              Deadline::never());
  }
  SystemClock clock_;
  SeededRandom random_{2};
  IoThreads threads_{clock_};
  Routes routes_;
  std::vector<Json> requests_;
  std::string override_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

std::vector<float> unit(double x, double y, double z) {
  const double length = std::sqrt(x * x + y * y + z * z);
  return {static_cast<float>(x / length), static_cast<float>(y / length), static_cast<float>(z / length)};
}
void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6);
}

TEST_F(OpenAiEmbedderTest, GivesAUnitVectorForEachTextInOrder) {
  const auto embedder = open();
  ASSERT_TRUE(embedder) << embedder.error().to_line();
  EXPECT_EQ((*embedder)->identity(), (EmbedderIdentity{"m", "m", 3}));
  const std::vector<std::string_view> texts = {"banana", "", "xyz"};
  const auto vectors = (*embedder)->embed(texts, TextRole::kPassage, Deadline::never());
  ASSERT_TRUE(vectors) << vectors.error().to_line();
  expect_near(vectors->at(0), unit(6, 3, 1));
  expect_near(vectors->at(1), unit(1, 0, 1));  // a blank stands for the empty text
  expect_near(vectors->at(2), unit(3, 0, 1));
  const auto question = (*embedder)->embed(std::span(texts).first(1), TextRole::kQuestion, Deadline::never());
  expect_near(question->at(0), unit(13, 3, 1));
  EXPECT_EQ((*embedder)->count_tokens("12345"), 2u);
  EXPECT_TRUE((*embedder)->embed({}, TextRole::kPassage, Deadline::never())->empty());
}

TEST_F(OpenAiEmbedderTest, SendsBatchesAndCutsNoTextSilently) {
  const auto embedder = open();
  ASSERT_TRUE(embedder);
  std::string lengthy;
  while (lengthy.size() < 5000) lengthy += "caf\xC3\xA9 banana ";
  std::vector<std::string_view> texts(kEmbeddingBatch, "x");
  texts.push_back(lengthy);
  requests_.clear();
  const auto vectors = (*embedder)->embed(texts, TextRole::kPassage, Deadline::never());
  ASSERT_TRUE(vectors) << vectors.error().to_line();
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_EQ(requests_[0]["input"].size(), kEmbeddingBatch);
  std::string together;
  for (const auto& piece : requests_[1]["input"]) {
    together += piece.get<std::string>();
    EXPECT_LE(piece.get<std::string>().size(), kEmbeddingWindowBytes);
  }
  EXPECT_EQ(together, lengthy);
  double length = 0;
  for (const float value : vectors->back()) length += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(length, 1, 1e-5);
}

TEST_F(OpenAiEmbedderTest, SaysWhatIsWrongWithAnAnswer) {
  const auto embedder = open();
  ASSERT_TRUE(embedder);
  const std::string_view text = "x";
  for (const char* answer : {"no json", "{}", R"({"data":[]})", R"({"data":[{"embedding":"AAAA"}]})",
                             R"({"data":[{"embedding":[1,"2",3]}]})", R"({"data":[{"embedding":[]}]})",
                             R"({"data":[{"embedding":[0,0,0]}]})", R"({"data":[{"index":1,"embedding":[1,2,3]}]})",
                             R"({"data":[{"embedding":[1,2,3]},{"embedding":[1,2,3]}]})"}) {
    override_ = answer;
    const auto vectors = (*embedder)->embed({&text, 1}, TextRole::kPassage, Deadline::never());
    ASSERT_FALSE(vectors) << answer;
    EXPECT_EQ(vectors.error().code, ErrorCode::kUnavailable) << answer;
  }
  override_ = R"({"data":[{"embedding":[1,2,3,4]}]})";
  EXPECT_EQ((*embedder)->embed({&text, 1}, TextRole::kPassage, Deadline::never()).error().code,
            ErrorCode::kIncompatible);
  EXPECT_EQ(open("").error().code, ErrorCode::kInvalidArgument);
  server_.reset();
  EXPECT_EQ((*embedder)->embed({&text, 1}, TextRole::kPassage, Deadline::never()).error().code,
            ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace pandora
