// Any OpenAI-compatible `/v1/embeddings` as an Embedder.
//
// Texts go in batches; a text longer than a window is cut at spaces into pieces that are pooled, weighted by their
// length, so that none is cut silently by the server. Vectors are normalised here. The server's model is its identity;
// its dimension is learnt by embedding one word when it is opened, and checked ever after (kIncompatible). Tokens are
// estimated, a token for four bytes: the server does not tell.
#pragma once
#include <memory>
#include <string>

#include "models/model_settings.h"
#include "net/http_client.h"
#include "ports/embedder.h"

namespace pandora {

inline constexpr std::size_t kEmbeddingBatch = 64;          // texts of one request
inline constexpr std::size_t kEmbeddingWindowBytes = 1600;  // some 400 tokens: fits the 512 of most sentence encoders
inline constexpr std::size_t kMaxHttpEmbeddedBytes = 1u << 20;  // of one text: the rest is not looked at
inline constexpr std::size_t kMaxDimension = 8192;

struct HttpEmbedderSettings {
  ModelServerSettings server;                   // its url is the API's base, its model must be named
  std::string question_prefix, passage_prefix;  // what the model wants before a question or a passage
  HttpTimeouts timeouts;
};
// Errors: kInvalidArgument (no model named), kUnavailable and the rest of what the server answers.
Result<std::unique_ptr<Embedder>> open_http_embedder(HttpEmbedderSettings settings, HttpClient& client,
                                                     const Clock& clock, const Deadline& deadline);

}  // namespace pandora
