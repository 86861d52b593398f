#include "vecdb/hit.h"

#include <algorithm>

namespace pandora {

bool better(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; }

void TopHits::offer(const Hit& hit) {
  if (k_ == 0) return;
  if (hits_.size() == k_) {
    if (!better(hit, hits_.front())) return;
    std::ranges::pop_heap(hits_, better);
    hits_.pop_back();
  }
  hits_.push_back(hit);
  std::ranges::push_heap(hits_, better);
}

std::vector<Hit> TopHits::take() {
  std::ranges::sort(hits_, better);
  return std::move(hits_);
}

}  // namespace pandora
