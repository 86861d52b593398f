// Candidates that may still be among the best k, when each is known by an estimate and a bound.
//
// One whose bound is below the k-th best lower bound (as far below its estimate as the bound is above) is dropped. So
// how many are left adapts to the data: a hundred where scores differ, a whole cluster where its members are alike,
// every duplicate of a vector (whose order is by id alone). An estimate itself would not do for a threshold: of many
// that are alike the k-th best is one that errs by as much as a bound allows, and better ones would lie below it.
#pragma once
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "vecdb/kernels.h"

namespace pandora {

class Selection {
 public:
  explicit Selection(std::size_t k) : k_(k), drop_at_(kLeastGrowth) {  // k > 0
    kept_.reserve(kLeastGrowth);
    best_.reserve(k < kLeastGrowth ? k : kLeastGrowth);
  }
  // Below it a bound need not be offered: the k-th best lower bound so far. It never falls.
  float threshold() const { return threshold_; }
  void offer(const Candidate& candidate) {
    ++offered_;
    if (!(candidate.bound >= threshold_)) return;
    kept_.push_back(candidate);
    count(2 * candidate.estimate - candidate.bound);
    if (kept_.size() >= drop_at_) drop();
  }
  // Reorders candidates known by a coarser estimate: those that are likely among the best come first, and are returned.
  std::span<const Candidate> promising(std::span<Candidate> candidates) const;
  std::size_t offered() const { return offered_; }
  std::size_t k() const { return k_; }
  // As if everything that was offered to `other` had been offered to this one.
  void merge(Selection other);
  // What is left: at least min(k, offered), in no order.
  std::vector<Candidate> take();

 private:
  static constexpr std::size_t kLeastGrowth = 64;  // between two looks for what may be dropped
  void count(float lower_bound);
  void drop();

  std::size_t k_;
  std::size_t offered_ = 0;
  std::size_t drop_at_;
  std::vector<float> best_;  // lower bounds: the k largest, a heap whose first is the least
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> kept_;
};

}  // namespace pandora
