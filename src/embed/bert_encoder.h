// The sentence encoder: BERT's forward pass in f32, its matrix products by oneDNN with weights packed once.
//
// Weights load on first use and stay. Any number of threads may call at once; a call works on its own thread and starts
// none. A text longer than the window is cut into windows of tokens, whose vectors are averaged by their tokens. The
// deadline is looked at between windows. Weights are mapped read-only with plain POSIX calls.
#pragma once
#include <memory>
#include <string>

#include "ports/embedder.h"

namespace pandora {

// `model_dir` as scripts/fetch_weights leaves it. kNotFound without weights, kIncompatible when a hash is wrong.
Result<std::unique_ptr<Embedder>> open_bert_embedder(const std::string& model_dir);

}  // namespace pandora
