#include "vecdb/selection.h"

#include <algorithm>

namespace pandora {
namespace {
constexpr std::size_t kLeastGrowth = 64;  // between two looks for the k-th best
}

void Selection::tighten() {
  if (kept_.size() >= k_) {
    const auto kth = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::ranges::nth_element(kept_, kth, std::greater<>(), &Candidate::estimate);
    threshold_ = std::max(threshold_, kth->estimate);
    std::erase_if(kept_, [&](const Candidate& one) { return one.bound < threshold_; });
  }
  tighten_at_ = kept_.size() + std::max(kept_.size() / 2, kLeastGrowth);
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
  threshold_ = std::max(threshold_, other.threshold_);
  kept_.insert(kept_.end(), other.kept_.begin(), other.kept_.end());
  if (kept_.size() >= tighten_at_) tighten();
}

std::vector<Candidate> Selection::take() {
  tighten();
  return std::move(kept_);
}

}  // namespace pandora
