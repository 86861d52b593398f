// Where a socket leads: an address and a port, as the kernel takes it.
#pragma once
#include <cstdint>
#include <string>

#include <sys/socket.h>

#include "base/result.h"

namespace pandora {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
std::string to_string(const SocketAddress& address);  // "127.0.0.1", "::1"
bool is_loopback(const SocketAddress& address);
// Reachable from anywhere: not loopback, private, link-local, shared, multicast or reserved; also inside IPv6.
bool is_public(const SocketAddress& address);
std::uint16_t port_of(const SocketAddress& address);
Result<SocketAddress> parse_address(const std::string& literal, std::uint16_t port);  // kInvalidArgument

}  // namespace pandora
