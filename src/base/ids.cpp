#include "base/ids.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace pandora {
namespace {

// RFC 3174. Only for UUIDv5, which prescribes it; everything of ours is SHA-256.
std::array<std::uint8_t, 20> sha1(std::string message) {
  std::array<std::uint32_t, 5> h = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::uint64_t bits = message.size() * 8;
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(bits >> shift);
  const auto rotate = [](std::uint32_t x, int n) { return x << n | x >> (32 - n); };
  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 4; ++j) w[i] = w[i] << 8 | static_cast<unsigned char>(message[block + i * 4 + j]);
    for (std::size_t i = 16; i < 80; ++i) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::uint32_t f = i < 20   ? (b & c) | (~b & d)
                              : i < 40 ? b ^ c ^ d
                              : i < 60 ? (b & c) | (b & d) | (c & d)
                                       : b ^ c ^ d;
      const std::uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
      const std::uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  std::array<std::uint8_t, 20> digest{};
  for (std::size_t i = 0; i < 20; ++i) digest[i] = static_cast<std::uint8_t>(h[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

constexpr std::array<std::int8_t, 256> kHexDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 16; ++i)
    for (const char* alphabet : {"0123456789abcdef", "0123456789ABCDEF"})
      digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return digits;
}();

// Pandora's own namespace: fixed for ever, as every point's id hangs on it.
constexpr Uuid kNamespace{
    {0x6f, 0x1c, 0x0a, 0x52, 0x3d, 0x8e, 0x4b, 0x57, 0x9a, 0x41, 0x5e, 0x2b, 0x70, 0xd3, 0x11, 0xc4}};

}  // namespace

std::string Uuid::to_string() const {
  std::string text = to_hex(bytes.data(), bytes.size());
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no UUID", ellipsize(text, 64)));
  };
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return wrong();
  Uuid id;
  int faults = 0;  // negative: there is one
  for (std::size_t i = 0, at = 0; i < id.bytes.size(); ++i, at += 2) {
    if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return wrong();
    const int high = kHexDigits[static_cast<unsigned char>(text[at])];
    const int low = kHexDigits[static_cast<unsigned char>(text[at + 1])];
    faults |= high | low;
    id.bytes[i] = static_cast<std::uint8_t>((high & 15) << 4 | (low & 15));
  }
  if (faults < 0) return wrong();
  return id;
}

Uuid uuid_v5(const Uuid& name_space, std::string_view name) {
  const auto digest = sha1(std::string(name_space.bytes.begin(), name_space.bytes.end()) + std::string(name));
  Uuid id;
  std::copy_n(digest.begin(), 16, id.bytes.begin());
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x50);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

Uuid point_id(std::string_view kind, std::string_view key) {
  return uuid_v5(kNamespace, fmt::format("{}:{}", kind, key));
}

Uuid UuidV7Generator::next() {
  constexpr std::uint32_t kCounterBits = 26;
  const std::lock_guard lock(mutex_);
  const auto millis = static_cast<std::uint64_t>(std::max<std::int64_t>(0, clock_.now().micros / 1000));
  if (millis > last_millis_) {
    last_millis_ = millis;
    counter_ = static_cast<std::uint32_t>(random_.below(1u << (kCounterBits - 1)));  // room to count up from
  } else if (++counter_ >= 1u << kCounterBits) {
    ++last_millis_;  // the counter is used up, or the clock stands or jumped back: go on ahead of it
    counter_ = 0;
  }
  Uuid id;
  for (int i = 0; i < 6; ++i)
    id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(last_millis_ >> (40 - 8 * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | counter_ >> 22);
  id.bytes[7] = static_cast<std::uint8_t>(counter_ >> 14);
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (counter_ >> 8 & 0x3F));
  id.bytes[9] = static_cast<std::uint8_t>(counter_);
  const std::uint64_t tail = random_.next();
  for (int i = 0; i < 6; ++i) id.bytes[static_cast<std::size_t>(10 + i)] = static_cast<std::uint8_t>(tail >> (8 * i));
  return id;
}

Status check_name(std::string_view what, std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  const bool good = !text.empty() && text.size() <= kMaxNameLength && text[0] != '.' && text[0] != '-' &&
                    std::ranges::all_of(text, allowed);
  if (good) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no name of a {}", one_line(ellipsize(text, 64)), what),
              fmt::format("use 1 to {} letters, digits, '.', '_' or '-', beginning with a letter, digit or '_'",
                          kMaxNameLength));
}

}  // namespace pandora
