#include "gateway/resource_routes.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr Parameter kNumber{"number", ParameterKind::kInteger}, kLimit{"limit", ParameterKind::kInteger}, kId{"id"},
    kAll{"all", ParameterKind::kBoolean}, kAfter{"after"}, kDomain{"domain"};
constexpr bool kBody = true, kNoBody = false;
constexpr KeyScope kWrites = KeyScope::kWrite;

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = std::min(text.find(mark, at), text.size());
    parts.push_back(text.substr(at, end - at));
    if (end == text.size()) return parts;
    at = end + 1;
  }
}

bool is_name(std::string_view segment) { return segment.starts_with('{'); }

std::optional<std::vector<std::string_view>> fit(std::string_view form, std::string_view path) {
  const auto wanted = split(form, '/'), given = split(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string_view> segments;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_name(wanted[i]) && !given[i].empty())
      segments.push_back(given[i]);
    else if (wanted[i] != given[i])
      return std::nullopt;
  }
  return segments;
}

Result<Json> value_of(const Parameter& parameter, std::string_view encoded) {
  std::string form(encoded);
  std::ranges::replace(form, '+', ' ');
  PANDORA_TRY(text, percent_decode(form));
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be {}", parameter.name, what));
  };
  if (parameter.kind == ParameterKind::kText) return Json(text);
  if (parameter.kind == ParameterKind::kBoolean) {
    if (text != "true" && text != "false") return wrong("true or false");
    return Json(text == "true");
  }
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return wrong("a whole number");
  return Json(number);
}

Status add_parameter(Json& arguments, const ResourceRoute& route, std::string_view name, std::string_view encoded) {
  const auto found = std::ranges::find(route.parameters, name, &Parameter::name);
  if (found == route.parameters.end())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} takes no \"{}\"", route.path, name));
  PANDORA_TRY(value, value_of(*found, encoded));
  if (!arguments.emplace(std::string(name), std::move(value)).second)
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is given more than once", name));
  return {};
}

}  // namespace

std::span<const ResourceRoute> resource_routes() {
  static const std::vector<ResourceRoute> kRoutes = {
      {"GET",
       "/v1/turns",
       "turns.list",
       {{"session"}, {"topic"}, {"keywords"}, {"before", ParameterKind::kInteger}, {"since"}, {"until"}, kLimit}},
      {"POST", "/v1/turns/search", "turns.search", {}, kBody},
      {"GET", "/v1/turns/{number}", "turns.show", {kNumber}},
      {"DELETE", "/v1/turns/{number}", "turns.forget", {kNumber}, kNoBody, kWrites},
      {"GET", "/v1/turns/{number}/objects/{key}", "turns.object", {kNumber, {"key"}}},
      {"POST", "/v1/turns/{number}/reject", "turns.reject", {kNumber}, kBody, kWrites},
      {"GET", "/v1/memories", "memory.list", {{"kind"}, kAll, kAfter, kLimit}},
      {"POST", "/v1/memories", "memory.add", {}, kBody, kWrites},
      {"POST", "/v1/memories/search", "memory.search", {}, kBody},
      {"DELETE", "/v1/memories/{id}", "memory.forget", {kId}, kNoBody, kWrites},
      {"GET", "/v1/approvals", "approvals.list", {}},
      {"POST", "/v1/approvals/{id}", "approvals.answer", {kId}, kBody, KeyScope::kApprove},
      {"GET", "/v1/recalls", "recalls.list", {{"turn", ParameterKind::kInteger}, {"before"}, kLimit}},
      {"GET", "/v1/recalls/{id}", "recalls.show", {kId}},
      {"POST", "/v1/recalls/{id}/replay", "recalls.replay", {kId}},
      {"GET", "/v1/research", "research.list", {kAll, kAfter, kLimit}},
      {"POST", "/v1/research", "research.add", {}, kBody, kWrites},
      {"POST", "/v1/research/find", "research.find", {}, kBody},
      {"GET", "/v1/sources", "sources.list", {}},
      {"GET", "/v1/sources/{domain}", "sources.show", {kDomain}},
      {"POST", "/v1/sources/{domain}/allow", "sources.allow", {kDomain}, kNoBody, kWrites},
      {"POST", "/v1/sources/{domain}/block", "sources.block", {kDomain}, kNoBody, kWrites},
      {"POST", "/v1/sources/{domain}/reset", "sources.reset", {kDomain}, kNoBody, kWrites},
      {"GET", "/v1/sessions", "sessions.list", {}},
      {"GET", "/v1/stats", "stats", {{"since"}}},
  };
  return kRoutes;
}

ResourceMatch match_resource(std::string_view method, std::string_view path) {
  ResourceMatch match;
  for (const auto& route : resource_routes()) {
    if (!match.form.empty() && route.path != match.form)
      continue;  // the first form that fits decides: "search" is no number
    auto segments = fit(route.path, path);
    if (!segments) continue;
    match.form = route.path;
    match.allowed.append(match.allowed.empty() ? "" : ", ").append(route.method);
    if (route.method == "GET") match.allowed += ", HEAD";
    if (route.method != method && !(method == "HEAD" && route.method == "GET")) continue;
    match.route = &route;
    match.segments = *std::move(segments);
  }
  return match;
}

Result<Json> resource_arguments(const ResourceMatch& match, const HttpRequest& request) {
  const ResourceRoute& route = *match.route;
  Json arguments = Json::object();
  std::size_t next = 0;
  for (const auto segment : split(route.path, '/'))
    if (is_name(segment))
      PANDORA_CHECK(add_parameter(arguments, route, segment.substr(1, segment.size() - 2), match.segments[next++]));
  const auto pairs = request.query.empty() ? std::vector<std::string_view>() : split(request.query, '&');
  if (pairs.size() > kMaxQueryParameters)
    return fail(ErrorCode::kInvalidArgument, fmt::format("more than {} parameters", kMaxQueryParameters));
  for (const auto pair : pairs) {
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    PANDORA_TRY(name, percent_decode(pair.substr(0, equals)));
    PANDORA_CHECK(add_parameter(arguments, route, name, pair.substr(std::min(equals + 1, pair.size()))));
  }
  if (!route.has_body || request.body.empty()) return arguments;
  const auto body = parse_json(request.body, kMaxResourceBodyBytes, "request");
  if (!body) return fail(ErrorCode::kInvalidArgument, body.error().message);
  if (!body->is_object()) return fail(ErrorCode::kInvalidArgument, "request must be an object");
  for (const auto& [name, value] : body->items())
    if (!arguments.emplace(name, value).second)
      return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is given more than once", name));
  return arguments;
}

}  // namespace pandora
