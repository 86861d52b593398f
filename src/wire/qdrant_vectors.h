// Vectors as requests bring them, before anyone knows what the collection takes.
#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "domain/sparse_weights.h"
#include "wire/json_tape.h"
#include "wire/qdrant_fault.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxVectorSize = 65'536;
// Components of what is stored and asked for; a direction alone (Cosine) may be given by larger ones.
inline constexpr float kMaxVectorComponent = 1e15F;

struct DenseInput {
  std::vector<float> values;
  bool too_large = false;  // some component is beyond kMaxVectorComponent: `values` keep the direction, not the length
};
using VectorInput = std::variant<DenseInput, SparseVector>;
// By name; "" is the unnamed one.
using NamedVectors = std::vector<std::pair<std::string, VectorInput>>;

// Of a point: an array for the unnamed one, or an object by names. `place`: "points[0].vector".
Outcome<NamedVectors> read_vectors(JsonNode node, const std::string& place);
// One: an array of numbers, or {indices, values} (422: unequal lengths, an index twice). 501: multivectors, documents
// and images to be embedded.
Outcome<VectorInput> read_vector(JsonNode node, const std::string& place);
bool is_sparse(JsonNode node);  // has the shape of one

void append_dense(std::string& out, const float* values, std::size_t size);
void append_sparse(std::string& out, const SparseVector& vector);

}  // namespace pandora::qdrant
