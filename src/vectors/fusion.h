// One list from several, by ranks or by how scores are distributed.
#pragma once
#include <optional>

#include "vecdb/hit.h"
#include "vectors/field_index.h"
#include "wire/qdrant_query.h"

namespace pandora::qdrant {

// A point and where it stands. A higher score is better.
struct Ranked {
  Slot slot = 0;
  float score = 0;
  std::optional<OrderValue> order;  // of a query by a payload's value
};

// What a list of that weight adds to its point at `rank`, which counts from 1; infinite where `k` is 1 and the weight
// so large that nothing of rank / weight is left beside it.
float reciprocal_rank(float rank, float weight, float k);

// Not sorted. Weights, when there are any, are as many as lists.
std::vector<Ranked> fuse(const std::vector<std::vector<Ranked>>& lists, const RankFusion& fusion);
// Over scores as a client sees them: as a real Qdrant does, it takes a large distance for a good one.
std::vector<Ranked> fuse(const std::vector<std::vector<Ranked>>& lists, const DistributionFusion& fusion);

}  // namespace pandora::qdrant
