#include "vecdb/part_writer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "vecdb/file_part.h"
#include "vecdb/rotation.h"

namespace pandora {
namespace {

using enum PartSection;
constexpr std::size_t kBitsOfNumber = 32;  // so many slots a key at most, or bits are smaller

struct BlockBounds {
  Slot first, last;
  float largest;
};
struct KeySlots {
  std::uint64_t at;
  std::uint32_t count, bits;
};

class PartWriter {
 public:
  PartWriter(BlockFileWriter& out, const IndexShape& shape, const PartContent& content)
      : out_(out), shape_(shape), content_(content) {}

  Status write() {
    PANDORA_CHECK(write_points());
    for (std::size_t v = 0; v < shape_.dense.size(); ++v) PANDORA_CHECK(write_dense(v));
    for (std::size_t v = 0; v < shape_.sparse; ++v) PANDORA_CHECK(write_sparse(v));
    std::size_t number = 0;
    for (const auto& [name, type] : shape_.fields) {
      const FieldKind kind = kind_of(type);
      if (kind == FieldKind::kKeys) PANDORA_CHECK(write_keys(number, name));
      if (kind == FieldKind::kNumbers || kind == FieldKind::kTimes) PANDORA_CHECK(write_column(number, name));
      ++number;
    }
    return {};
  }

 private:
  Status begin(PartSection kind, std::size_t number) {
    return out_.begin(static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(number));
  }
  template <class T>
  Status add(PartSection kind, std::size_t number, const std::vector<T>& values) {
    return out_.add(static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(number), values);
  }
  Slot end() const { return content_.first + content_.slots; }
  // Calls visit(slot, its part, or null where nobody lives) for each slot.
  template <class Visit>
  Status for_each_slot(Visit&& visit) const {
    Slot slot = content_.first;
    for (const PartSource& source : content_.sources) {
      for (; slot < source.part->first(); ++slot) PANDORA_CHECK(visit(slot, nullptr));
      for (const Slot behind = slot + static_cast<Slot>(source.part->slots()); slot < behind; ++slot)
        PANDORA_CHECK(visit(slot, content_.live.contains(slot) ? source.part.get() : nullptr));
    }
    for (; slot < end(); ++slot) PANDORA_CHECK(visit(slot, nullptr));
    return {};
  }

  Status write_points() {
    std::vector<Uuid> ids;
    std::vector<std::uint64_t> seqs, stored_at{0};
    PANDORA_CHECK(begin(kStored, 0));
    PANDORA_CHECK(for_each_slot([&](Slot slot, const IndexPart* part) -> Status {
      ids.push_back(part ? part->id(slot) : Uuid());
      seqs.push_back(part ? part->seq(slot) : 0);
      stored_at.push_back(stored_at.back());
      if (!part) return {};
      PANDORA_TRY(bytes, part->stored(slot));
      stored_at.back() += bytes.size();
      return out_.append(bytes);
    }));
    PANDORA_CHECK(add(kIds, 0, ids));
    PANDORA_CHECK(add(kSeqs, 0, seqs));
    return add(kStoredAt, 0, stored_at);
  }

