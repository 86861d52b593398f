#include "postgres/postgres_addresses.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <netdb.h>

#include "net/name_lookup.h"
#include "postgres/postgres_options.h"

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(100);  // a deadline's clock may be one that is ticked by hand

constexpr std::string_view kRemedy =
    "is the host's name right (POSTGRES_HOST, DATABASE_URL), and does the server of names (DNS) answer?";

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const std::size_t comma = list.find(',', at);
    parts.push_back(list.substr(at, comma - at));
    if (comma == std::string::npos) return parts;
    at = comma + 1;
  }
}

bool is_socket(const std::string& host) { return host.empty() || host[0] == '/' || host[0] == '@'; }

// With the interface of a link's own address, which is part of it.
std::string in_numbers(const SocketAddress& address) {
  std::array<char, NI_MAXHOST> text{};
  const int failed = ::getnameinfo(address.get(), address.size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return failed == 0 ? text.data() : to_string(address);
}

}  // namespace

Status find_addresses(std::map<std::string, std::string>& parameters, NameLookup& names, Duration& waited,
                      const std::function<Status()>& goes_on) {
  if (const auto given = parameters.find("hostaddr"); given != parameters.end() && !given->second.empty()) return {};
  const std::string place = place_of(parameters);
  const std::vector<std::string> hosts = parts_of(parameters["host"]), ports = parts_of(parameters["port"]);
  if (ports.size() != 1 && ports.size() != hosts.size()) return {};  // libpq says what is wrong with that
  std::vector<std::shared_ptr<NameQuestion>> questions;
  for (const std::string& host : hosts) questions.push_back(is_socket(host) ? nullptr : names.ask(host));

  std::string of_hosts, of_addresses, of_ports;
  bool any = false;
  std::optional<Error> unknown;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    std::vector<std::string> addresses = {""};
    if (questions[i]) {
      while (!questions[i]->wait(Duration(0))) {
        PANDORA_CHECK(goes_on());
        (void)questions[i]->wait(kSlice);
        waited += kSlice;
      }
      const auto found = questions[i]->addresses(0);
      if (!found && !unknown) unknown = found.error();
      if (!found) continue;
      addresses.clear();
      for (const SocketAddress& address : *found) addresses.push_back(in_numbers(address));
    }
    for (const std::string& address : addresses) {
      const std::string_view comma = std::exchange(any, true) ? "," : "";
      of_hosts.append(comma).append(hosts[i]);
      of_addresses.append(comma).append(address);
      of_ports.append(comma).append(ports[ports.size() == 1 ? 0 : i]);
    }
  }
  if (!any) return fail(std::move(*unknown).with_context("PostgreSQL at " + place).with_remedy(std::string(kRemedy)));
  parameters["host"] = of_hosts;
  parameters["hostaddr"] = of_addresses;
  parameters["port"] = of_ports;
  return {};
}

}  // namespace pandora
