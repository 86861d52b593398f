#include "vecdb/selection.h"

#include <algorithm>

namespace pandora {
namespace {
constexpr std::size_t kLeastGrowth = 512;  // between two looks for the k-th best
}

void Selection::offer(const Candidate& candidate) {
  *room(1) = candidate;
  added(1);
}

Candidate* Selection::room(std::size_t most) {
  if (all_.size() < size_ + most) all_.resize(std::max(size_ + most, all_.size() * 3 / 2));
  return all_.data() + size_;
}

void Selection::added(std::size_t count) {
  size_ += count;
  if (size_ >= tighten_at_) tighten();
}

void Selection::tighten() {
  const auto begin = all_.begin(), end = begin + static_cast<std::ptrdiff_t>(size_);
  if (size_ > k_) {
    const auto kth = begin + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(begin, kth, end, [](const Candidate& a, const Candidate& b) { return a.estimate > b.estimate; });
    threshold_ = std::max(threshold_, kth->estimate);
    size_ = static_cast<std::size_t>(
        std::remove_if(begin, end, [&](const Candidate& one) { return one.bound < threshold_; }) - begin);
  }
  tighten_at_ = 2 * size_ + kLeastGrowth;
}

std::vector<Candidate> Selection::take() {
  tighten();
  all_.resize(size_);
  return std::move(all_);
}

}  // namespace pandora
