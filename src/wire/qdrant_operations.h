// What changes points: the bodies of PUT and POST below /collections/{name}/points.
#pragma once
#include "wire/qdrant_filter.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxBatchOperations = 10'000;

struct PointInput {
  PointId id;
  NamedVectors vectors;
  std::string payload = "{}";  // compact JSON, an object
};

// By ids, or by a filter. The ids may be none here, like the points of an upsert: whoever knows the collection refuses
// it.
struct PointSelector {
  std::vector<PointId> ids;
  std::optional<Filter> filter;  // ids count when there is none
};

struct UpsertPoints {
  enum class Mode { kUpsert, kInsertOnly, kUpdateOnly } mode = Mode::kUpsert;
  std::vector<PointInput> points;  // replaced as a whole; of two with one id the later counts
  std::optional<Filter> only_if;   // a point that is there already is replaced only when this holds for it
};
struct DeletePoints {
  PointSelector points;
};
struct SetPayload {
  bool overwrite = false;  // replaces all of it; else top-level keys are merged, below `key` when there is one
  std::string payload;     // compact JSON, an object
  PointSelector points;
  std::optional<PayloadPath> key;
};
struct DeletePayload {
  std::vector<PayloadPath> keys;
  PointSelector points;
};
struct ClearPayload {
  PointSelector points;
};
struct UpdateVectors {
  std::vector<PointInput> points;  // their payloads stay
  std::optional<Filter> only_if;   // a point for which it does not hold is left as it is
};
struct DeleteVectors {
  std::vector<std::string> names;
  PointSelector points;
};
using Operation =
    std::variant<UpsertPoints, DeletePoints, SetPayload, DeletePayload, ClearPayload, UpdateVectors, DeleteVectors>;

Outcome<Operation> read_upsert(JsonNode body);
Outcome<Operation> read_delete_points(JsonNode body);
Outcome<Operation> read_set_payload(JsonNode body);
Outcome<Operation> read_overwrite_payload(JsonNode body);
Outcome<Operation> read_delete_payload(JsonNode body);
Outcome<Operation> read_clear_payload(JsonNode body);
Outcome<Operation> read_update_vectors(JsonNode body);
Outcome<Operation> read_delete_vectors(JsonNode body);
Outcome<std::vector<Operation>> read_batch(JsonNode body);

}  // namespace pandora::qdrant
