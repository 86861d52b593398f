#include "vecdb/sparse_index.h"

#include <algorithm>

namespace pandora {

void SparseIndex::put(Slot slot, const SparseVector& vector) {
  remove(slot);
  if (slot - first_ >= terms_.size()) terms_.resize(slot - first_ + 1);
  terms_[slot - first_] = vector.indices;
  for (std::size_t i = 0; i < vector.indices.size(); ++i) postings_[vector.indices[i]].put(slot, vector.values[i]);
}

void SparseIndex::remove(Slot slot) {
  if (!has(slot)) return;
  for (const std::uint32_t term : terms_[slot - first_]) {
    const auto list = postings_.find(term);
    list->second.remove(slot);
    if (list->second.size() == 0) postings_.erase(list);
  }
  terms_[slot - first_] = {};
}

std::span<const std::uint32_t> SparseIndex::terms(Slot slot) const {
  const std::size_t at = slot - first_;
  return at < terms_.size() ? std::span<const std::uint32_t>(terms_[at]) : std::span<const std::uint32_t>();
}

std::vector<std::uint32_t> SparseIndex::terms() const {
  std::vector<std::uint32_t> all;
  for (const auto& [term, list] : postings_) all.push_back(term);
  std::ranges::sort(all);
  return all;
}

const PostingList* SparseIndex::list(std::uint32_t term) const {
  const auto found = postings_.find(term);
  return found == postings_.end() ? nullptr : &found->second;
}

}  // namespace pandora
