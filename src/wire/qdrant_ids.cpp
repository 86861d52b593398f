#include "wire/qdrant_ids.h"

#include <charconv>

#include <fmt/format.h>

namespace pandora::qdrant {

PointId PointId::of(std::uint64_t number) {
  Uuid bytes;
  for (std::size_t i = 16; i > 8; --i, number >>= 8) bytes.bytes[i - 1] = static_cast<std::uint8_t>(number);
  return PointId(false, bytes);
}

std::uint64_t PointId::number() const {
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | bytes_.bytes[i];
  return number;
}

std::string PointId::to_text() const { return is_uuid_ ? bytes_.to_string() : std::to_string(number()); }

std::optional<Uuid> parse_uuid(std::string_view text) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.starts_with(kUrn)) text.remove_prefix(kUrn.size());
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  if (text.size() != 36 && text.size() != 32) return std::nullopt;
  auto uuid = Uuid::parse(text);
  return uuid ? std::optional<Uuid>(*uuid) : std::nullopt;
}

Outcome<PointId> read_point_id(JsonNode node) {
  if (const auto number = node.unsigned_integer()) return PointId::of(*number);
  if (node.is_string())
    if (const auto uuid = parse_uuid(node.text())) return PointId::of(*uuid);
  return fail(
      bad_format(fmt::format("value {} is not a valid point ID, valid values are either an unsigned integer or a UUID",
                             node.is_string() ? node.text() : std::string(node.raw().substr(0, 100)))));
}

Outcome<PointId> parse_point_id(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && fault == std::errc() && end == text.data() + text.size()) return PointId::of(number);
  if (const auto uuid = parse_uuid(text)) return PointId::of(*uuid);
  return fail(wrong_input(fmt::format("Can not recognize \"{}\" as point id", text)));
}

void append_point_id(std::string& out, const PointId& id) {
  if (id.is_uuid())
    out += '"', out += id.bytes().to_string(), out += '"';
  else
    fmt::format_to(std::back_inserter(out), "{}", id.number());
}

}  // namespace pandora::qdrant
