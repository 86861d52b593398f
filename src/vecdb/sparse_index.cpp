#include "vecdb/sparse_index.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace pandora {

void SparseIndex::put(Slot slot, SparseVector vector) {
  remove(slot);
  for (std::size_t i = 0; i < vector.indices.size(); ++i)
    postings_[vector.indices[i]].push_back({slot, vector.values[i]});
  entries_[slot] = std::move(vector);
}

void SparseIndex::remove(Slot slot) {
  const auto entry = entries_.find(slot);
  if (entry == entries_.end()) return;
  for (const std::uint32_t term : entry->second.indices) {
    const auto list = postings_.find(term);
    std::erase_if(list->second, [&](const Posting& posting) { return posting.slot == slot; });
    if (list->second.empty()) postings_.erase(list);
  }
  entries_.erase(entry);
}

const SparseVector* SparseIndex::vector(Slot slot) const {
  const auto entry = entries_.find(slot);
  return entry == entries_.end() ? nullptr : &entry->second;
}

Result<std::vector<Hit>> SparseIndex::search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                             const Deadline& deadline) const {
  // Terms in ascending order, so that a sum is the same whatever the order of the query.
  std::map<std::uint32_t, double> terms;
  for (std::size_t i = 0; i < query.indices.size(); ++i) terms[query.indices[i]] += query.values[i];
  std::unordered_map<Slot, double> scores;
  const auto count = static_cast<double>(entries_.size());
  for (const auto& [term, weight] : terms) {
    PANDORA_CHECK(deadline.check("searching by words"));
    const auto list = postings_.find(term);
    if (list == postings_.end()) continue;
    const auto df = static_cast<double>(list->second.size());
    const double idf = std::log(1 + (count - df + 0.5) / (df + 0.5));
    for (const Posting& posting : list->second) scores[posting.slot] += weight * idf * posting.weight;
  }
  TopHits best(k);
  for (const auto& [slot, score] : scores) {
    if (filter && !filter->contains(slot)) continue;
    best.offer({slot, slots_.id(slot), static_cast<float>(score)});
  }
  return best.take();
}

}  // namespace pandora
