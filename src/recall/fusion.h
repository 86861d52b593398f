// Two legs of a search become one ranking.
//
// Each leg brings its best K with scores of its own scale. They are turned into z-scores over that leg's K and summed; a
// candidate that one leg did not bring counts there as the leg's last. (Measured: reciprocal rank fusion loses to its
// better half; K = 200 loses nothing against all scores. docs/recall.md.) Pure.
#pragma once
#include <span>
#include <vector>

#include "ports/vector_store.h"

namespace pandora {


struct Candidate {
  Uuid id;
  double score = 0;     // fused, then adjusted by ranking.h
  double dense = 0;     // as the store gave it; 0 when that leg did not bring it
  double lexical = 0;
  Payload payload;
};

// Descending score, then ascending id. Either leg may be empty (it then adds nothing).
std::vector<Candidate> fuse(std::span<const ScoredPoint> dense, std::span<const ScoredPoint> lexical);

}  // namespace pandora