  Status write_dense(std::size_t v) {
    const std::size_t dimension = shape_.dense[v], padded = Rotation::padded(dimension), plane = padded / 8;
    PANDORA_TRY(codes, gather_codes(v, padded));
    const float nobody = std::numeric_limits<float>::quiet_NaN();
    PANDORA_CHECK(for_each_slot([&](Slot slot, const IndexPart* part) -> Status {
      const std::size_t i = slot - content_.first;
      if (part && !std::isnan(codes.scale2[i])) return {};
      std::fill_n(codes.bytes.begin() + static_cast<std::ptrdiff_t>(i * padded), padded, std::uint8_t{0});
      const std::size_t lanes = i / CodeBlocks::kSlots * CodeBlocks::kSlots * plane + 4 * (i % CodeBlocks::kSlots);
      for (std::size_t at = lanes; at < lanes + CodeBlocks::kSlots * plane - 4; at += 4 * CodeBlocks::kSlots)
        for (auto* code : {&codes.high, &codes.low})
          std::fill_n(code->begin() + static_cast<std::ptrdiff_t>(at), 4, std::uint8_t{0});
      codes.scale1[i] = codes.scale2[i] = codes.scale8[i] = nobody;
      codes.offset[i] = 0;
      return {};
    }));
    PANDORA_CHECK(add(kCentredAt, v, std::vector<std::uint64_t>{content_.centred_at[v]}));
    PANDORA_CHECK(add(kHigh, v, codes.high));
    PANDORA_CHECK(add(kLow, v, codes.low));
    PANDORA_CHECK(add(kCodeBytes, v, codes.bytes));
    PANDORA_CHECK(begin(kScales, v));
    for (const auto* scale : {&codes.scale1, &codes.scale2, &codes.scale8, &codes.offset})
      PANDORA_CHECK(out_.append_array(std::span<const float>(*scale)));
    PANDORA_CHECK(begin(kRows, v));
    const std::vector<float> none(dimension);
    return for_each_slot([&](Slot slot, const IndexPart* part) -> Status {
      const float* row = none.data();
      if (part && !std::isnan(codes.scale2[slot - content_.first])) row = part->row(v, slot);
      if (!row) return fail(ErrorCode::kDataCorrupt, "a row of the index is damaged");
      return out_.append_array(std::span(row, dimension));
    });
  }

  Result<CodeTable::Copy> gather_codes(std::size_t v, std::size_t padded) const {
    const std::size_t n = content_.slots, plane = padded / 8;
    CodeTable::Copy all;
    all.high.resize(n * plane);
    all.low.resize(n * plane);
    all.bytes.resize(n * padded);
    for (auto* scale : {&all.scale1, &all.scale2, &all.scale8})
      scale->assign(n, std::numeric_limits<float>::quiet_NaN());
    all.offset.resize(n);
    for (const PartSource& source : content_.sources) {
      PANDORA_TRY(in_file, source.codes[v] ? std::optional(source.codes[v]->planes()) : source.part->codes(v));
      if (!in_file) return fail(ErrorCode::kInternal, "a part has no codes");
      const auto at = static_cast<std::ptrdiff_t>(source.part->first() - content_.first);
      const auto p = static_cast<std::ptrdiff_t>(plane), whole = static_cast<std::ptrdiff_t>(padded);
      const std::size_t count = (source.part->slots() + CodeTable::kGroup - 1) / CodeTable::kGroup * CodeTable::kGroup;
      std::copy_n(in_file->high, count * plane, all.high.begin() + at * p);
      std::copy_n(in_file->low, count * plane, all.low.begin() + at * p);
      std::copy_n(in_file->bytes, count * padded, all.bytes.begin() + at * whole);
      std::copy_n(in_file->scale1, count, all.scale1.begin() + at);
      std::copy_n(in_file->scale2, count, all.scale2.begin() + at);
      std::copy_n(in_file->scale8, count, all.scale8.begin() + at);
      std::copy_n(in_file->offset, count, all.offset.begin() + at);
    }
    return all;
  }

  Status write_sparse(std::size_t v) {
    std::vector<std::uint32_t> all;
    for (const PartSource& source : content_.sources) {
      PANDORA_TRY(terms, source.part->all_terms(v));
      all.insert(all.end(), terms.begin(), terms.end());
    }
    std::ranges::sort(all);
    const auto again = std::ranges::unique(all);
    all.erase(again.begin(), again.end());
    std::vector<std::uint32_t> terms, block_at{0};
    std::vector<std::uint64_t> term_at{0};
    std::vector<BlockBounds> blocks;
    std::vector<Posting> list;
    PANDORA_CHECK(begin(kPostings, v));
    for (const std::uint32_t term : all) {
      list.clear();
      for (const PartSource& source : content_.sources) {
        TermBlocks found;
        PANDORA_CHECK(source.part->add_blocks(v, term, found));
        for (const PostingBlock& block : found.blocks)
          std::copy_if(block.postings, block.postings + block.count, std::back_inserter(list),
                       [&](const Posting& posting) { return content_.live.contains(posting.slot); });
      }
      if (list.empty()) continue;
      PANDORA_CHECK(out_.append_array(std::span<const Posting>(list)));
      for (std::size_t at = 0; at < list.size(); at += PostingList::kBlock) {
        const auto block = std::span(list).subspan(at, std::min(PostingList::kBlock, list.size() - at));
        blocks.push_back({block.front().slot, block.back().slot, std::ranges::max(block, {}, &Posting::weight).weight});
      }
      terms.push_back(term);
      term_at.push_back(term_at.back() + list.size());
      block_at.push_back(static_cast<std::uint32_t>(blocks.size()));
    }
    PANDORA_CHECK(add(kTerms, v, terms));
    PANDORA_CHECK(add(kTermAt, v, term_at));
    PANDORA_CHECK(add(kTermBlockAt, v, block_at));
    PANDORA_CHECK(add(kBlocks, v, blocks));
    std::vector<std::uint64_t> slot_terms_at{0};
    PANDORA_CHECK(begin(kSlotTerms, v));
    PANDORA_CHECK(for_each_slot([&](Slot slot, const IndexPart* part) -> Status {
      slot_terms_at.push_back(slot_terms_at.back());
      if (!part) return {};
      PANDORA_TRY(of_slot, part->terms(v, slot));
      slot_terms_at.back() += of_slot.size();
      return out_.append_array(of_slot);
    }));
    return add(kSlotTermsAt, v, slot_terms_at);
  }

