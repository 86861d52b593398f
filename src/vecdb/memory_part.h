// The tail of an index: points that are in no file yet. Internal to vecdb.
#pragma once
#include <memory>
#include <vector>

#include "vecdb/index_part.h"
#include "vecdb/payload_index.h"
#include "vecdb/sparse_index.h"
#include "vecdb/vector_rows.h"

namespace pandora {

struct IndexedPoint;

class MemoryPart final : public IndexPart {
 public:
  // `shape` outlives it. `first` is a multiple of 64.
  MemoryPart(const IndexShape& shape, Slot first);
  void put(Slot slot, const IndexedPoint& point);  // replaces, or is the next one; without the dense vectors
  void put_row(std::size_t vector, Slot slot, std::span<const float> row) { rows_[vector]->put(at(slot), row); }
  void remove(Slot slot);  // its words and fields; its id stays

  std::size_t slots() const override { return entries_.size(); }
  const Uuid& id(Slot slot) const override { return entries_[at(slot)].id; }
  std::uint64_t seq(Slot slot) const override { return entries_[at(slot)].seq; }
  bool has_terms(std::size_t vector, Slot slot) const override { return sparse_[vector].has(slot); }
  Result<std::string_view> stored(Slot slot) const override { return std::string_view(entries_[at(slot)].stored); }
  const float* row(std::size_t vector, Slot slot) const override { return rows_[vector]->row(at(slot)); }
  Status add_blocks(std::size_t vector, std::uint32_t term, TermBlocks& list) const override;
  Result<std::span<const std::uint32_t>> terms(std::size_t vector, Slot slot) const override;
  Result<bool> select(const Condition& condition, SelectedSlots& selected) const override;
  Status with_text(const std::string& field, const std::string& text, SlotSet& slots) const override;
  Result<std::vector<std::uint32_t>> all_terms(std::size_t vector) const override { return sparse_[vector].terms(); }
  Status for_each_key(const std::string& field,
                      const std::function<void(std::string_view key, const SlotSet& slots)>& visit) const override;
  Result<Column> column(const std::string& field) const override;

 private:
  struct Entry {
    Uuid id;
    std::uint64_t seq = 0;
    std::string stored;
    Payload fields;  // those that are indexed, to take them out again
  };
  Slot at(Slot slot) const { return slot - first(); }
  const IndexShape& shape_;
  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<VectorRows>> rows_;
  std::vector<SparseIndex> sparse_;
  PayloadIndex payloads_;
};

}  // namespace pandora
