#include "vecdb/sparse_index.h"

#include <algorithm>
#include <map>

namespace pandora {

void SparseIndex::put(Slot slot, const SparseVector& vector) {
  remove(slot);
  if (slot - first_ >= terms_.size()) terms_.resize(slot - first_ + 1);
  terms_[slot - first_] = vector.indices;
  for (std::size_t i = 0; i < vector.indices.size(); ++i) postings_[vector.indices[i]].put(slot, vector.values[i]);
  present_.insert(slot - first_);
  ++count_;
}

void SparseIndex::remove(Slot slot) {
  if (!has(slot)) return;
  for (const std::uint32_t term : terms_[slot - first_]) {
    const auto list = postings_.find(term);
    list->second.remove(slot);
    if (list->second.size() == 0) postings_.erase(list);
  }
  terms_[slot - first_] = {};
  present_.erase(slot - first_);
  --count_;
}

std::optional<SparseVector> SparseIndex::vector(Slot slot) const {
  if (!has(slot)) return std::nullopt;
  SparseVector vector{terms_[slot - first_], {}};
  for (const std::uint32_t term : vector.indices) vector.values.push_back(*postings_.at(term).find(slot));
  return vector;
}

std::span<const std::uint32_t> SparseIndex::terms(Slot slot) const {
  return has(slot) ? std::span<const std::uint32_t>(terms_[slot - first_]) : std::span<const std::uint32_t>();
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

Result<std::vector<Hit>> SparseIndex::search(const SparseVector& query, std::size_t k, const SlotSet* filter,
                                             const Deadline& deadline, SparseTrace* trace) const {
  PANDORA_CHECK(deadline.check("searching by words"));
  std::map<std::uint32_t, double> values;
  for (std::size_t i = 0; i < query.indices.size(); ++i) values[query.indices[i]] += query.values[i];
  std::vector<SearchTerm> terms;
  for (const auto& [term, value] : values) {
    const PostingList* found = list(term);
    if (!found) continue;
    SearchTerm& searched = terms.emplace_back();
    const bool by_rarity = weighting_ == TermWeighting::kIdf;
    searched.factor = by_rarity ? value * inverse_document_frequency(count_, found->size()) : value;
    searched.list.append(*found);
  }
  return search_postings(std::move(terms), k, slots_, filter, deadline, trace);
}

}  // namespace pandora
