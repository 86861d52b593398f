// A point's payload and vectors as bytes of a row. Lossless; little endian. Internal to store_embedded.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "ports/vector_store.h"

namespace pandora {

std::string encode_payload(const Payload& payload);  // JSON; a time is {"time": microseconds}
Result<Payload> decode_payload(std::string_view json);
// What the index keeps beside a point and gives back with a hit: quicker to read than JSON.
std::string encode_stored(const Payload& payload);
// Of these fields; empty: all.
Result<Payload> decode_stored(std::string_view bytes, std::span<const std::string> fields = {});
std::string encode_vectors(const Point& point);
Status decode_vectors(std::string_view bytes, Point& point);
std::string encode_spec(const CollectionSpec& spec);
Result<CollectionSpec> decode_spec(std::string_view json);

}  // namespace pandora
