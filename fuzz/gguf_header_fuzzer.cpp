// The header of a model's file (GGUF), which somebody else has made. It is read as far as it goes; never past its end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "host/model_shape.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = pandora::parse_gguf_header(bytes);
  if (!bytes.starts_with("GGUF") && !header.empty()) std::abort();
  std::size_t held = 0;
  for (const auto& [key, value] : header) held += key.size();
  if (held > size) std::abort();
  if (const auto shape = pandora::gguf_shape(header))
    if (shape->layers <= 0 || shape->kv_heads <= 0 || shape->head_size <= 0) std::abort();
  (void)pandora::parse_model_config(bytes);
  return 0;
}
