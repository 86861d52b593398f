// One named dense vector of a collection, searched by one of the four distances.
//
// Cosine and Dot are the dot product of vecdb's index. Euclid is too: with one more component, −|x|²/2 against 1, the
// largest product is the least distance; where products cannot tell, as far from the origin, every vector is read. The
// component is kept within what the index takes: a product is then larger than it should be, and nothing is missed. So
// it is for Manhattan, which has no such form. Whatever the way, scores are computed from the floats, and a filter
// loses nothing.
//
// Inside, a higher score is always better: distances are negative here (`to_wire` turns them). Keeps nothing: vectors
// are the index's, whose owner guards both. A vector that cannot be read is empty, and scores less than any other; the
// index says then that it is damaged.
#pragma once
#include "vecdb/point_index.h"
#include "wire/qdrant_collection.h"
#include "wire/qdrant_vectors.h"

namespace pandora::qdrant {

class DenseSpace {
 public:
  // Of the dense vector `number` of the index.
  DenseSpace(const DenseParams& params, const PointIndex& index, std::size_t number)
      : params_(params), index_(index), number_(number) {}
  const DenseParams& params() const { return params_; }

  // Of the right size, its components within bounds: 400 otherwise.
  static Outcome<void> check(const DenseInput& input, const DenseParams& params);
  // As it is kept and compared: checked, for Cosine of length one, or zero.
  static Outcome<std::vector<float>> prepare(const DenseInput& input, const DenseParams& params);
  // How many components the index keeps of a vector, and those that it keeps beside the vector's own.
  static std::size_t indexed_size(const DenseParams& params);
  static void extend(std::vector<float>& prepared, const DenseParams& params);

  std::span<const float> vector(Slot slot) const;  // of a point that has it
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
  const PointIndex& index_;
  const std::size_t number_;
};

}  // namespace pandora::qdrant
