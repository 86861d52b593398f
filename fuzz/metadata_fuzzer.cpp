// The parsers of stored documents: what one accepts, it writes and reads back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/turn_json.h"

namespace {
template <class Decode, class Encode>
void both_ways(std::string_view bytes, Decode decode, Encode encode) {
  const auto value = decode(bytes);
  if (!value) return;
  const std::string once = encode(*value);
  const auto again = decode(once);
  if (!again || encode(*again) != once) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  both_ways(bytes, decode_record, encode_record);
  both_ways(bytes, decode_metadata, encode_metadata);
  both_ways(bytes, decode_metrics, encode_metrics);
  both_ways(bytes, decode_memory, encode_memory);
  both_ways(bytes, decode_research, encode_research);
  both_ways(bytes, decode_source, encode_source);
  return 0;
}
