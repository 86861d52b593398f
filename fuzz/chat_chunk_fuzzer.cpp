// What a model server streams, one chunk a line, and what clients and servers send whole: what is read is written and
// read back as the same; a repaired stream is clean text, every tool call with its index.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "wire/chat_stream.h"

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
  both_ways(bytes, [](std::string_view text) { return decode_chat_request(text); }, encode_chat_request);
  both_ways(bytes, [](std::string_view text) { return decode_chat_response(text); }, encode_chat_response);
  const OpenAiError error = decode_openai_error(500, bytes);
  if (error.message.empty() || !is_valid_utf8(error.message) || error.message.find('\n') != std::string::npos)
    std::abort();

  ChatStreamRepair repair;
  ChatAssembler whole;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    auto chunk = decode_chat_chunk(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!chunk) continue;
    repair.apply(*chunk);
    for (const auto& choice : chunk->choices) {
      if (choice.delta.content && !is_valid_utf8(*choice.delta.content)) std::abort();
      for (const auto& call : choice.delta.tool_calls)
        if (!call.index || !is_valid_utf8(call.arguments)) std::abort();
    }
    if (!whole.add(*chunk)) break;
    both_ways(encode_chat_chunk(*chunk), decode_chat_chunk, encode_chat_chunk);
  }
  if (!is_valid_utf8(whole.content)) std::abort();
  return 0;
}
