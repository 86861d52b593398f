#include "net/socket_address.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace pandora {
namespace {

bool is_public_v4(std::uint32_t ip) {
  struct Range {
    std::uint32_t network;
    int bits;
  };
  // The special-purpose registry of RFC 6890 and its successors, and multicast.
  constexpr std::array<Range, 15> kSpecial = {{{0x00000000, 8},
                                               {0x0A000000, 8},
                                               {0x64400000, 10},
                                               {0x7F000000, 8},
                                               {0xA9FE0000, 16},
                                               {0xAC100000, 12},
                                               {0xC0000000, 24},
                                               {0xC0000200, 24},
                                               {0xC0586300, 24},
                                               {0xC0A80000, 16},
                                               {0xC6120000, 15},
                                               {0xC6336400, 24},
                                               {0xCB007100, 24},
                                               {0xE0000000, 4},
                                               {0xF0000000, 4}}};
  for (const auto& range : kSpecial)
    if ((ip ^ range.network) >> (32 - range.bits) == 0) return false;
  return true;
}

std::uint32_t v4_at(const in6_addr& ip, std::size_t at) {
  return static_cast<std::uint32_t>(ip.s6_addr[at]) << 24 | static_cast<std::uint32_t>(ip.s6_addr[at + 1]) << 16 |
         static_cast<std::uint32_t>(ip.s6_addr[at + 2]) << 8 | ip.s6_addr[at + 3];
}

bool begins(const in6_addr& ip, std::initializer_list<std::uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), ip.s6_addr);
}

bool is_public_v6(const in6_addr& ip) {
  if (IN6_IS_ADDR_V4MAPPED(&ip)) return is_public_v4(v4_at(ip, 12));
  if (begins(ip, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public_v4(v4_at(ip, 12));  // NAT64
  if (begins(ip, {0x20, 0x02})) return is_public_v4(v4_at(ip, 2));                                       // 6to4
  // Teredo and other protocols (2001::/23); examples (2001:db8::/32, 3fff::/20).
  if ((begins(ip, {0x20, 0x01}) && ip.s6_addr[2] <= 1) || begins(ip, {0x20, 0x01, 0x0D, 0xB8})) return false;
  if (begins(ip, {0x3F, 0xFF}) && ip.s6_addr[2] < 0x10) return false;
  return (ip.s6_addr[0] & 0xE0) == 0x20;  // global unicast, 2000::/3
}

}  // namespace

std::string to_string(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* ip = nullptr;
  if (address.storage.ss_family == AF_INET) ip = &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr;
  if (address.storage.ss_family == AF_INET6) ip = &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
  if (!ip || !::inet_ntop(address.storage.ss_family, ip, text.data(), text.size())) return {};
  return text.data();
}

bool is_loopback(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr) >> 24 == 127;
  return address.storage.ss_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

bool is_public(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return is_public_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr));
  return address.storage.ss_family == AF_INET6 &&
         is_public_v6(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
}

Result<SocketAddress> parse_address(const std::string& literal, std::uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  const auto is_one = [&](sa_family_t family, void* ip, in_port_t& its_port, socklen_t size) {
    if (::inet_pton(family, literal.c_str(), ip) != 1) return false;
    address.storage.ss_family = family;
    its_port = htons(port);
    address.size = size;
    return true;
  };
  if (is_one(AF_INET, &v4.sin_addr, v4.sin_port, sizeof v4)) return address;
  if (is_one(AF_INET6, &v6.sin6_addr, v6.sin6_port, sizeof v6)) return address;
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no address", literal),
              "write it as 127.0.0.1 or ::1");
}

}  // namespace pandora
