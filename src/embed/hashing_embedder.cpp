#include <algorithm>
#include <cmath>

#include "domain/analyzer.h"
#include "embed/embedders.h"

namespace pandora {
namespace {

constexpr std::size_t kDimension = 384;
constexpr float kWordWeight = 1.0F, kTrigramWeight = 0.3F;

class HashingEmbedder final : public Embedder {
 public:
  const EmbedderIdentity& identity() const override { return identity_; }

  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole,
                                                const Deadline& deadline) override {
    if (texts.size() > kMaxEmbeddedTexts) return fail(ErrorCode::kTooLarge, "too many texts at once");
    PANDORA_CHECK(deadline.check("encoding"));
    std::vector<std::vector<float>> vectors;
    for (const std::string_view text : texts) {
      PANDORA_CHECK(deadline.check("encoding"));
      vectors.push_back(one(text.substr(0, kMaxEmbeddedBytes)));
    }
    return vectors;
  }

  std::size_t count_tokens(std::string_view text) const override {
    return (std::min(text.size(), kMaxEmbeddedBytes) + 3) / 4;
  }

 private:
  // Every feature adds its weight, with a sign, to one dimension (Weinberger et al. 2009).
  static void add(std::vector<float>& vector, std::string_view feature, float weight) {
    const std::uint32_t hash = term_id(feature);
    vector[hash % kDimension] += hash & 0x8000'0000u ? weight : -weight;
  }
  static std::vector<float> one(std::string_view text) {
    std::vector<float> vector(kDimension);
    vector[0] = 1e-3F;  // the empty text has a direction too
    for (const Term& term : analyze(text)) {
      add(vector, term.text, kWordWeight);
      for (std::size_t i = 0; i + 3 <= term.text.size(); ++i) add(vector, term.text.substr(i, 3), kTrigramWeight);
    }
    float squares = 0;
    for (const float value : vector) squares += value * value;
    for (float& value : vector) value /= std::sqrt(squares);
    return vector;
  }
  EmbedderIdentity identity_{"hashing", "1", kDimension};
};

}  // namespace

std::unique_ptr<Embedder> make_hashing_embedder() { return std::make_unique<HashingEmbedder>(); }

}  // namespace pandora
