#include "gateway/guard.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/responses.h"
#include "net/socket_address.h"

namespace pandora {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr Duration kCachePatience = std::chrono::seconds(1);
constexpr Duration kSecond = std::chrono::seconds(1);

// The types and codes below are OpenAI's own; its clients look at them.
HttpResponse not_known(std::string_view message, const Json& code) {
  HttpResponse response = openai_refusal(401, message, "invalid_request_error", code);
  response.headers.add("WWW-Authenticate", "Bearer realm=\"Pandora\"");
  return response;
}

std::int64_t whole_seconds(Duration time) {
  return std::max<std::int64_t>(1, (time + kSecond - Duration(1)) / kSecond);
}

// "17ms", "9s", "1m30s": how OpenAI writes it.
std::string openai_duration(Duration time) {
  if (time < kSecond) return fmt::format("{}ms", std::chrono::ceil<std::chrono::milliseconds>(time).count());
  const std::int64_t seconds = whole_seconds(time);
  return seconds < 60 ? fmt::format("{}s", seconds) : fmt::format("{}m{}s", seconds / 60, seconds % 60);
}

void add_state(HttpHeaders& headers, std::string_view what, const RateState& state) {
  if (state.limit == 0) return;
  headers.add(fmt::format("x-ratelimit-limit-{}", what), std::to_string(state.limit));
  headers.add(fmt::format("x-ratelimit-remaining-{}", what), std::to_string(state.remaining));
  headers.add(fmt::format("x-ratelimit-reset-{}", what), openai_duration(state.reset));
}

}  // namespace

Exposure exposure_of(const std::string& address) {
  if (address == "localhost") return Exposure::kLoopback;
  const auto parsed = parse_address(address, 0);
  return parsed && is_loopback(*parsed) ? Exposure::kLoopback : Exposure::kBeyond;
}

Guard::Guard(KeyRing* ring, Cache* cache, UserId owner, Exposure exposure, const Clock& clock)
    : ring_(ring), owner_(std::move(owner)), exposure_(exposure), clock_(clock) {
  if (ring_) limiter_.emplace(*cache);
}

bool Guard::is_open() const {
  return exposure_ == Exposure::kLoopback && (!ring_ || (ring_->is_complete() && ring_->empty()));
}

Guard::Identified Guard::identify(const HttpRequest& head, const Needs& needs) {
  if (is_open()) return Caller{owner_, std::nullopt};
  const std::string_view given = head.headers.get("Authorization");
  const bool is_bearer = given.size() > kScheme.size() && equal_ignoring_case(given.substr(0, kScheme.size()), kScheme);
  std::optional<ApiKey> key;
  if (ring_ && is_bearer && head.headers.count("Authorization") == 1)
    key = ring_->find(trim(given.substr(kScheme.size())));
  if (!key && needs.entry == Entry::kOpen) return Caller{};
  if (!key && ring_ && !ring_->is_complete()) {
    HttpResponse later = error_response({ErrorCode::kUnavailable, "the keys stand in a database that is out of reach",
                                         "try again in a moment; /health/ready says why"});
    later.headers.add("Retry-After", "1");
    return tl::unexpected(std::move(later));
  }
  if (!key && ring_ && !ring_->empty() && !ring_->has_usable())
    return tl::unexpected(
        not_known("No API key can be used here any more: all of them were revoked, or have expired. `pandora keys "
                  "create NAME` makes one; with the last one removed (`pandora keys list`, `pandora keys remove ID`) "
                  "a server that only this machine reaches asks for none.",
                  given.empty() ? Json() : Json("invalid_api_key")));
  if (!key && given.empty())
    return tl::unexpected(
        not_known("You didn't provide an API key. Send one that `pandora keys create` made in an "
                  "Authorization header: Authorization: Bearer YOUR_KEY",
                  Json()));
  if (!key)
    return tl::unexpected(
        not_known("Incorrect API key provided: it is none of this server's, or it was revoked, or it "
                  "has expired. `pandora keys list` shows those that can be used.",
                  "invalid_api_key"));
  if (needs.entry == Entry::kScope && !key->scopes.has(needs.scope))
    return tl::unexpected(openai_refusal(
        403,
        fmt::format("You have insufficient permissions for this operation. The key \"{}\" has not the scope \"{}\".",
                    key->name, to_string(needs.scope)),
        "invalid_request_error", "missing_scope"));
  const UserId user = key->user;
  return Caller{user, std::move(key)};
}

tl::expected<HttpHeaders, HttpResponse> Guard::count(const Caller& caller) {
  HttpHeaders headers;
  if (!caller.key || (caller.key->requests_a_minute == 0 && caller.key->tokens_a_minute == 0)) return headers;
  const auto decision = limiter_->admit(*caller.key, Deadline::after(clock_, kCachePatience));
  if (!decision) return tl::unexpected(error_response(decision.error()));
  add_state(headers, "requests", decision->requests);
  add_state(headers, "tokens", decision->tokens);
  if (decision->verdict == RateVerdict::kAdmitted) return headers;
  const bool of_tokens = decision->verdict == RateVerdict::kTooManyTokens;
  const std::string_view what = of_tokens ? "tokens" : "requests";
  const std::int64_t limit = of_tokens ? decision->tokens.limit : decision->requests.limit;
  HttpResponse refusal = openai_refusal(
      429,
      fmt::format("Rate limit reached for the key \"{}\" on {} per min: Limit {}. Please try again in {}.",
                  caller.key->name, what, limit, openai_duration(decision->retry_after)),
      what, "rate_limit_exceeded");
  for (const auto& header : headers) refusal.headers.add(header.name, header.value);
  refusal.headers.add("Retry-After", std::to_string(whole_seconds(decision->retry_after)));
  return tl::unexpected(std::move(refusal));
}

void Guard::count_tokens(const Caller& caller, std::int64_t tokens) {
  if (!caller.key || !limiter_) return;
  const Status counted = limiter_->count_tokens(*caller.key, tokens, Deadline::after(clock_, kCachePatience));
  if (!counted) log_warn("keys.tokens_not_counted", {{"why", counted.error().to_line()}});
}

}  // namespace pandora
