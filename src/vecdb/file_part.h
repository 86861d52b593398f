// A part of an index in a file: read in place, each block checked before it is believed. Internal to vecdb.
//
// docs/formats.md describes the sections. Ids, numbers and the tables of words are checked when it is opened; codes
// when they are loaded; rows, postings and fields when they are first read.
#pragma once
#include <memory>

#include "vecdb/block_file.h"
#include "vecdb/index_part.h"

namespace pandora {

enum class PartSection : std::uint32_t {
  kIds = 1,       // 16 bytes a slot; zeros: nobody is there
  kSeqs = 2,      // 8 a slot
  kStoredAt = 3,  // 8 a slot and one more: where its bytes begin
  kStored = 4,
  // of a dense vector
  kCentredAt = 5,  // 8: DenseCentre::at
  kHigh = 6,       // the planes of code_table.h
  kLow = 7,
  kCodeBytes = 8,
  kScales = 9,  // four floats a slot, one array behind the other: scale1, scale2, scale8, offset
  kRows = 10,   // the floats
  // of a sparse vector
  kTerms = 11,        // 4 a term, ascending
  kTermAt = 12,       // 8 a term and one more: its first posting
  kTermBlockAt = 13,  // 4 a term and one more: its first block
  kBlocks = 14,       // 12 each: first slot, last slot, largest weight
  kPostings = 15,     // 8 each: slot, weight
  kSlotTermsAt = 16,  // 8 a slot and one more
  kSlotTerms = 17,    // 4 each, ascending by slot
  // of a field
  kKeyAt = 18,     // 8 a key and one more: where its text begins
  kKeys = 19,      // ascending
  kKeySlots = 20,  // 16 a key: where its slots are, how many, 1 when they are bits
  kKeyLists = 21,  // 4 a slot, ascending
  kKeyBits = 22,   // 8 for 64 slots behind the first
  kValues = 23,    // 8 a slot
  kHas = 24,       // a bit a slot
};

class FilePart final : public IndexPart {
 public:
  // kDataCorrupt when it is not the file of `name`, or not of `shape` (which outlives it).
  static Result<std::shared_ptr<FilePart>> open(FileSystem& files, const std::string& path, const PartName& name,
                                                const IndexShape& shape);
  std::size_t slots() const override { return name_.slots; }
  const PartName* file() const override { return &name_; }
  bool damaged() const override { return file_->damaged(); }
  const Uuid& id(Slot slot) const override { return ids_[at(slot)]; }
  std::uint64_t seq(Slot slot) const override { return seqs_[at(slot)]; }
  bool has_terms(std::size_t vector, Slot slot) const override {
    const auto& starts = sparse_[vector].slot_terms_at;
    return starts[at(slot) + 1] > starts[at(slot)];
  }
  Result<std::string_view> stored(Slot slot) const override;
  const float* row(std::size_t vector, Slot slot) const override;
  Status add_blocks(std::size_t vector, std::uint32_t term, TermBlocks& list) const override;
  Result<std::span<const std::uint32_t>> terms(std::size_t vector, Slot slot) const override;
  Result<bool> select(const Condition& condition, SelectedSlots& selected) const override;
  Status with_text(const std::string& field, const std::string& text, SlotSet& slots) const override;
  Result<std::vector<std::uint32_t>> all_terms(std::size_t vector) const override;
  Status for_each_key(const std::string& field,
                      const std::function<void(std::string_view key, const SlotSet& slots)>& visit) const override;
  Result<Column> column(const std::string& field) const override;
  Result<std::optional<CodePlanes>> codes(std::size_t vector) const override;
  std::uint64_t centred_at(std::size_t vector) const override { return dense_[vector].centred_at; }
  // Codes were copied: they need not stay in memory.
  void release_codes() const;

 private:
  struct Dense {
    const Section *high, *low, *bytes, *scales, *rows;
    std::size_t dimension, padded;
    std::uint64_t centred_at;
  };
  struct Sparse {
    std::span<const std::uint32_t> terms, block_at;
    std::span<const std::uint64_t> term_at, slot_terms_at;
    const Section *blocks, *postings, *slot_terms;
  };
  struct KeySlots {
    std::uint64_t at;
    std::uint32_t count, bits;
  };
  struct Block {
    Slot first, last;
    float largest;
  };
  struct Field {
    FieldKind kind;
    std::span<const std::uint64_t> key_at;
    const Section *keys, *key_slots, *key_lists, *key_bits, *values, *has;
  };
  FilePart(const PartName& name, std::unique_ptr<BlockFile> file)
      : IndexPart(name.first), name_(name), file_(std::move(file)) {}
  Status find_sections(const IndexShape& shape);
  Slot at(Slot slot) const { return slot - first(); }
  tl::unexpected<Error> damage() const;
  Result<const Section*> section(PartSection kind, std::size_t number) const;
  template <class T>
  Result<std::span<const T>> whole(PartSection kind, std::size_t number, std::size_t count) const;  // checked now
  Result<const Section*> sized(PartSection kind, std::size_t number, std::uint64_t bytes) const;
  Result<std::optional<std::size_t>> find_key(const Field& field, std::string_view key) const;
  Status add_key(const Field& field, std::size_t key, SlotSet& slots) const;

  const PartName name_;
  std::unique_ptr<BlockFile> file_;
  const Uuid* ids_ = nullptr;
  const std::uint64_t* seqs_ = nullptr;
  const Section *stored_at_ = nullptr, *stored_ = nullptr;
  std::vector<Dense> dense_;
  std::vector<Sparse> sparse_;
  std::map<std::string, Field> fields_;
};

}  // namespace pandora
