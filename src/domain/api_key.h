// A key of the API: for whom a program speaks, and what it may do. The secret is in nobody's hands but the client's:
// what is kept is its SHA-256, and what it begins with, so that people can tell keys apart.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace pandora {

enum class KeyScope {
  kChat,     // chat completions, models, embeddings; with the memory that a chat brings
  kRead,     // looks into what is remembered
  kWrite,    // changes and forgets it
  kTools,    // lists and calls tools
  kApprove,  // answers tool calls that wait for approval
  kMetrics,  // reads /metrics, which are of the installation and not of a user
};
inline constexpr int kKeyScopeCount = 6;
std::string_view to_string(KeyScope scope);
Result<KeyScope> parse_key_scope(std::string_view text);

class KeyScopes {
 public:
  KeyScopes() = default;
  KeyScopes(std::initializer_list<KeyScope> scopes) {
    for (const KeyScope scope : scopes) add(scope);
  }
  static KeyScopes all();
  void add(KeyScope scope) { bits_ |= bit(scope); }
  bool has(KeyScope scope) const { return (bits_ & bit(scope)) != 0; }
  bool empty() const { return bits_ == 0; }
  std::vector<std::string> names() const;  // in the order above
  bool operator==(const KeyScopes&) const = default;

 private:
  static unsigned bit(KeyScope scope) { return 1u << static_cast<unsigned>(scope); }
  unsigned bits_ = 0;
};
// Names, as `names` gives them; at least one.
Result<KeyScopes> parse_key_scopes(const std::vector<std::string>& names);

inline constexpr std::string_view kKeyPrefix = "sk-pandora-";  // "sk-": what clients and scanners of secrets know
inline constexpr std::size_t kKeyHintLength = kKeyPrefix.size() + 8;
inline constexpr std::size_t kKeySecretLength = kKeyHintLength + 43;  // of 62 letters: 256 bits that nobody is shown
inline constexpr std::int64_t kMaxKeyRate = 1'000'000'000;            // requests or tokens a minute

struct ApiKey {
  Uuid id;
  std::string name;  // as check_name wants it
  UserId user;       // whose memory it works on
  KeyScopes scopes;
  std::int64_t requests_a_minute = 0, tokens_a_minute = 0;  // 0: no limit
  std::string hint;                                         // the secret's first kKeyHintLength characters
  std::string secret_sha256;                                // 64 hexadecimal digits
  Timestamp created_at;
  std::optional<Timestamp> expires_at, revoked_at, last_used_at;
  bool operator==(const ApiKey&) const = default;
};

// "active", "revoked" or "expired".
std::string_view state_of(const ApiKey& key, Timestamp now);
inline bool is_usable(const ApiKey& key, Timestamp now) {
  return !key.revoked_at && (!key.expires_at || now < *key.expires_at);
}
// What no store keeps: kInvalidArgument, naming the field.
Status check_api_key(const ApiKey& key);

}  // namespace pandora
