// Two legs of a search become one ranking.
//
// Each leg brings its best K with scores of its own scale. They are turned into z-scores over that leg's K and summed;
// a candidate that one leg did not bring counts there as the leg's last. (Measured: reciprocal rank fusion loses to its
// better half; K = 200 loses nothing against all scores. docs/recall.md.) Pure; the order of the candidates is no
// matter, to the last bit.
#pragma once
#include <span>
#include <vector>

#include "domain/recall_receipt.h"

namespace pandora {

struct FusedScore {
  double dense = 0, lexical = 0;  // z-scores; 0 when that leg brought nothing at all
  double sum() const { return dense + lexical; }
};

// One for each candidate, in their order.
std::vector<FusedScore> fuse(std::span<const RecallCandidate> candidates);

}  // namespace pandora
