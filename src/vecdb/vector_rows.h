// Where the exact vectors are: rows of floats by slot.
//
// The dense index reads a few dozen of them a query, after its codes have chosen; so they may lie in memory or behind a
// mapping of a file. Not thread-safe: guarded by its owner.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "vecdb/hit.h"

namespace pandora {

class VectorRows {
 public:
  virtual ~VectorRows() = default;
  virtual void put(Slot slot, std::span<const float> row) = 0;
  // One that was put; valid until the slot is put again. Null when it cannot be read.
  virtual const float* row(Slot slot) const = 0;
};

std::unique_ptr<VectorRows> make_memory_rows(std::size_t dimension);

}  // namespace pandora
