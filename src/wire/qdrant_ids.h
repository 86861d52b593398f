// Ids of points: unsigned 64-bit integers or UUIDs. All integers come before all UUIDs, each kind ascending.
#pragma once
#include <compare>
#include <optional>

#include "base/ids.h"
#include "wire/json_tape.h"
#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

class PointId {
 public:
  PointId() = default;  // the integer 0
  static PointId of(std::uint64_t number);
  static PointId of(const Uuid& uuid) { return PointId(true, uuid); }
  bool is_uuid() const { return is_uuid_; }
  std::uint64_t number() const;                 // of an integer
  const Uuid& bytes() const { return bytes_; }  // an integer is its last eight, most significant first
  std::string to_text() const;                  // "7", or the hyphenated UUID
  auto operator<=>(const PointId&) const = default;

 private:
  PointId(bool is_uuid, const Uuid& bytes) : is_uuid_(is_uuid), bytes_(bytes) {}
  bool is_uuid_ = false;
  Uuid bytes_;
};

// Simple, hyphenated, "urn:uuid:" or in braces, either case.
std::optional<Uuid> parse_uuid(std::string_view text);
Outcome<PointId> read_point_id(JsonNode node);
// Of a path: "7" or a UUID. 400.
Outcome<PointId> parse_point_id(std::string_view text);
void append_point_id(std::string& out, const PointId& id);  // as JSON

}  // namespace pandora::qdrant

template <>
struct std::hash<pandora::qdrant::PointId> {
  std::size_t operator()(const pandora::qdrant::PointId& id) const noexcept {
    return std::hash<pandora::Uuid>()(id.bytes()) * 2 + (id.is_uuid() ? 1 : 0);
  }
};
