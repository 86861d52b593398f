#include "domain/turn.h"

#include <charconv>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace pandora {
namespace {
constexpr std::string_view kDirectoryPrefix = "turn_";
constexpr std::size_t kMinDigits = 6;
}  // namespace

std::string_view Utterance::speaker() const {
  if (!name.empty()) return name;
  return role == Role::kUser ? "User" : "Assistant";
}

std::string embedded_text(const Utterance& utterance) {
  return fmt::format("{} said, \"{}\"", utterance.speaker(), utterance.text);
}

bool only_asks(const Turn& turn) {
  const std::string_view text = trim(turn.message.text);
  return !own_reply(turn) && (text.ends_with('?') || text.ends_with("\uFF1F"));
}

std::string content_sha256(const UserId& user, const Utterance& message, const std::optional<Utterance>& reply) {
  const auto part = [](std::string_view text) { return fmt::format("{}:{};", text.size(), text); };
  std::string content = part(user.str()) + part(message.speaker()) + part(message.text);
  if (reply) content += part(reply->speaker()) + part(reply->text);
  return sha256_hex(content);
}

std::string turn_directory_name(TurnNumber number) { return fmt::format("{}{:06}", kDirectoryPrefix, number.value); }

Result<TurnNumber> parse_turn_directory_name(std::string_view name) {
  TurnNumber number;
  if (name.starts_with(kDirectoryPrefix)) {
    const std::string_view digits = name.substr(kDirectoryPrefix.size());
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number.value);
    const bool all = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
    if (all && digits.size() >= kMinDigits && number.value > 0 && number.value <= kMaxTurnNumber &&
        turn_directory_name(number) == name)
      return number;
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no directory of a turn", name));
}

Uuid turn_point_id(const Uuid& turn_uid) { return point_id("turn", turn_uid.to_string()); }

}  // namespace pandora
