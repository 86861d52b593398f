#include "domain/api_key.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::array<std::string_view, kKeyScopeCount> kNames = {"chat",  "read",    "write",
                                                                 "tools", "approve", "metrics"};
constexpr std::size_t kHashDigits = 64, kShown = 40;

tl::unexpected<Error> wrong(std::string_view field, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("key.{}: {}", field, what));
}

bool is_rate(std::int64_t rate) { return rate >= 0 && rate <= kMaxKeyRate; }

}  // namespace

std::string_view to_string(KeyScope scope) { return kNames[static_cast<std::size_t>(scope)]; }

Result<KeyScope> parse_key_scope(std::string_view text) {
  const auto found = std::ranges::find(kNames, text);
  if (found != kNames.end()) return static_cast<KeyScope>(found - kNames.begin());
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no scope", one_line(ellipsize(text, kShown))),
              fmt::format("use {}", fmt::join(kNames, ", ")));
}

KeyScopes KeyScopes::all() {
  KeyScopes scopes;
  for (int i = 0; i < kKeyScopeCount; ++i) scopes.add(static_cast<KeyScope>(i));
  return scopes;
}

std::vector<std::string> KeyScopes::names() const {
  std::vector<std::string> names;
  for (int i = 0; i < kKeyScopeCount; ++i)
    if (has(static_cast<KeyScope>(i))) names.emplace_back(kNames[static_cast<std::size_t>(i)]);
  return names;
}

Result<KeyScopes> parse_key_scopes(const std::vector<std::string>& names) {
  KeyScopes scopes;
  for (const auto& name : names) {
    PANDORA_TRY(scope, parse_key_scope(name));
    scopes.add(scope);
  }
  if (scopes.empty()) return wrong("scopes", "a key that may do nothing");
  return scopes;
}

std::string_view state_of(const ApiKey& key, Timestamp now) {
  return key.revoked_at ? "revoked" : is_usable(key, now) ? "active" : "expired";
}

Status check_api_key(const ApiKey& key) {
  if (key.id.is_nil()) return wrong("id", "is missing");
  if (const Status name = check_name("key.name", key.name); !name) return name;
  if (key.user.empty()) return wrong("user", "is missing");
  if (key.scopes.empty()) return wrong("scopes", "a key that may do nothing");
  if (!is_rate(key.requests_a_minute)) return wrong("requests_a_minute", fmt::format("not 0 to {}", kMaxKeyRate));
  if (!is_rate(key.tokens_a_minute)) return wrong("tokens_a_minute", fmt::format("not 0 to {}", kMaxKeyRate));
  if (key.hint.size() != kKeyHintLength || !key.hint.starts_with(kKeyPrefix)) return wrong("hint", "is none");
  const bool is_hash = key.secret_sha256.size() == kHashDigits && std::ranges::all_of(key.secret_sha256, [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                       });
  if (!is_hash) return wrong("secret_sha256", "is no hash");
  return {};
}

}  // namespace pandora
