// An encoder of few dimensions for tests: texts with common words are near. Fails when told.
#pragma once
#include <atomic>
#include <functional>

#include "domain/analyzer.h"
#include "domain/sparse_weights.h"
#include "ports/embedder.h"

namespace pandora::testing {

class WordEmbedder final : public Embedder {
 public:
  explicit WordEmbedder(EmbedderIdentity identity = {"words", "1", 16}) : identity_(std::move(identity)) {}
  const EmbedderIdentity& identity() const override { return identity_; }
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole,
                                                const Deadline& deadline) override {
    ++calls;
    hangs.wait(true);
    if (meanwhile) meanwhile();
    if (down) return fail(ErrorCode::kUnavailable, "the encoder is away");
    if (texts.size() > kMaxEmbeddedTexts) return fail(ErrorCode::kTooLarge, "too many texts at once");
    PANDORA_CHECK(deadline.check("encoding"));
    std::vector<std::vector<float>> vectors;
    for (const auto text : texts) {
      std::vector<float> own(identity_.dimension, 0.01F);
      for (const auto& term : analyze(text.substr(0, kMaxEmbeddedBytes))) own[term_id(term.text) % own.size()] += 1;
      const WindowVector alone{0, own};
      vectors.push_back(windowed_vector({&alone, 1}));
    }
    return vectors;
  }
  std::size_t count_tokens(std::string_view text) const override {
    return analyze(text.substr(0, kMaxEmbeddedBytes)).size();
  }
  std::atomic<bool> down = false;
  std::atomic<bool> hangs = false;  // until it is set to false and notified
  std::atomic<int> calls = 0;
  std::function<void()> meanwhile;  // what happens during each call; set while nobody embeds

 private:
  const EmbedderIdentity identity_;
};

}  // namespace pandora::testing
