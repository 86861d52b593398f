// The BERT family's forward pass: embeddings, then layers of attention and feed-forward, then pooling.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "embed/attention.h"
#include "embed/embedders.h"
#include "embed/model_files.h"
#include "embed/packed_linear.h"
#include "embed/turnstile.h"
#include "embed/wordpiece_tokenizer.h"

namespace pandora {
namespace {

struct Layer {
  PackedLinear qkv, attention_out, up, down;
  std::span<const float> gain1, bias1, gain2, bias2;
};

// Mapped and packed weights; immutable once loaded.
struct Model {
  std::unique_ptr<MappedFile> file;
  std::span<const float> words, positions, types, gain, bias;
  std::vector<Layer> layers;
};

// What one text at a time needs while it is encoded.
struct Workspace {
  LinearRunner linear;
  std::vector<float> x, qkv, mixed, projected, scratch;
  std::vector<std::uint16_t> rounded;  // x or mixed, for bf16 products
  std::vector<std::byte> wide;
};

Result<Layer> load_layer(const Tensors& tensors, const ModelManifest& manifest, std::size_t index,
                         Precision precision) {
  const std::size_t hidden = manifest.hidden, wide = manifest.intermediate;
  const std::string prefix = fmt::format("encoder.layer.{}.", index);
  const Layout layout = tensors.linear_in_out() ? Layout::kInOut : Layout::kOutIn;
  const auto find = [&](const std::string& name, std::size_t values) { return tensors.find(prefix + name, values); };
  const auto pack = [&](const LinearShape& shape, const std::string& name) -> Result<PackedLinear> {
    PANDORA_TRY(weights, find(name + ".weight", shape.in * shape.out));
    PANDORA_TRY(bias, find(name + ".bias", shape.out));
    return PackedLinear::pack(shape, weights, layout, bias);
  };

  // One product for q, k and v; the scale 1/√width of the scores is folded into q.
  const float scale = 1.0F / std::sqrt(static_cast<float>(hidden / manifest.heads));
  std::vector<float> weights(3 * hidden * hidden), all_bias(3 * hidden);
  std::size_t part = 0;
  for (const char* name : {"query", "key", "value"}) {
    PANDORA_TRY(w, find(fmt::format("attention.self.{}.weight", name), hidden * hidden));
    PANDORA_TRY(b, find(fmt::format("attention.self.{}.bias", name), hidden));
    const float factor = part == 0 ? scale : 1.0F;
    // Side by side in columns, or below one another.
    const std::size_t step = layout == Layout::kInOut ? 3 * hidden : hidden;
    float* target = weights.data() + part * (layout == Layout::kInOut ? hidden : hidden * hidden);
    for (std::size_t row = 0; row < hidden; ++row)
      for (std::size_t i = 0; i < hidden; ++i) target[row * step + i] = w[row * hidden + i] * factor;
    for (std::size_t i = 0; i < hidden; ++i) all_bias[part * hidden + i] = b[i] * factor;
    ++part;
  }
  PANDORA_TRY(qkv,
              PackedLinear::pack({.in = hidden, .out = 3 * hidden, .precision = precision}, weights, layout, all_bias));
  PANDORA_TRY(out, pack({.in = hidden, .out = hidden, .precision = precision}, "attention.output.dense"));
  PANDORA_TRY(
      up,
      pack({.in = hidden, .out = wide, .activation = Activation::kGelu, .precision = precision, .result = precision},
           "intermediate.dense"));
  PANDORA_TRY(down, pack({.in = wide, .out = hidden, .precision = precision}, "output.dense"));
  PANDORA_TRY(gain1, find("attention.output.LayerNorm.weight", hidden));
  PANDORA_TRY(bias1, find("attention.output.LayerNorm.bias", hidden));
  PANDORA_TRY(gain2, find("output.LayerNorm.weight", hidden));
  PANDORA_TRY(bias2, find("output.LayerNorm.bias", hidden));
  return Layer{std::move(qkv), std::move(out), std::move(up), std::move(down), gain1, bias1, gain2, bias2};
}

Result<Model> load_model(const std::string& directory, const ModelManifest& manifest, std::size_t vocabulary,
                         Precision precision) {
  PANDORA_TRY(file, MappedFile::open(directory, "model.safetensors", manifest));
  PANDORA_TRY(tensors, Tensors::parse(file->bytes()));
  Model model;
  PANDORA_TRY(words, tensors.find("embeddings.word_embeddings.weight", vocabulary * manifest.hidden));
  PANDORA_TRY(positions, tensors.find_table("embeddings.position_embeddings.weight", manifest.window, manifest.hidden));
  PANDORA_TRY(types, tensors.find("embeddings.token_type_embeddings.weight", 2 * manifest.hidden));
  PANDORA_TRY(gain, tensors.find("embeddings.LayerNorm.weight", manifest.hidden));
  PANDORA_TRY(bias, tensors.find("embeddings.LayerNorm.bias", manifest.hidden));
  model.words = words, model.positions = positions, model.types = types, model.gain = gain, model.bias = bias;
  for (std::size_t i = 0; i < manifest.layers; ++i) {
    PANDORA_TRY(layer, load_layer(tensors, manifest, i, precision));
    model.layers.push_back(std::move(layer));
  }
  file->forget_pages();  // most of it is packed now; the words of a text come back when they are needed
  model.file = std::move(file);
  return model;
}

void normalise(std::vector<float>& vector) {
  float squares = 0;
  for (const float value : vector) squares += value * value;
  const float norm = std::sqrt(squares);
  if (norm > 0)
    for (float& value : vector) value /= norm;
}

class BertEmbedder final : public Embedder {
 public:
  BertEmbedder(std::string directory, ModelManifest manifest, WordpieceTokenizer tokenizer, std::size_t vocabulary,
               Precision precision)
      : directory_(std::move(directory)),
        manifest_(std::move(manifest)),
        tokenizer_(std::move(tokenizer)),
        vocabulary_(vocabulary),
        precision_(precision),
        identity_{manifest_.name, manifest_.revision, manifest_.hidden} {}

