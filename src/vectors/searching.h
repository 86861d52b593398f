// Queries over a collection's memory.
//
// Order: score, best first, then id ascending. Everything here is called under the memory's lock.
#pragma once
#include "vectors/collection_memory.h"
#include "vectors/fusion.h"

namespace pandora::qdrant {

struct Found {
  std::vector<Ranked> points;
  bool by_score = true;      // else by id or by a payload's value: every score is 1
  bool is_distance = false;  // scores are negative distances
};

Outcome<Found> run_query(const QueryRequest& request, const CollectionMemory& memory, const Deadline& deadline);

struct Scrolled {
  std::vector<Ranked> points;
  std::optional<PointId> next;
};
Outcome<Scrolled> run_scroll(const ScrollRequest& request, const CollectionMemory& memory, const Deadline& deadline);
Outcome<std::size_t> run_count(const std::optional<Filter>& filter, const CollectionMemory& memory,
                               const Deadline& deadline);

// Does it, all its steps together, cost little enough to be answered where it was read? Else it is for a thread that
// may take its time.
bool is_quick(const QueryRequest& request, const CollectionMemory& memory);

}  // namespace pandora::qdrant
