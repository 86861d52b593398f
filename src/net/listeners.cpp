#include "net/listeners.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/kernel_file.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr std::string_view kListening = "0A";

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (!(line = trim(line)).empty()) {
    found.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(found.back().size());
  }
  return found;
}

// Words of four bytes, each in the machine's own order.
std::optional<std::string> address_of(std::string_view digits) {
  constexpr std::size_t kWord = 8;
  std::array<std::uint32_t, 4> bytes{};
  if (digits.size() != kWord && digits.size() != 4 * kWord) return std::nullopt;
  for (std::size_t i = 0; i * kWord < digits.size(); ++i) {
    const auto word = number<std::uint32_t>(digits.substr(i * kWord, kWord), 16);
    if (!word) return std::nullopt;
    bytes[i] = *word;
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = digits.size() == kWord ? AF_INET : AF_INET6;
  if (!::inet_ntop(family, bytes.data(), text.data(), text.size())) return std::nullopt;
  return std::string(text.data());
}

std::string_view as_ipv4(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  return address;
}
bool stands_for_all(std::string_view address) { return address.empty() || address == "0.0.0.0" || address == "::"; }

}  // namespace

bool Listener::keeps(std::string_view other) const {
  const auto mine = as_ipv4(address), theirs = as_ipv4(other);
  return mine == theirs || stands_for_all(mine) || stands_for_all(theirs);
}

std::vector<Listener> parse_listeners(std::string_view text) {
  constexpr std::size_t kAddress = 1, kState = 3, kInode = 9;
  std::vector<Listener> found;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto fields = words(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (fields.size() <= kInode || fields[kState] != kListening) continue;
    const auto colon = fields[kAddress].find(':');
    if (colon == std::string_view::npos) continue;
    const auto address = address_of(fields[kAddress].substr(0, colon));
    const auto port = number<std::uint16_t>(fields[kAddress].substr(colon + 1), 16);
    const auto inode = number<std::uint64_t>(fields[kInode], 10);
    if (address && port && inode) found.push_back({.address = *address, .port = *port, .inode = *inode});
  }
  return found;
}

std::vector<Listener> listeners(const std::string& proc) {
  auto found = parse_listeners(kernel_file(proc + "/net/tcp"));
  const auto six = parse_listeners(kernel_file(proc + "/net/tcp6"));
  found.insert(found.end(), six.begin(), six.end());
  return found;
}

std::optional<ListeningProcess> process_of(std::uint64_t inode, const std::string& proc) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(proc, code)) {
    const auto pid = number<int>(entry.path().filename().string(), 10);
    if (!pid) continue;
    std::error_code closed;  // another user's, or it has just ended
    for (std::filesystem::directory_iterator file(entry.path() / "fd", closed), end; !closed && file != end;
         file.increment(closed)) {
      std::error_code unread;
      if (std::filesystem::read_symlink(file->path(), unread) == wanted)
        return ListeningProcess{.pid = *pid, .name = one_line(trim(kernel_file(entry.path().string() + "/comm")))};
    }
  }
  return std::nullopt;
}

std::uint16_t free_port(const std::vector<Listener>& taken, std::uint16_t from) {
  constexpr int kHighest = 65'535;
  for (int port = from; port <= kHighest; ++port)
    if (std::ranges::find(taken, port, &Listener::port) == taken.end()) return static_cast<std::uint16_t>(port);
  return 0;
}

}  // namespace pandora
