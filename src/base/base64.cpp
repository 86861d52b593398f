#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace pandora {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kLetters.size(); ++i)
    values[static_cast<unsigned char>(kLetters[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr auto kValues = make_values();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t three = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kLetters[three >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  const auto wrong = [](const char* why) {
    return fail(ErrorCode::kInvalidArgument, std::string("this is no base64: ") + why);
  };
  if (text.size() % 4 != 0) return wrong("its length is no multiple of four");
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::size_t letters = text.size() - padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t at = 0; at < letters; ++at) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(text[at])];
    if (value == kNone) return wrong("a character that is none of its letters");
    bits = bits << 6 | value;
    if (at % 4 != 0) out += static_cast<char>(bits >> (6 - 2 * (at % 4)) & 0xFF);
  }
  const std::uint32_t unused = padding == 2 ? 0xF : padding == 1 ? 0x3 : 0;
  if ((bits & unused) != 0) return wrong("bits that belong to nothing");
  return out;
}

}  // namespace pandora
