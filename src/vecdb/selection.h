// Candidates that may still be among the best k, when each is known by an estimate and a bound.
//
// One whose bound is below the k-th best estimate seen is dropped. So how many are left adapts to the data: a hundred
// where scores differ, a whole cluster where its members are alike, every duplicate of a vector (whose order is by id
// alone).
#pragma once
#include <cstddef>
#include <limits>
#include <vector>

#include "vecdb/kernels.h"

namespace pandora {

class Selection {
 public:
  explicit Selection(std::size_t k) : k_(k) {}  // k > 0
  // Candidates below it need not be offered.
  float threshold() const { return threshold_; }
  void offer(const Candidate& candidate);
  // The same for up to `most` at once: they are written to room(most), then `added` says how many.
  Candidate* room(std::size_t most);
  void added(std::size_t count);
  // What is left: at least min(k, offered), in no order.
  std::vector<Candidate> take();

 private:
  void tighten();

  std::size_t k_;
  std::size_t size_ = 0;  // of all_ that is in use
  std::size_t tighten_at_ = 0;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> all_;
};

}  // namespace pandora
