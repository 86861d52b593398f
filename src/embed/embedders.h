// The encoders behind the Embedder port.
#pragma once
#include <memory>
#include <string>

#include "ports/embedder.h"

namespace pandora {

// How the products of matrices are computed. kFastest: in bf16 where the processor does that faster (AMX, AMD's AVX-512
// BF16), else in f32. The vectors of both are near enough to be compared with each other (cosine at least 0.9995).
enum class Products { kFastest, kF32 };

// The encoder whose files are in `directory` (scripts/fetch_weights). Cheap: weights are mapped and packed at the first
// `embed`, which gives kIncompatible when they have another hash. Here: kNotFound when there are none, with the command
// that fetches them. Several calls at once run side by side, each text on one thread.
Result<std::unique_ptr<Embedder>> open_bert_embedder(const std::string& directory,
                                                     Products products = Products::kFastest);

// An encoder without weights: hashed words and their trigrams, 384 dimensions, normalised. Deterministic and quick, and
// blind to meaning: for tests, crash drivers, and machines without the weights that say so ("hashing" in the
// configuration).
std::unique_ptr<Embedder> make_hashing_embedder();

// In place of one that points were made by and that is not to be had: it encodes nothing, and says `why`. Tokens are
// counted by another's tokenizer.
std::unique_ptr<Embedder> make_missing_embedder(EmbedderIdentity identity, Error why, std::shared_ptr<Embedder> counts);

}  // namespace pandora
