// Inside the codecs of Qdrant's API: reading plain values of a body, with the faults that it names.
#pragma once
#include "base/clock.h"
#include "wire/json_tape.h"
#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

// "invalid type: string \"x\", expected …"
Fault invalid_type(JsonNode node, std::string_view expected);
Outcome<JsonNode> required(JsonNode object, const char* name);  // null counts as given
// The member when it is given and not null; none otherwise.
JsonNode optional_member(JsonNode object, const char* name);
Outcome<std::size_t> read_size(JsonNode node);
Outcome<bool> read_bool(JsonNode node);
Outcome<float> read_float(JsonNode node);
Outcome<std::string> read_string(JsonNode node);
Outcome<Timestamp> read_time(JsonNode node);  // RFC 3339, with or without zone, or a date
Outcome<std::string> required_string(JsonNode object, const char* name);
Outcome<void> refuse_shard_key(JsonNode object);  // 501 when it names shards

}  // namespace pandora::qdrant
