// A directory of weights and the manifest that describes it, as scripts/fetch_weights leaves it.
//
// Reads with plain POSIX calls, read-only, but for one small stamp file beside the weights that spares hashing 133 MB
// at each start: it holds size, mtime and inode of the weights whose full SHA-256 was right.
#pragma once
#include <cstddef>
#include <string>

#include "base/result.h"

namespace pandora {

struct ModelManifest {
  std::string name, revision, question_prefix, passage_prefix;
  std::size_t layers = 0, heads = 0, hidden = 0, intermediate = 0, window = 0;
  bool pool_first_token = true;  // else the mean of all tokens
};

// Reads the manifest and verifies every file it names. kNotFound: no weights; kIncompatible: another hash or size.
Result<ModelManifest> open_model_manifest(const std::string& directory);

}  // namespace pandora
