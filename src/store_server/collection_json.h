// Inside store_server: collections of the port as Qdrant's JSON, and back.
//
// What of a spec Qdrant has no word for (by which encoder and analyser) stands in the collection's metadata, as
// "pandora". A collection without it is somebody else's.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "ports/vector_store.h"
#include "wire/json_tape.h"

namespace pandora {

// How a collection is spread over the nodes of a cluster. 0: as the server has it.
struct CollectionSpread {
  std::int64_t shards = 0, replicas = 0;
  std::int64_t write_consistency = 0;  // replicas that must have a write before it counts
};

std::string create_json(const CollectionSpec& spec, const CollectionSpread& spread);
std::string index_json(const std::string& field, PayloadType type);

struct KnownCollection {
  CollectionSpec spec;
  // Indexes that are not there: of the spec, and of the fields that say whose a point is. Every request asks for those,
  // and without an index each point's payload would be looked at.
  std::map<std::string, PayloadType> lacking;
};
// Of the answer to GET /collections/{name}. None: it is somebody else's. kIncompatible: what its metadata says is not
// what it is, or it was written by a newer program. `shown` names it in messages.
Result<std::optional<KnownCollection>> read_collection(JsonNode result, const std::string& shown);

}  // namespace pandora
