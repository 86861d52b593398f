// The receipt of a recall: what is accepted is written again as the very same bytes, and ranks again without harm.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "recall/replay.h"
#include "wire/receipt_codec.h"

namespace {
void look_at(const std::string& bytes) {
  const auto receipt = pandora::decode_receipt(bytes);
  if (!receipt) return;
  if (pandora::encode_receipt(*receipt) != bytes) std::abort();
  (void)pandora::replay(*receipt);
  (void)pandora::explain(*receipt);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  look_at(bytes);
  // A checksum keeps out what a fuzzer makes: behind one that fits, everything is tried.
  std::string summed = bytes.substr(0, size < 4 ? 0 : size - 4);
  const std::uint32_t sum = pandora::crc32c(summed);
  for (int i = 0; i < 4; ++i) summed += static_cast<char>(sum >> 8 * i & 0xFF);
  look_at(summed);
  return 0;
}
