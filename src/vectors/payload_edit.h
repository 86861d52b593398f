// Payloads changed and shown in part. A payload is compact JSON text, an object; paths are applied as far as they lead.
#pragma once
#include "wire/qdrant_query.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxPayloadText = 16 * 1024 * 1024;  // of one point

// Top-level keys of `change` replace those of `payload`; below `key`, when there is one: what is no object there, and
// was an object's to hold, becomes one.
std::string merge_payload(const std::string& payload, const std::string& change, const PayloadPath* key);
std::string without_keys(const std::string& payload, const std::vector<PayloadPath>& keys);
// Appends what `selector` lets through. Not for kNone.
void append_selected(std::string& out, std::string_view payload, const PayloadSelector& selector);

}  // namespace pandora::qdrant
