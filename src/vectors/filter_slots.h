// The slots that a filter lets pass: by the indexes where they can tell, by the payloads of what is left otherwise.
#pragma once
#include <span>

#include "vectors/collection_memory.h"

namespace pandora::qdrant {

// Under the memory's lock. kDeadlineExceeded when too many payloads must be looked at.
Result<SlotSet> slots_of(const Filter& filter, const CollectionMemory& memory, const Deadline& deadline);
// Of several as if they were one: each of their lists is joined (`should` of both: one of either is enough), and the
// larger of two `min_count` counts.
Result<SlotSet> slots_of(std::span<const Filter* const> filters, const CollectionMemory& memory,
                         const Deadline& deadline);

// About how many slots the indexes look at for it, values that it lists counted too.
double slots_looked_at(const Filter& filter, const CollectionMemory& memory);
// Can the indexes alone tell? What they cannot costs as much as there are payloads. It asks them: as `slots_looked_at`.
bool is_indexed(const Filter& filter, const CollectionMemory& memory);

}  // namespace pandora::qdrant
