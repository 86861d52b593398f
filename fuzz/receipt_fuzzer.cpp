// The receipt of a recall: what is accepted is written again as the very same bytes, or, when it is of an older
// version, as the same receipt; and ranks again without harm.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "recall/replay.h"
#include "wire/receipt_codec.h"

namespace {
constexpr std::size_t kVersionAt = 7;

void look_at(const std::string& bytes) {
  const auto receipt = pandora::decode_receipt(bytes);
  if (!receipt) return;
  const std::string again = pandora::encode_receipt(*receipt);
  const bool is_older = bytes[kVersionAt] < pandora::kReceiptVersion;
  if (is_older ? pandora::decode_receipt(again).value() != *receipt : again != bytes) std::abort();
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
