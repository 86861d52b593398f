// Candidates that may still be among the best k, when each is known by an estimate and a bound.
//
// One whose bound is below the k-th best estimate seen is dropped. So how many are left adapts to the data: a hundred
// where scores differ, a whole cluster where its members are alike, every duplicate of a vector (whose order is by id
// alone).
#pragma once
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "vecdb/kernels.h"

namespace pandora {

class Selection {
 public:
  explicit Selection(std::size_t k) : k_(k), tighten_at_(k) {}  // k > 0
  // Below it a bound need not be offered. It rises now and then, never falls.
  float threshold() const { return threshold_; }
  void offer(const Candidate& candidate) {
    ++offered_;
    if (!(candidate.bound >= threshold_)) return;
    kept_.push_back(candidate);
    if (kept_.size() >= tighten_at_) tighten();
  }
  // Reorders candidates known by a coarser estimate: those that are likely among the best come first, and are returned.
  std::span<const Candidate> promising(std::span<Candidate> candidates) const;
  std::size_t offered() const { return offered_; }
  std::size_t k() const { return k_; }
  // Brings the threshold up to what was offered.
  void settle() { tighten(); }
  // As if everything that was offered to `other` had been offered to this one.
  void merge(Selection other);
  // What is left: at least min(k, offered), in no order.
  std::vector<Candidate> take();

 private:
  void tighten();

  std::size_t k_;
  std::size_t offered_ = 0;
  std::size_t tighten_at_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> kept_;
};

}  // namespace pandora
