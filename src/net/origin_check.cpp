#include "net/origin_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

bool is_loopback_name(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

bool is_same_origin(std::string_view origin, std::string_view authority) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme) && equal_ignoring_case(origin.substr(scheme.size()), authority)) return true;
  return false;
}

}  // namespace

Status check_origin(const RequestHead& head, const OriginPolicy& policy) {
  const std::string host = host_of_authority(head.authority);
  if (host.empty()) return fail(ErrorCode::kInvalidArgument, "the Host header is malformed");
  const bool known = std::ranges::find(policy.hosts, host) != policy.hosts.end();
  const bool allowed =
      policy.exposure == Exposure::kLoopback ? known || is_loopback_name(host) : known || policy.hosts.empty();
  if (!allowed)
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("this server does not answer to the name \"{}\"", ellipsize(host, 100)),
                "use 127.0.0.1 or localhost, or allow the name");

  const HttpHeaders& headers = head.request.headers;
  if (headers.count("Origin") > 1) return fail(ErrorCode::kInvalidArgument, "more than one Origin is given");
  if (headers.has("Origin")) {
    const std::string_view origin = headers.get("Origin");
    const auto is_origin = [&](const std::string& one) { return equal_ignoring_case(one, origin); };
    if (is_same_origin(origin, head.authority) || std::ranges::any_of(policy.origins, is_origin)) return {};
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("pages of \"{}\" may not call this server", ellipsize(origin, 100)), "allow the origin");
  }
  // Images, scripts and forms of a page carry no Origin when they only read; browsers say where they come from.
  const std::string_view site = headers.get("Sec-Fetch-Site");
  const bool foreign = equal_ignoring_case(site, "cross-site") || equal_ignoring_case(site, "same-site");
  const bool followed_link = head.request.method == "GET" &&
                             equal_ignoring_case(headers.get("Sec-Fetch-Mode"), "navigate") &&
                             equal_ignoring_case(headers.get("Sec-Fetch-Dest"), "document");
  if (foreign && !followed_link)
    return fail(ErrorCode::kPermissionDenied, "pages of other sites may not call this server");
  return {};
}

}  // namespace pandora
