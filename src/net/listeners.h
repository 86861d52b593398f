// Who listens on which port of this machine, as the kernel says in /proc.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pandora {

struct Listener {
  std::string address;  // "127.0.0.1", "0.0.0.0", "::"
  std::uint16_t port = 0;
  std::uint64_t inode = 0;  // of its socket
  // Nobody else can listen on that address and this port: it is the same, or one of the two stands for all ("0.0.0.0",
  // "::", or nothing). One for all of IPv6 has IPv4 as well, as Linux has it by default.
  bool keeps(std::string_view other) const;
  bool is_loopback() const {
    return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
  }
};
// Of the text of /proc/net/tcp or tcp6. Lines that are none of it are passed over. Pure.
std::vector<Listener> parse_listeners(std::string_view text);
// All of this machine, or those of another /proc.
std::vector<Listener> listeners(const std::string& proc = "/proc");

struct ListeningProcess {
  int pid = 0;
  std::string name;
};
// Whose socket that is; none: it belongs to another user, or has ended.
std::optional<ListeningProcess> process_of(std::uint64_t inode, const std::string& proc = "/proc");
// The first port from `from` on that nobody listens on; 0: there is none.
std::uint16_t free_port(const std::vector<Listener>& taken, std::uint16_t from);

}  // namespace pandora
