// Hashes: SHA-256 for content (libsodium), CRC-32C for records (Castagnoli, as RFC 3720), hexadecimal.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace pandora {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);  // 64 lower-case digits
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);
// Takes as long wherever the two differ; of secrets' hashes. Different sizes: false.
bool equal_in_constant_time(std::string_view a, std::string_view b);
std::string to_hex(const std::uint8_t* data, std::size_t size);

}  // namespace pandora
