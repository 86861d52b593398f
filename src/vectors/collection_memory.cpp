#include "vectors/collection_memory.h"

#include <algorithm>

namespace pandora::qdrant {

CollectionMemory::CollectionMemory(CollectionParams params) : params_(std::move(params)) {
  for (const auto& [name, dense] : params_.dense) {
    names_.push_back(name);
    dense_.push_back(std::make_unique<DenseSpace>(dense, table_.slots()));
  }
  for (const auto& [name, modifier] : params_.sparse) {
    names_.push_back(name);
    const TermWeighting weighting = modifier == SparseModifier::kIdf ? TermWeighting::kIdf : TermWeighting::kPlain;
    sparse_.push_back({std::make_unique<SparseIndex>(table_.slots(), 0, weighting), {}});
  }
}

std::optional<std::size_t> CollectionMemory::number_of(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

const SparseIndex* CollectionMemory::sparse(std::size_t number) const {
  return number >= dense_.size() ? sparse_[number - dense_.size()].index.get() : nullptr;
}

const SlotSet& CollectionMemory::present(std::size_t number) const {
  return number < dense_.size() ? dense_[number]->present() : sparse_[number - dense_.size()].present;
}

std::size_t CollectionMemory::indexed_sparse() const {
  std::size_t count = 0;
  for (const SparseSpace& space : sparse_) count += space.present.count();
  return count;
}

StoredVectors CollectionMemory::vectors(Slot slot) const {
  StoredVectors all;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!present(i).contains(slot)) continue;
    if (const DenseSpace* space = dense(i)) {
      const auto values = space->vector(slot);
      all[i] = std::vector<float>(values.begin(), values.end());
    } else {
      all[i] = *sparse(i)->vector(slot);
    }
  }
  return all;
}

const FieldIndex* CollectionMemory::index(const std::string& path) const {
  const auto found = indexes_.find(path);
  return found == indexes_.end() ? nullptr : found->second.get();
}

void CollectionMemory::forget_payload(Slot slot) {
  if (indexes_.empty()) return;
  if (const auto tape = JsonTape::parse(payloads_[slot]))
    for (const auto& [path, index] : indexes_) index->remove(slot, tape->root());
}

void CollectionMemory::fill(Slot slot, StoredPoint point) {
  if (slot >= payloads_.size()) {
    payloads_.resize(slot + 1);
    versions_.resize(slot + 1);
  }
  payloads_[slot] = std::move(point.payload);
  versions_[slot] = point.version;
  live_.insert(slot);
  if (!indexes_.empty())
    if (const auto tape = JsonTape::parse(payloads_[slot]))
      for (const auto& [path, index] : indexes_) index->put(slot, tape->root());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const auto given = point.vectors.find(i);
    if (i < dense_.size()) {
      if (given == point.vectors.end())
        dense_[i]->remove(slot);
      else
        dense_[i]->put(slot, std::get<std::vector<float>>(given->second));
      continue;
    }
    SparseSpace& space = sparse_[i - dense_.size()];
    if (given == point.vectors.end()) {
      space.index->remove(slot);
      space.present.erase(slot);
    } else {
      space.index->put(slot, std::get<SparseVector>(given->second));
      space.present.insert(slot);
    }
  }
}

Slot CollectionMemory::put(StoredPoint point) {
  const auto known = table_.find(point.id);
  if (known) forget_payload(*known);
  const Slot slot = known ? *known : table_.add(point.id);
  fill(slot, std::move(point));
  return slot;
}

void CollectionMemory::remove(const PointId& id) {
  const auto slot = table_.find(id);
  if (!slot) return;
  forget_payload(*slot);
  for (const auto& space : dense_) space->remove(*slot);
  for (SparseSpace& space : sparse_) {
    space.index->remove(*slot);
    space.present.erase(*slot);
  }
  payloads_[*slot] = {};
  live_.erase(*slot);
  table_.remove(*slot);
}

std::unique_ptr<FieldIndex> CollectionMemory::make_index(PayloadPath path, const FieldSchema& schema) const {
  auto index = FieldIndex::create(std::move(path), schema);
  live_.for_each([&](Slot slot) {
    if (const auto tape = JsonTape::parse(payloads_[slot])) index->put(slot, tape->root());
  });
  return index;
}

void CollectionMemory::add_index(std::unique_ptr<FieldIndex> index) {
  const std::string path = index->path().to_text();
  schemas_[path] = index->schema();
  indexes_[path] = std::move(index);
}

void CollectionMemory::drop_index(const std::string& path) {
  schemas_.erase(path);
  indexes_.erase(path);
}

}  // namespace pandora::qdrant
