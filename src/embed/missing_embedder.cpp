#include "embed/embedders.h"

namespace pandora {
namespace {

class MissingEmbedder final : public Embedder {
 public:
  MissingEmbedder(EmbedderIdentity identity, Error why, std::shared_ptr<Embedder> counts)
      : identity_(std::move(identity)), why_(std::move(why)), counts_(std::move(counts)) {}
  const EmbedderIdentity& identity() const override { return identity_; }
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view>, TextRole, const Deadline&) override {
    return fail(why_);
  }
  std::size_t count_tokens(std::string_view text) const override { return counts_->count_tokens(text); }

 private:
  const EmbedderIdentity identity_;
  const Error why_;
  const std::shared_ptr<Embedder> counts_;
};

}  // namespace

std::unique_ptr<Embedder> make_missing_embedder(EmbedderIdentity identity, Error why,
                                                std::shared_ptr<Embedder> counts) {
  return std::make_unique<MissingEmbedder>(std::move(identity), std::move(why), std::move(counts));
}

}  // namespace pandora
