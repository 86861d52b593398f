// What recall and indexing need from a sentence encoder.
//
// Thread-safe: any number of calls at once. Vectors are L2-normalised f32 of `identity().dimension` values; cosine is
// their dot product. The same text gives the same vector on the same machine, alone or among others. Text is UTF-8;
// broken sequences are read as U+FFFD; text longer than the model's window is split and pooled, never cut silently: of
// one text the first kMaxEmbeddedBytes are read. The empty text is allowed.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxEmbeddedBytes = 1024 * 1024;  // some 500 windows
inline constexpr std::size_t kMaxEmbeddedTexts = 4'096;        // of one call

enum class TextRole { kQuestion, kPassage };  // some models prefix the one or the other

// What must be equal for two vectors to be comparable; stored beside the data.
struct EmbedderIdentity {
  std::string model;     // "bge-small-en-v1.5"
  std::string revision;  // hash of the weights, or what a server calls its model
  std::size_t dimension = 0;
  bool operator==(const EmbedderIdentity&) const = default;
};

class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual const EmbedderIdentity& identity() const = 0;
  // One vector per text, in order. Errors: kTooLarge (too many texts), kUnavailable (a server), kDeadlineExceeded (also
  // a deadline that had passed before), kIncompatible (weights with another hash), kNotFound (no weights; the remedy
  // names the command that fetches them).
  virtual Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                        const Deadline& deadline) = 0;
  // Tokens of a text (its first kMaxEmbeddedBytes) by this model's tokenizer, special tokens not counted: the unit of
  // every token budget. Nothing has none.
  virtual std::size_t count_tokens(std::string_view text) const = 0;
};

}  // namespace pandora
