#include "metrics/measured_embedder.h"

namespace pandora {
namespace {

class MeasuredEmbedder final : public Embedder {
 public:
  MeasuredEmbedder(std::shared_ptr<Embedder> inner, Metrics& metrics, const Clock& clock)
      : inner_(std::move(inner)), metrics_(metrics), clock_(clock) {}
  const EmbedderIdentity& identity() const override { return inner_->identity(); }
  std::size_t count_tokens(std::string_view text) const override { return inner_->count_tokens(text); }
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override {
    const SteadyTime begun = clock_.steady();
    auto vectors = inner_->embed(texts, role, deadline);
    const char* name = role == TextRole::kQuestion ? "question" : "passage";
    if (vectors)
      metrics_.encoded(name, texts.size(), std::chrono::duration_cast<Duration>(clock_.steady() - begun));
    else
      metrics_.encoder_failed(name);
    return vectors;
  }

 private:
  const std::shared_ptr<Embedder> inner_;
  Metrics& metrics_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Embedder> measured(std::shared_ptr<Embedder> embedder, Metrics& metrics, const Clock& clock) {
  return std::make_unique<MeasuredEmbedder>(std::move(embedder), metrics, clock);
}

}  // namespace pandora
