#include "stack/firewall.h"

#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "base/text.h"
#include "compose/compose_model.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxRules = 8u << 20;

std::string chain_of(const Json& owner, const char* name) {
  return fmt::format("{} {} ({})", text_in(owner, "table"), text_in(owner, name), text_in(owner, "family"));
}

bool holds(const Json& right, std::uint16_t port) {
  if (right.is_number_integer()) return right == port;
  for (const auto& one : member(right, "set"))
    if (one == port) return true;
  const Json& range = member(right, "range");
  return range.is_array() && range.size() == 2 && range[0].is_number_integer() && range[1].is_number_integer() &&
         range[0] <= port && port <= range[1];
}

// Drops all, or that port.
bool drops(const Json& rule, std::uint16_t port) {
  bool dropped = false, about_others = false;
  for (const auto& part : member(rule, "expr")) {
    if (!part.is_object()) return false;
    dropped = dropped || part.contains("drop") || part.contains("reject");
    if (!part.contains("match")) continue;
    const Json& match = member(part, "match");
    const Json& payload = member(member(match, "left"), "payload");
    about_others = about_others || text_in(payload, "field") != "dport" || !holds(member(match, "right"), port);
  }
  return dropped && !about_others;
}

}  // namespace

std::optional<std::string> claim_of_nft(std::string_view json, std::uint16_t port) {
  const auto parsed = parse_json(json, kMaxRules, "the rules");
  if (!parsed) return std::nullopt;
  std::set<std::string> inputs;
  for (const auto& item : member(*parsed, "nftables")) {
    const Json& chain = member(item, "chain");
    if (text_in(chain, "hook") != "input") continue;
    if (text_in(chain, "policy") == "drop")
      return fmt::format("the chain {} drops what no rule lets in", chain_of(chain, "name"));
    inputs.insert(chain_of(chain, "name"));
  }
  for (const auto& item : member(*parsed, "nftables"))
    if (const Json& rule = member(item, "rule"); inputs.contains(chain_of(rule, "chain")) && drops(rule, port))
      return fmt::format("a rule of the chain {} drops it", chain_of(rule, "chain"));
  return std::nullopt;
}

std::optional<std::string> claim_of_iptables(std::string_view saved, std::uint16_t port) {
  std::istringstream lines{std::string(saved)};
  bool filter = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('*')) filter = line == "*filter";
    if (!filter) continue;
    if (line.starts_with(":INPUT DROP")) return "the chain INPUT drops what no rule lets in";
    if (!line.starts_with("-A INPUT ")) continue;
    const std::string padded = line + " ";
    if (padded.find(" -j DROP ") == std::string::npos && padded.find(" -j REJECT ") == std::string::npos) continue;
    // Of all, or of that port.
    const bool all = line.find(" -j ") == std::string_view("-A INPUT").size();
    if (all || padded.find(fmt::format(" --dport {} ", port)) != std::string::npos)
      return "a rule of the chain INPUT drops it";
  }
  return std::nullopt;
}

FirewallSight look_at_firewall(ProcessRunner& runner, const Deadline& deadline, const std::string& root) {
  FirewallSight sight;
  std::ifstream ufw(root + "/etc/ufw/ufw.conf");
  for (std::string line; std::getline(ufw, line);)
    if (trim(line) == "ENABLED=yes") sight.keepers.emplace_back("ufw");
  struct stat info{};
  for (const char* path : {"/run/firewalld.pid", "/var/run/firewalld.pid"})
    if (::stat((root + path).c_str(), &info) == 0) {
      sight.keepers.emplace_back("firewalld");
      break;
    }
  const auto read = [&](std::vector<std::string> words) -> std::optional<std::string> {
    const auto output =
        runner.run({.arguments = std::move(words), .environment = {}, .directory = {}, .input = {}}, deadline);
    return output && output->status.code == 0 ? std::optional(output->out) : std::nullopt;
  };
  const auto nft = read({"nft", "-j", "list", "ruleset"});
  const auto iptables = nft ? std::nullopt : read({"iptables-save"});
  sight.may_look = nft || iptables;
  sight.nft = nft.value_or("");
  sight.iptables = iptables.value_or("");
  return sight;
}

std::string firewall_words(const FirewallSight& sight, std::uint16_t port) {
  constexpr const char* kPasses = "what Docker publishes passes by it";
  auto claim = claim_of_nft(sight.nft, port);
  if (!claim) claim = claim_of_iptables(sight.iptables, port);
  const std::string on = sight.keepers.empty() ? "" : fmt::format("{} is on", fmt::join(sight.keepers, " and "));
  if (claim) return fmt::format(", although {}{}{}: {}", on, on.empty() ? "" : " and ", *claim, kPasses);
  if (!on.empty()) return fmt::format(", although {}: {}", on, kPasses);
  if (!sight.may_look) return fmt::format("; what a firewall says of it is for root alone to read, and {}", kPasses);
  return "; no firewall here says otherwise";
}

}  // namespace pandora