  const EmbedderIdentity& identity() const override { return identity_; }
  std::size_t count_tokens(std::string_view text) const override {
    return tokenizer_.tokenize(text.substr(0, kMaxEmbeddedBytes)).size();
  }

  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override {
    if (texts.size() > kMaxEmbeddedTexts)
      return fail(ErrorCode::kTooLarge, fmt::format("{} texts at once, at most {}", texts.size(), kMaxEmbeddedTexts));
    PANDORA_CHECK(deadline.check("encoding"));
    PANDORA_CHECK(load());
    use_one_thread();
    std::unique_ptr<Workspace> workspace = take_workspace();
    std::vector<std::vector<float>> vectors;
    for (const std::string_view text : texts) {
      auto vector = embed_one(text.substr(0, kMaxEmbeddedBytes), role, *workspace, deadline);
      if (!vector) return fail(std::move(vector).error());
      vectors.push_back(*std::move(vector));
    }
    give_workspace(std::move(workspace));
    return vectors;
  }

 private:
  Status load() {
    const std::lock_guard lock(mutex_);
    if (model_) return {};
    use_one_thread();
    PANDORA_TRY(model, load_model(directory_, manifest_, vocabulary_, precision_));
    model_ = std::make_unique<Model>(std::move(model));
    return {};
  }

  std::unique_ptr<Workspace> take_workspace() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }
  void give_workspace(std::unique_ptr<Workspace> workspace) {
    constexpr std::size_t kMaxIdle = 8;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(workspace));
  }

  // A text that is longer than the window is read window by window; its vector is their mean, weighed by their tokens.
  Result<std::vector<float>> embed_one(std::string_view text, TextRole role, Workspace& workspace,
                                       const Deadline& deadline) const {
    const std::string& prefix = role == TextRole::kQuestion ? manifest_.question_prefix : manifest_.passage_prefix;
    const auto tokens = tokenizer_.tokenize(prefix + std::string(text));
    const std::size_t room = manifest_.window - 2;
    std::vector<float> sum(manifest_.hidden);
    std::size_t begin = 0;
    do {
      const std::size_t count = std::min(room, tokens.size() - begin);
      std::vector<std::int32_t> window = {tokenizer_.cls()};
      window.insert(window.end(), tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                    tokens.begin() + static_cast<std::ptrdiff_t>(begin + count));
      window.push_back(tokenizer_.sep());
      PANDORA_TRY(vector, in_turn(window, role, workspace, deadline));
      const auto weight = static_cast<float>(std::max<std::size_t>(1, count));
      for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += weight * vector[d];
      begin += count;
    } while (begin < tokens.size());
    normalise(sum);
    return sum;
  }

