// What a firewall of this machine claims about a port: what Docker publishes passes by it, so a claim is not the truth.
//
// Rules are read in the forms that are meant for programs: the JSON of `nft`, or what `iptables-save` writes. Both are
// for root alone.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/process_runner.h"

namespace pandora {

// Why somebody who reads the rules would think that the port is closed to other machines: "the chain filter INPUT (ip)
// drops what no rule lets in". None: no rule says so. A text that cannot be read says nothing. Pure.
std::optional<std::string> claim_of_nft(std::string_view json, std::uint16_t port);
std::optional<std::string> claim_of_iptables(std::string_view saved, std::uint16_t port);

struct FirewallSight {
  std::vector<std::string> keepers;  // "ufw", "firewalld": who is on, by their files
  std::string nft, iptables;         // the rules; empty: none, or not to be seen
  bool may_look = false;             // the rules could be read
};
// `root`: where /etc and /run are.
FirewallSight look_at_firewall(ProcessRunner& runner, const Deadline& deadline, const std::string& root = "");
// In words, after "other machines reach it".
std::string firewall_words(const FirewallSight& sight, std::uint16_t port);

}  // namespace pandora
