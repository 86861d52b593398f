// The reader of journal segments: bytes that a crash left. Every byte is in the header, in a record or in a damaged
// range.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "turns/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto content = pandora::read_journal(bytes);
  if (content.newer_format) return 0;
  std::size_t covered = 0;
  for (const auto& record : content.records) covered += pandora::encode_journal_record(record, 0).size();
  for (const auto& damage : content.damage) covered += damage.length;
  const std::size_t head = bytes.starts_with(pandora::journal_header()) ? pandora::journal_header().size() : 0;
  if (covered + head != size) std::abort();
  return 0;
}
