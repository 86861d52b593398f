#include "vecdb/memory_part.h"

#include "vecdb/point_index.h"

namespace pandora {

MemoryPart::MemoryPart(const IndexShape& shape, Slot first)
    : IndexPart(first), shape_(shape), sparse_(shape.sparse, SparseIndex(first)), payloads_(shape.fields) {
  for (const std::size_t dimension : shape.dense) rows_.push_back(make_memory_rows(dimension));
}

void MemoryPart::put(Slot slot, const IndexedPoint& point) {
  if (at(slot) >= entries_.size()) entries_.resize(at(slot) + 1);
  remove(slot);
  Entry& entry = entries_[at(slot)];
  entry.id = point.id;
  entry.seq = point.seq;
  entry.stored = point.stored;
  if (point.payload)
    for (const auto& [name, type] : shape_.fields)
      if (const auto value = point.payload->find(name); value != point.payload->end()) entry.fields.insert(*value);
  payloads_.put(at(slot), entry.fields);
  for (std::size_t i = 0; i < sparse_.size(); ++i)
    if (i < point.sparse.size() && point.sparse[i] && !point.sparse[i]->indices.empty())
      sparse_[i].put(slot, *point.sparse[i]);
}

void MemoryPart::remove(Slot slot) {
  Entry& entry = entries_[at(slot)];
  payloads_.remove(at(slot), entry.fields);
  for (SparseIndex& index : sparse_) index.remove(slot);
  entry.fields.clear();
  entry.stored.clear();
}

Status MemoryPart::add_blocks(std::size_t vector, std::uint32_t term, TermBlocks& list) const {
  if (const PostingList* found = sparse_[vector].list(term)) list.append(*found);
  return {};
}

Result<std::span<const std::uint32_t>> MemoryPart::terms(std::size_t vector, Slot slot) const {
  return sparse_[vector].terms(slot);
}

Result<bool> MemoryPart::select(const Condition& condition, SelectedSlots& selected) const {
  const auto found = payloads_.select(condition);
  if (!found) return false;
  selected.slots.add_at(first(), found->slots.words());
  selected.exact = selected.exact && found->exact;
  return true;
}

Status MemoryPart::with_text(const std::string& field, const std::string& text, SlotSet& slots) const {
  slots.add_at(first(), payloads_.with_text(field, text).words());
  return {};
}

Status MemoryPart::for_each_key(const std::string& field,
                                const std::function<void(std::string_view key, const SlotSet& slots)>& visit) const {
  payloads_.for_each_key(field, visit);
  return {};
}

Result<IndexPart::Column> MemoryPart::column(const std::string& field) const {
  const auto raw = [](const auto& column) {
    static_assert(sizeof(column.values[0]) == sizeof(std::uint64_t));
    return Column{reinterpret_cast<const char*>(column.values.data()), column.values.size(), column.has};
  };
  if (kind_of(shape_.fields.at(field)) == FieldKind::kNumbers) return raw(payloads_.numbers(field));
  return raw(payloads_.times(field));
}

}  // namespace pandora