  Status write_keys(std::size_t number, const std::string& field) {
    std::map<std::string, std::vector<Slot>> slots;
    for (const PartSource& source : content_.sources)
      PANDORA_CHECK(source.part->for_each_key(field, [&](std::string_view key, const SlotSet& behind) {
        behind.for_each([&](Slot at) {
          const Slot slot = source.part->first() + at;
          if (content_.live.contains(slot)) slots[std::string(key)].push_back(slot);
        });
      }));
    std::vector<std::uint64_t> key_at{0}, bits;
    std::vector<KeySlots> where;
    std::vector<Slot> lists;
    PANDORA_CHECK(begin(kKeys, number));
    for (const auto& [key, of_key] : slots) {
      PANDORA_CHECK(out_.append(key));
      key_at.push_back(key_at.back() + key.size());
      if (of_key.size() * kBitsOfNumber <= content_.slots) {
        where.push_back({lists.size(), static_cast<std::uint32_t>(of_key.size()), 0});
        lists.insert(lists.end(), of_key.begin(), of_key.end());
      } else {
        SlotSet set;
        for (const Slot slot : of_key) set.insert(slot - content_.first);
        where.push_back({bits.size(), static_cast<std::uint32_t>(set.words().size()), 1});
        bits.insert(bits.end(), set.words().begin(), set.words().end());
      }
    }
    PANDORA_CHECK(add(kKeyAt, number, key_at));
    PANDORA_CHECK(add(kKeySlots, number, where));
    PANDORA_CHECK(add(kKeyLists, number, lists));
    return add(kKeyBits, number, bits);
  }

  Status write_column(std::size_t number, const std::string& field) {
    std::vector<std::uint64_t> values(content_.slots), has(content_.slots / SlotSet::kWordBits);
    for (const PartSource& source : content_.sources) {
      PANDORA_TRY(column, source.part->column(field));
      for (std::size_t at = 0; at < column.count; ++at) {
        const std::size_t word = at / SlotSet::kWordBits;
        if (word >= column.has.size() || (column.has[word] >> at % SlotSet::kWordBits & 1) == 0) continue;
        const auto slot = static_cast<Slot>(source.part->first() + at);
        if (!content_.live.contains(slot)) continue;
        const std::size_t to = slot - content_.first;
        std::memcpy(&values[to], column.values + at * sizeof(std::uint64_t), sizeof(std::uint64_t));
        has[to / SlotSet::kWordBits] |= std::uint64_t{1} << to % SlotSet::kWordBits;
      }
    }
    PANDORA_CHECK(add(kValues, number, values));
    return add(kHas, number, has);
  }

  BlockFileWriter& out_;
  const IndexShape& shape_;
  const PartContent& content_;
};

}  // namespace

Result<PartName> write_part(FileSystem& files, const std::string& path, std::uint64_t number, const IndexShape& shape,
                            const PartContent& content) {
  PANDORA_TRY(out, BlockFileWriter::create(files, path));
  PANDORA_CHECK(PartWriter(*out, shape, content).write());
  PANDORA_TRY(written, out->finish());
  return PartName{number, content.first, content.slots, written.bytes, written.sum};
}

}  // namespace pandora
