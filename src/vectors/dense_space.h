// One named dense vector of a collection, searched by one of the four distances.
//
// Cosine and Dot are the dot product of vecdb's index. Euclid is too: with one more component, −|x|²/2 against 1, the
// largest product is the least distance. Manhattan has no such form and reads every vector. Whatever the way, scores
// are computed from the floats, and a filter loses nothing.
//
// Inside, a higher score is always better: distances are negative here (`to_wire` turns them). Not thread-safe: guarded
// by its owner.
#pragma once
#include <memory>

#include "vecdb/dense_index.h"
#include "vecdb/slot_table.h"
#include "wire/qdrant_collection.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {

class DenseSpace {
 public:
  DenseSpace(const DenseParams& params, const SlotTable& slots);
  ~DenseSpace();
  const DenseParams& params() const { return params_; }

  // As it is kept and compared: of the right size (400), for Cosine of length one, or zero.
  static Outcome<std::vector<float>> prepare(const DenseInput& input, const DenseParams& params);

  void put(Slot slot, std::span<const float> prepared);  // replaces
  void remove(Slot slot);                                // if it is there
  const SlotSet& present() const { return present_; }
  std::span<const float> vector(Slot slot) const;  // of one that is there
  float score(std::span<const float> query, Slot slot) const;
  // Best first; min(k, matching). `filter` null: all.
  Result<std::vector<Hit>> search(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                  const Deadline& deadline) const;
  float to_wire(float score) const { return is_distance() && score != 0 ? -score : score; }
  float from_wire(float score) const { return is_distance() ? -score : score; }
  bool is_distance() const { return params_.distance == Distance::kEuclid || params_.distance == Distance::kManhattan; }

 private:
  Result<std::vector<Hit>> scan(std::span<const float> query, std::size_t k, const SlotSet* filter,
                                const Deadline& deadline) const;
  const DenseParams params_;
  const SlotTable& slots_;
  SlotSet present_;
  std::unique_ptr<DenseIndex> index_;  // none for Manhattan
  std::unique_ptr<VectorRows> rows_;   // of Manhattan
  std::vector<float> scratch_;
};

}  // namespace pandora::qdrant
