// What every VectorStore refuses before it looks at its data, so that all of them refuse alike (ports/vector_store.h).
#pragma once
#include "ports/vector_store.h"

namespace pandora {

Status check_vector_name(std::string_view what, std::string_view name);  // [a-z0-9_]{1,64}
Status check_spec(const CollectionSpec& spec);
Status check_filter(const Filter& filter);
Status check_query(const CollectionSpec& spec, const PointQuery& query);
Status check_ids(std::span<const Uuid> ids);
Status check_limit(std::size_t limit);
// Shape, payload, and that `who` may write each of them. Whether he may replace the stored one only the store knows.
Status check_points(const CollectionSpec& spec, std::span<const Point> points, const Principal& who);

// The point exists for `who`; he may replace or remove it.
bool visible_to(const Payload& payload, const Principal& who);
bool writable_by(const Payload& payload, const Principal& who);
// Eight bytes for a field, a number or a text, and the texts themselves: what counts against kMaxPayloadBytes.
std::size_t payload_bytes(const Payload& payload);

// In place, as the header says: only when the square of the length is off 1 by more than 1e-6, never a zero vector.
void normalise(std::vector<float>& vector);

// These of its fields that it has; all of it when none are named.
Payload fields_of(const Payload& payload, std::span<const std::string> fields);

}  // namespace pandora
