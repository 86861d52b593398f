#include "net/url.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "net/http1.h"

namespace pandora {
namespace {

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

std::string Url::authority() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == default_port(scheme) ? shown : fmt::format("{}:{}", shown, port);
}

std::string Url::to_string() const { return scheme + "://" + authority() + target; }

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no URL that can be used: {}", one_line(ellipsize(text, 200)), why),
                "write it as http://127.0.0.1:8000/v1");
  };
  if (text.size() > kMaxUrlBytes) return wrong("it is too long");
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; }))
    return wrong("it holds a character that must be percent-encoded");
  Url url;
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) return wrong("it has no scheme");
  for (const std::string_view scheme : {"http", "https"})
    if (equal_ignoring_case(text.substr(0, mark), scheme)) url.scheme = scheme;
  if (url.scheme.empty()) return wrong("only http and https are spoken");
  std::string_view rest = text.substr(mark + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  if (authority.find('@') != std::string_view::npos)  // not shown: they are secrets
    return fail(ErrorCode::kInvalidArgument, "a URL with a user or a password in it cannot be used",
                "put the key into its own setting");
  url.host = host_of_authority(authority);
  if (url.host.empty()) return wrong("its host is malformed");
  url.port = default_port(url.scheme);
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos &&
      colon + 1 < authority.size()) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (parsed.ec != std::errc() || url.port == 0) return wrong("its port is out of range");
  }
  rest.remove_prefix(end);
  url.target = rest.substr(0, rest.find('#'));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Result<Url> resolve_url(const Url& base, std::string_view reference) {
  if (reference.find("://") < reference.find_first_of("/?#")) return parse_url(reference);
  const std::string origin = base.scheme + "://" + base.authority();
  if (reference.starts_with("//")) return parse_url(base.scheme + ":" + std::string(reference));
  if (reference.starts_with('/')) return parse_url(origin + std::string(reference));
  const std::string path = base.target.substr(0, base.target.find('?'));
  if (reference.starts_with('?')) return parse_url(origin + path + std::string(reference));
  if (reference.empty() || reference.starts_with('#')) return base;
  return parse_url(origin + path.substr(0, path.rfind('/') + 1) + std::string(reference));
}

}  // namespace pandora
