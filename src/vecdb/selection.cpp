#include "vecdb/selection.h"

#include <algorithm>

namespace pandora {

void Selection::count(float lower_bound) {
  if (best_.size() < k_) {
    best_.push_back(lower_bound);
    std::ranges::push_heap(best_, std::greater<>());
  } else if (lower_bound > best_.front()) {  // takes the place of the least, and sinks to its own
    std::size_t at = 0;
    for (std::size_t child = 1; child < k_; child = 2 * at + 1) {
      if (child + 1 < k_ && best_[child + 1] < best_[child]) ++child;
      if (!(best_[child] < lower_bound)) break;
      best_[at] = best_[child];
      at = child;
    }
    best_[at] = lower_bound;
  } else {
    return;
  }
  if (best_.size() == k_) threshold_ = best_.front();
}

void Selection::drop() {
  std::erase_if(kept_, [&](const Candidate& one) { return one.bound < threshold_; });
  drop_at_ = kept_.size() + std::max(kept_.size() / 2, kLeastGrowth);
}

std::span<const Candidate> Selection::promising(std::span<Candidate> candidates) const {
  std::ptrdiff_t count = 0;
  if (offered_ == 0) {  // nothing to compare with yet: as many as are wanted
    count = static_cast<std::ptrdiff_t>(std::min(k_, candidates.size()));
    std::ranges::nth_element(candidates, candidates.begin() + count, std::greater<>(), &Candidate::estimate);
  } else {
    const auto rest =
        std::ranges::partition(candidates, [&](const Candidate& one) { return one.estimate >= threshold_; });
    count = rest.begin() - candidates.begin();
  }
  return candidates.first(static_cast<std::size_t>(count));
}

void Selection::merge(Selection other) {
  offered_ += other.offered_;
  kept_.insert(kept_.end(), other.kept_.begin(), other.kept_.end());
  for (const float lower_bound : other.best_) count(lower_bound);
  drop();
}

std::vector<Candidate> Selection::take() {
  drop();
  return std::move(kept_);
}

}  // namespace pandora
