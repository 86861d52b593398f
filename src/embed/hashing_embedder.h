// An encoder without weights: words and their three-byte grams hashed into a vector. For tests and crash drivers only:
// it knows letters, not meaning, so its ranking is far below the model's. Deterministic on every machine; thread-safe.
#pragma once
#include "ports/embedder.h"

namespace pandora {

class HashingEmbedder final : public Embedder {
 public:
  static constexpr std::size_t kDimension = 384;
  const EmbedderIdentity& identity() const override { return identity_; }
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override;
  std::size_t count_tokens(std::string_view text) const override;  // words

 private:
  EmbedderIdentity identity_{"hashing-test-only", "1", kDimension};
};

}  // namespace pandora
