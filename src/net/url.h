// http and https URLs, as much of them as a client needs. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxUrlBytes = 8 * 1024;

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case, without brackets
  std::uint16_t port = 0;
  std::string target;  // "/v1/models?x=1", at least "/"; the fragment is gone
  bool is_secure() const { return scheme == "https"; }
  std::string authority() const;  // "[::1]:9000"; the scheme's own port is left out
  std::string to_string() const;
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

// kInvalidArgument: another scheme, credentials in it (they belong in a setting), a bad port, control characters or
// blanks.
Result<Url> parse_url(std::string_view text);
// What a Location header means, seen from `base` (RFC 3986, 5.2; dot segments are left to the server).
Result<Url> resolve_url(const Url& base, std::string_view reference);

}  // namespace pandora