  Result<std::vector<float>> in_turn(const std::vector<std::int32_t>& tokens, TextRole role, Workspace& w,
                                     const Deadline& deadline) const {
    PANDORA_TRY(place, turnstile_.enter(role, deadline));
    return forward(tokens, w);
  }

  // What a product reads: the values, or their upper halves.
  const void* operand(const std::vector<float>& values, std::size_t count, Workspace& w) const {
    if (precision_ == Precision::kF32) return values.data();
    w.rounded.resize(count);
    round_to_bf16(values.data(), count, w.rounded.data());
    return w.rounded.data();
  }

  Result<std::vector<float>> forward(const std::vector<std::int32_t>& tokens, Workspace& w) const {
    const std::size_t count = tokens.size(), hidden = manifest_.hidden;
    const std::size_t rows = rows_for(count);
    w.x.assign(rows * hidden, 0);
    w.qkv.resize(rows * 3 * hidden);
    w.mixed.assign(rows * hidden, 0);
    w.projected.resize(rows * hidden);
    w.wide.resize(rows * manifest_.intermediate *
                  (precision_ == Precision::kF32 ? sizeof(float) : sizeof(std::uint16_t)));
    const Model& model = *model_;
    for (std::size_t i = 0; i < count; ++i) {
      const float* word = model.words.data() + static_cast<std::size_t>(tokens[i]) * hidden;
      for (std::size_t d = 0; d < hidden; ++d)
        w.x[i * hidden + d] = word[d] + model.types[d] + model.positions[i * hidden + d];
    }
    add_and_normalise(w.x.data(), nullptr, count, hidden, model.gain.data(), model.bias.data());
    for (const Layer& layer : model.layers) {
      PANDORA_CHECK(w.linear.run(layer.qkv, operand(w.x, rows * hidden, w), w.qkv.data(), rows));
      self_attention(w.qkv.data(), count, hidden, manifest_.heads, w.mixed.data(), w.scratch);
      PANDORA_CHECK(w.linear.run(layer.attention_out, operand(w.mixed, rows * hidden, w), w.projected.data(), rows));
      add_and_normalise(w.x.data(), w.projected.data(), count, hidden, layer.gain1.data(), layer.bias1.data());
      PANDORA_CHECK(w.linear.run(layer.up, operand(w.x, rows * hidden, w), w.wide.data(), rows));
      PANDORA_CHECK(w.linear.run(layer.down, w.wide.data(), w.projected.data(), rows));
      add_and_normalise(w.x.data(), w.projected.data(), count, hidden, layer.gain2.data(), layer.bias2.data());
    }
    std::vector<float> pooled(w.x.begin(), w.x.begin() + static_cast<std::ptrdiff_t>(hidden));
    if (manifest_.mean_pooling)
      for (std::size_t i = 1; i < count; ++i)
        for (std::size_t d = 0; d < hidden; ++d) pooled[d] += w.x[i * hidden + d];
    normalise(pooled);
    return pooled;
  }

  const std::string directory_;
  const ModelManifest manifest_;
  const WordpieceTokenizer tokenizer_;
  const std::size_t vocabulary_;
  const Precision precision_;
  const EmbedderIdentity identity_;
  mutable Turnstile turnstile_{std::max(1u, std::thread::hardware_concurrency())};
  std::mutex mutex_;
  std::unique_ptr<Model> model_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace

Result<std::unique_ptr<Embedder>> open_bert_embedder(const std::string& directory, Products products) {
  PANDORA_TRY(manifest, read_manifest(directory));
  PANDORA_TRY(vocabulary, MappedFile::open(directory, "vocab.txt", manifest));
  PANDORA_TRY(tokenizer, WordpieceTokenizer::from_vocabulary(vocabulary->bytes()));
  const auto words = static_cast<std::size_t>(std::ranges::count(vocabulary->bytes(), '\n'));
  return std::make_unique<BertEmbedder>(directory, std::move(manifest), std::move(tokenizer), words,
                                        products == Products::kF32 ? Precision::kF32 : fastest_precision());
}

}  // namespace pandora
