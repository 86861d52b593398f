// Whatever is skimmed is JSON to the parser too, of the same fields; what is left out and put together again likewise.
#include <cstdint>
#include <cstdlib>

#include "wire/chat_skim.h"
#include "wire/json_reader.h"
#include "wire/json_skim.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)skim_chat_chunk(text);
  (void)skim_chat_response(text);
  SkimmedObject object;
  if (!object.read(text)) return 0;
  // The parser alone refuses numbers that no double holds.
  if (text.find_first_of("eE") != std::string_view::npos || size > 200) return 0;
  const Json parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object() || parsed.size() != object.size()) std::abort();
  for (const auto& field : object) {
    const auto found = parsed.find(std::string(field.name));
    if (found == parsed.end() || *found != Json::parse(field.text, nullptr, false)) std::abort();
    const std::string_view plain = field.plain();
    if (!plain.empty() && found->get_ref<const std::string&>() != plain) std::abort();
  }
  if (Json::parse(object.without({}), nullptr, false) != parsed) std::abort();
  return 0;
}
