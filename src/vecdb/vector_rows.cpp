#include "vecdb/vector_rows.h"

#include <algorithm>

namespace pandora {
namespace {

constexpr std::size_t kChunkRows = 1024;  // allocated at once, and never moved

class MemoryRows final : public VectorRows {
 public:
  explicit MemoryRows(std::size_t dimension) : dimension_(dimension) {}

  void put(Slot slot, std::span<const float> row) override {
    while (slot / kChunkRows >= chunks_.size())
      chunks_.push_back(std::make_unique_for_overwrite<float[]>(kChunkRows * dimension_));
    std::ranges::copy(row, at(slot));
  }
  const float* row(Slot slot) const override { return at(slot); }

 private:
  float* at(Slot slot) const { return chunks_[slot / kChunkRows].get() + slot % kChunkRows * dimension_; }
  std::size_t dimension_;
  std::vector<std::unique_ptr<float[]>> chunks_;
};

}  // namespace

std::unique_ptr<VectorRows> make_memory_rows(std::size_t dimension) { return std::make_unique<MemoryRows>(dimension); }

}  // namespace pandora
