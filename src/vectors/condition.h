// Whether a point meets a condition, judged by its payload: the definition, to which the indexes are the quick way.
#pragma once
#include <map>

#include "wire/qdrant_collection.h"
#include "wire/qdrant_filter.h"

namespace pandora::qdrant {

// By the text of their path.
using FieldSchemas = std::map<std::string, FieldSchema>;

// What a condition may ask about.
struct PointView {
  const PointId& id;
  JsonNode payload;
  virtual bool has_vector(const std::string& name) const = 0;

 protected:
  PointView(const PointId& the_id, JsonNode the_payload) : id(the_id), payload(the_payload) {}
  ~PointView() = default;
};

// `schemas`: a text that is indexed is matched by words, one that is not as it stands.
bool holds(const Condition& condition, const PointView& point, const FieldSchemas& schemas);
bool holds(const Filter& filter, const PointView& point, const FieldSchemas& schemas);

bool has_null(JsonNode value);  // as an item of it: it is an array
// One value of a field, not an array.
bool matches(const MatchValue& match, JsonNode value);
bool matches(const MatchAny& match, JsonNode value);

}  // namespace pandora::qdrant
