#include "models/openai_embedder.h"

#include <cmath>

#include <fmt/format.h>

#include "base/text.h"
#include "models/model_server.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 << 20;
constexpr std::size_t kBytesPerToken = 4;

struct Piece {
  std::size_t text;  // whose
  std::string bytes;
};

// At most so many bytes at a time, cut behind a space where there is one, never in a character.
std::vector<std::string> windows(std::string_view text) {
  std::vector<std::string> pieces;
  do {
    std::size_t end = std::min(text.size(), kEmbeddingWindowBytes);
    if (end < text.size()) {
      const std::size_t space = text.rfind(' ', end);
      if (space != std::string_view::npos && space > end / 2) end = space + 1;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    }
    pieces.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  } while (!text.empty());
  return pieces;
}

Status normalise(std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
  if (!std::isfinite(sum) || sum <= 0)
    return fail(ErrorCode::kUnavailable, "the embedding server sent a vector without a direction");
  const auto scale = static_cast<float>(1 / std::sqrt(sum));
  for (float& value : vector) value *= scale;
  return {};
}

class HttpEmbedder final : public Embedder {
 public:
  HttpEmbedder(HttpEmbedderSettings settings, HttpClient& client, const Clock& clock)
      : settings_(std::move(settings)),
        client_(client),
        server_(settings_.server, clock, {}),
        identity_{settings_.server.model, settings_.server.model, 0} {}

  Status learn_dimension(const Deadline& deadline) {
    const std::vector<Piece> probe = {{0, "word"}};
    PANDORA_TRY(vectors, ask(probe, deadline));
    identity_.dimension = vectors.front().size();
    return {};
  }

  const EmbedderIdentity& identity() const override { return identity_; }
  std::size_t count_tokens(std::string_view text) const override {
    return (text.size() + kBytesPerToken - 1) / kBytesPerToken;
  }

  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override {
    const std::string& prefix = role == TextRole::kQuestion ? settings_.question_prefix : settings_.passage_prefix;
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string clean = sanitize_utf8(texts[i].substr(0, kMaxHttpEmbeddedBytes));
      // Servers refuse the empty text.
      for (auto& window : windows(trim(clean).empty() ? std::string_view(" ") : std::string_view(clean)))
        pieces.push_back({i, prefix + window});
    }
    std::vector<std::vector<float>> pooled(texts.size(), std::vector<float>(identity_.dimension));
    for (std::size_t at = 0; at < pieces.size(); at += kEmbeddingBatch) {
      const std::span<const Piece> batch = std::span(pieces).subspan(at, std::min(kEmbeddingBatch, pieces.size() - at));
      PANDORA_TRY(vectors, ask(batch, deadline));
      for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto weight = static_cast<float>(batch[i].bytes.size());
        for (std::size_t d = 0; d < identity_.dimension; ++d) pooled[batch[i].text][d] += weight * vectors[i][d];
      }
    }
    for (auto& vector : pooled) PANDORA_CHECK(normalise(vector));
    return pooled;
  }

 private:
  Result<std::vector<std::vector<float>>> ask(std::span<const Piece> batch, const Deadline& deadline) {
    Json input = Json::array();
    for (const auto& piece : batch) input.push_back(piece.bytes);
    HttpCallRequest request{
        "POST",
        server_.url() + "/embeddings",
        server_.headers(),
        dump_json({{"model", settings_.server.model}, {"input", std::move(input)}, {"encoding_format", "float"}}),
        {}};
    request.options.timeouts = settings_.timeouts;
    request.options.max_body_bytes = kMaxAnswerBytes;
    request.options.repeatable = Repeatable::kYes;
    auto response = client_.fetch(std::move(request), deadline);
    if (!response) return fail(std::move(response).error().with_context("embedding"));
    if (response->status != 200)
      return fail(
          to_error(decode_openai_error(response->status, response->body), server_.url()).with_context("embedding"));
    return read(response->body, batch.size());
  }

  // By their index: servers need not keep the order.
  Result<std::vector<std::vector<float>>> read(std::string_view body, std::size_t count) {
    const auto wrong = [&](std::string_view why) {
      return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", server_.url(), why),
                  "is it an OpenAI-compatible server of embeddings?");
    };
    const auto json = parse_json(body, kMaxAnswerBytes, "embeddings");
    if (!json || !json->is_object() || !json->contains("data") || !(*json)["data"].is_array())
      return wrong("the answer holds no embeddings");
    const Json& data = (*json)["data"];
    if (data.size() != count) return wrong(fmt::format("{} embeddings for {} texts", data.size(), count));
    std::vector<std::vector<float>> vectors(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (!data[i].is_object() || !data[i].contains("embedding") || !data[i]["embedding"].is_array())
        return wrong("an embedding is no array");
      const std::size_t index =
          data[i].contains("index") && data[i]["index"].is_number_unsigned() ? data[i]["index"].get<std::size_t>() : i;
      if (index >= count || !vectors[index].empty()) return wrong("the indexes of the embeddings are wrong");
      for (const auto& value : data[i]["embedding"]) {
        if (!value.is_number() || vectors[index].size() == kMaxDimension)
          return wrong("an embedding is no list of numbers");
        vectors[index].push_back(value.get<float>());
      }
      if (vectors[index].empty()) return wrong("an embedding is empty");
      if (vectors[index].size() != vectors[0].size() && index != 0 && !vectors[0].empty())
        return wrong("embeddings of different dimensions");
      if (identity_.dimension != 0 && vectors[index].size() != identity_.dimension)
        return fail(ErrorCode::kIncompatible,
                    fmt::format("{} sends vectors of {} dimensions, {} were agreed", server_.url(),
                                vectors[index].size(), identity_.dimension),
                    "the server has another model now");
      PANDORA_CHECK(normalise(vectors[index]));
    }
    return vectors;
  }

  const HttpEmbedderSettings settings_;
  HttpClient& client_;
  const ModelServer server_;
  EmbedderIdentity identity_;
};

}  // namespace

Result<std::unique_ptr<Embedder>> open_http_embedder(HttpEmbedderSettings settings, HttpClient& client,
                                                     const Clock& clock, const Deadline& deadline) {
  if (settings.server.model.empty())
    return fail(ErrorCode::kInvalidArgument, "the model of the embedding server must be named",
                "vectors of different models cannot be compared");
  auto embedder = std::make_unique<HttpEmbedder>(std::move(settings), client, clock);
  PANDORA_CHECK(embedder->learn_dimension(deadline));
  return embedder;
}

}  // namespace pandora
