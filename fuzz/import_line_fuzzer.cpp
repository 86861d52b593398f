// One line of a file that a stranger made: what is accepted is clean text and not empty.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "wire/import_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto line = pandora::parse_import_line({reinterpret_cast<const char*>(data), size});
  if (!line) return 0;
  if (line->session.empty() || pandora::trim(line->message.text).empty()) std::abort();
  if (!pandora::is_valid_utf8(line->message.text) || line->message.text.find('\0') != std::string::npos) std::abort();
  return 0;
}
