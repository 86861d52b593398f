// The implementations of Embedder that the suite runs on: one more is one more line below.
#include <cstdlib>

#include "contract/embedder_contract.h"
#include "embed/embedders.h"
#include "embed/vector_cache.h"
#include "metrics/measured_embedder.h"
#include "support/fault_file_system.h"
#include "support/word_embedder.h"

namespace pandora {
namespace {

class OwnedSetup final : public EmbedderSetup {
 public:
  explicit OwnedSetup(std::unique_ptr<Embedder> embedder) : embedder_(std::move(embedder)) {}
  Embedder& embedder() override { return *embedder_; }

 private:
  std::unique_ptr<Embedder> embedder_;
};

class CachedSetup final : public EmbedderSetup {
 public:
  Embedder& embedder() override { return *embedder_; }

 private:
  testing::FaultFileSystem files_;
  std::unique_ptr<Embedder> embedder_ = must(open_vector_cache(files_, "/vectors", make_hashing_embedder()));
};

class MeasuredSetup final : public EmbedderSetup {
 public:
  Embedder& embedder() override { return *embedder_; }

 private:
  const SystemClock clock_;
  Metrics metrics_{"test"};
  std::unique_ptr<Embedder> embedder_ = measured(make_hashing_embedder(), metrics_, clock_);
};

// As scripts/fetch_weights puts them.
std::string weights() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::string cache = variable("PANDORA_CACHE");
  if (cache.empty()) {
    const std::string base = variable("XDG_CACHE_HOME");
    cache = (base.empty() ? variable("HOME") + "/.cache" : base) + "/pandora";
  }
  return cache + "/models/bge-small-en-v1.5";
}

}  // namespace

std::vector<EmbedderImplementation> embedder_implementations() {
  std::string no_weights;
  if (const auto found = open_bert_embedder(weights()); !found && found.error().code == ErrorCode::kNotFound)
    no_weights = found.error().to_line();
  return {
      {{"Hashing", [] { return std::make_unique<OwnedSetup>(make_hashing_embedder()); }}, ""},
      {{"Cached", [] { return std::make_unique<CachedSetup>(); }}, ""},
      {{"Measured", [] { return std::make_unique<MeasuredSetup>(); }}, ""},
      {{"Words", [] { return std::make_unique<OwnedSetup>(std::make_unique<testing::WordEmbedder>()); }}, ""},
      {{"Bert", [] { return std::make_unique<OwnedSetup>(must(open_bert_embedder(weights()))); }}, no_weights, false}};
}

}  // namespace pandora
