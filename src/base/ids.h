// Identifiers. Strong types: a session is never passed where a user is meant.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace pandora {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
  bool is_nil() const { return *this == Uuid{}; }
  std::string to_string() const;                     // 36 characters, lower case, hyphenated
  static Result<Uuid> parse(std::string_view text);  // hyphenated or 32 hex digits, either case
};

// RFC 9562 version 5 (SHA-1 of namespace and name): the same kind and key give the same point id.
Uuid uuid_v5(const Uuid& name_space, std::string_view name);
// The id of the point that stands for `key` of a kind: uuid_v5(Pandora's namespace, "kind:key").
Uuid point_id(std::string_view kind, std::string_view key);

// RFC 9562 version 7, strictly increasing within this generator, also when the clock jumps back. Thread-safe.
class UuidV7Generator {
 public:
  UuidV7Generator(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  Uuid next();

 private:
  const Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  std::uint64_t last_millis_ = 0;
  std::uint32_t counter_ = 0;  // 26 bits in rand_a and the head of rand_b
};

// Names of sessions and users: 1 to 128 of [A-Za-z0-9._-], not beginning with '.' or '-'. So they are safe as a file
// name, in a URL and in a log line.
inline constexpr std::size_t kMaxNameLength = 128;
Status check_name(std::string_view what, std::string_view text);

template <class Tag>
class Name {
 public:
  Name() = default;  // empty: no name; never a valid parsed one
  static Result<Name> parse(std::string_view text) {
    PANDORA_CHECK(check_name(Tag::kWhat, text));
    return Name(std::string(text));
  }
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};
struct SessionTag {
  static constexpr std::string_view kWhat = "session";
};
struct UserTag {
  static constexpr std::string_view kWhat = "user";
};
using SessionId = Name<SessionTag>;  // a conversation
using UserId = Name<UserTag>;        // who owns sessions and memories

// One number space for the installation, from 1, allocated once, gaps allowed, never reused. 0: not yet numbered.
// The maximum is far from every real number and from overflow: what is beyond it is damage or a prank, and is refused.
inline constexpr std::int64_t kMaxTurnNumber = 999'999'999'999;
struct TurnNumber {
  std::int64_t value = 0;
  auto operator<=>(const TurnNumber&) const = default;
};

}  // namespace pandora

template <>
struct std::hash<pandora::Uuid> {
  std::size_t operator()(const pandora::Uuid& id) const noexcept {
    std::size_t h = 0;
    for (int i = 0; i < 8; ++i) h = h << 8 | id.bytes[15 - i];  // the random end
    return h;
  }
};
