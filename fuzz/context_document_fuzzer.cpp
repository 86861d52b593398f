// The parser of context documents: bytes of a file that anybody may have edited. What it accepts, it writes and reads
// back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "domain/context_document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = pandora::parse_context_document({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  const std::string once = pandora::render(*parsed);
  const auto again = pandora::parse_context_document(once);
  // Compared as text: not-a-number is not equal to itself.
  if (!again || pandora::render(*again) != once) std::abort();
  return 0;
}
