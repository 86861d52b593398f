// A range of slots of an index and what stands in them: the tail in memory, or a file. Internal to vecdb.
//
// Slots are those of the whole index. What a part holds of a slot that is dead means nothing. Thread-safe as long as
// nobody changes it.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vecdb/code_table.h"
#include "vecdb/payload_select.h"
#include "vecdb/sparse_search.h"

namespace pandora {

// What an index is of.
struct IndexShape {
  std::vector<std::size_t> dense;             // dimension of each dense vector, by number
  std::size_t sparse = 0;                     // how many sparse vectors
  std::map<std::string, PayloadType> fields;  // that a filter may name; texts and uuids have no index
  std::string meaning;                        // of what made the values: files of another one are not used
  bool operator==(const IndexShape&) const = default;
};

// Which codes are of differences from which mean: that of so many vectors (dense_index.h).
struct DenseCentre {
  std::uint64_t at = 0;
  std::vector<float> mean;
};

// A part's file.
struct PartName {
  std::uint64_t number = 0;
  Slot first = 0;
  std::uint32_t slots = 0;
  std::uint64_t bytes = 0;
  std::uint32_t sum = 0;
  bool operator==(const PartName&) const = default;
};

class IndexPart {
 public:
  explicit IndexPart(Slot first) : first_(first) {}
  virtual ~IndexPart() = default;
  Slot first() const { return first_; }
  virtual std::size_t slots() const = 0;                    // [first, first + slots)
  virtual const PartName* file() const { return nullptr; }  // null: in memory
  virtual bool damaged() const { return false; }            // something could not be read

  virtual const Uuid& id(Slot slot) const = 0;
  virtual std::uint64_t seq(Slot slot) const = 0;
  virtual bool has_terms(std::size_t vector, Slot slot) const = 0;  // of a sparse vector
  // The rest gives kDataCorrupt where what is read is damaged; null for a row.
  virtual Result<std::string_view> stored(Slot slot) const = 0;
  virtual const float* row(std::size_t vector, Slot slot) const = 0;
  virtual Status add_blocks(std::size_t vector, std::uint32_t term, TermBlocks& list) const = 0;
  virtual Result<std::span<const std::uint32_t>> terms(std::size_t vector, Slot slot) const = 0;

  // Adds those that meet it to `slots`, dead ones too; false where a field's index does not answer this.
  virtual Result<bool> select(const Condition& condition, SelectedSlots& selected) const = 0;
  virtual Status with_text(const std::string& field, const std::string& text, SlotSet& slots) const = 0;

  // Everything, for a new part: terms ascending; keys with slots behind the first; values by slot behind the first.
  virtual Result<std::vector<std::uint32_t>> all_terms(std::size_t vector) const = 0;
  virtual Status for_each_key(const std::string& field,
                              const std::function<void(std::string_view key, const SlotSet& slots)>& visit) const = 0;
  struct Column {
    const char* values = nullptr;  // doubles, or times: eight bytes each
    std::size_t count = 0;
    std::span<const std::uint64_t> has;
  };
  virtual Result<Column> column(const std::string& field) const = 0;
  // Null: only the index has them.
  virtual Result<std::optional<CodePlanes>> codes(std::size_t) const { return std::optional<CodePlanes>(); }
  virtual std::uint64_t centred_at(std::size_t) const { return 0; }  // of its codes

 private:
  Slot first_;
};

}  // namespace pandora
