// What a model's files say of its size: weights, layers, the width of its KV cache. Reads, changes nothing.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_system.h"

namespace pandora {

struct ModelShape {
  std::uint64_t weights_bytes = 0;
  std::int64_t layers = 0, kv_heads = 0, head_size = 0;
  std::int64_t context = 0;  // tokens that it was made for
};
// Of a config.json as Hugging Face has it; also of one inside another (text_config). Weights are not in it. Pure.
std::optional<ModelShape> parse_model_config(std::string_view json);
// Of the beginning of a GGUF file: numbers and strings of its header by key, as far as `bytes` go. Empty: it is none.
// Pure.
std::map<std::string, std::string> parse_gguf_header(std::string_view bytes);
// None: one of these numbers is missing.
std::optional<ModelShape> gguf_shape(const std::map<std::string, std::string>& header);

// Of a GGUF file, a folder, or an "org/name" in the folder where Hugging Face keeps what it has fetched
// (`hub_directory`). kNotFound: it is not on this machine (yet).
Result<ModelShape> read_model_shape(const std::string& weights, const std::string& hub_directory, FileSystem& files);

}  // namespace pandora
