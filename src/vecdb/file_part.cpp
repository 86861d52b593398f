#include "vecdb/file_part.h"

#include <algorithm>

#include "vecdb/rotation.h"

namespace pandora {
namespace {
constexpr std::size_t kScalesOfSlot = 4;
}

tl::unexpected<Error> FilePart::damage() const {
  file_->set_damaged();
  return fail(ErrorCode::kDataCorrupt, "a part of the index is damaged");
}

Result<const Section*> FilePart::section(PartSection kind, std::size_t number) const {
  const Section* found = file_->section(static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(number));
  if (!found) return damage();
  return found;
}

Result<const Section*> FilePart::sized(PartSection kind, std::size_t number, std::uint64_t bytes) const {
  PANDORA_TRY(found, section(kind, number));
  if (found->bytes != bytes) return damage();
  return found;
}

template <class T>
Result<std::span<const T>> FilePart::whole(PartSection kind, std::size_t number, std::size_t count) const {
  PANDORA_TRY(found, sized(kind, number, count * sizeof(T)));
  const T* values = file_->at<T>(*found, 0, count);
  if (!values) return damage();
  return std::span<const T>(values, count);
}

Result<std::shared_ptr<FilePart>> FilePart::open(FileSystem& files, const std::string& path, const PartName& name,
                                                 const IndexShape& shape) {
  PANDORA_TRY(file, BlockFile::open(files, path, {name.bytes, name.sum}));
  std::shared_ptr<FilePart> part(new FilePart(name, std::move(file)));
  if (Status found = part->find_sections(shape); !found) return fail(std::move(found).error().with_context(path));
  return part;
}

Status FilePart::find_sections(const IndexShape& shape) {
  using enum PartSection;
  const std::size_t n = name_.slots;
  PANDORA_TRY(ids, whole<Uuid>(kIds, 0, n));
  PANDORA_TRY(seqs, whole<std::uint64_t>(kSeqs, 0, n));
  PANDORA_TRY(stored_at, sized(kStoredAt, 0, (n + 1) * sizeof(std::uint64_t)));
  PANDORA_TRY(stored, section(kStored, 0));
  ids_ = ids.data();
  seqs_ = seqs.data();
  stored_at_ = stored_at;
  stored_ = stored;
  for (std::size_t v = 0; v < shape.dense.size(); ++v) {
    const std::size_t dimension = shape.dense[v], padded = Rotation::padded(dimension);
    PANDORA_TRY(centred_at, whole<std::uint64_t>(kCentredAt, v, 1));
    PANDORA_TRY(high, sized(kHigh, v, n * padded / 8));
    PANDORA_TRY(low, sized(kLow, v, n * padded / 8));
    PANDORA_TRY(bytes, sized(kCodeBytes, v, n * padded));
    PANDORA_TRY(scales, sized(kScales, v, n * kScalesOfSlot * sizeof(float)));
    PANDORA_TRY(rows, sized(kRows, v, n * dimension * sizeof(float)));
    dense_.push_back({high, low, bytes, scales, rows, dimension, padded, centred_at[0]});
  }
  for (std::size_t v = 0; v < shape.sparse; ++v) {
    PANDORA_TRY(terms, section(kTerms, v));
    const std::size_t count = terms->bytes / sizeof(std::uint32_t);
    PANDORA_TRY(term_values, whole<std::uint32_t>(kTerms, v, count));
    PANDORA_TRY(term_at, whole<std::uint64_t>(kTermAt, v, count + 1));
    PANDORA_TRY(block_at, whole<std::uint32_t>(kTermBlockAt, v, count + 1));
    PANDORA_TRY(slot_terms_at, whole<std::uint64_t>(kSlotTermsAt, v, n + 1));
    PANDORA_TRY(blocks, section(kBlocks, v));
    PANDORA_TRY(postings, section(kPostings, v));
    PANDORA_TRY(slot_terms, section(kSlotTerms, v));
    sparse_.push_back({term_values, block_at, term_at, slot_terms_at, blocks, postings, slot_terms});
  }
  std::size_t number = 0;
  for (const auto& [name, type] : shape.fields) {
    Field field{.kind = kind_of(type),
                .key_at = {},
                .keys = {},
                .key_slots = {},
                .key_lists = {},
                .key_bits = {},
                .values = {},
                .has = {}};
    if (field.kind == FieldKind::kKeys) {
      PANDORA_TRY(keys, section(kKeySlots, number));
      const std::size_t count = keys->bytes / sizeof(KeySlots);
      PANDORA_TRY(key_at, whole<std::uint64_t>(kKeyAt, number, count + 1));
      PANDORA_TRY(texts, section(kKeys, number));
      PANDORA_TRY(lists, section(kKeyLists, number));
      PANDORA_TRY(bits, section(kKeyBits, number));
      field.key_at = key_at;
      field.keys = texts;
      field.key_slots = keys;
      field.key_lists = lists;
      field.key_bits = bits;
    } else if (field.kind != FieldKind::kNone) {
      PANDORA_TRY(values, sized(kValues, number, n * sizeof(std::uint64_t)));
      PANDORA_TRY(has, sized(kHas, number, n / SlotSet::kWordBits * sizeof(std::uint64_t)));
      field.values = values;
      field.has = has;
    }
    fields_[name] = field;
    ++number;
  }
  return {};
}

Result<std::string_view> FilePart::stored(Slot slot) const {
  const auto* ends = file_->at<std::uint64_t>(*stored_at_, at(slot), 2);
  if (!ends || ends[1] < ends[0]) return damage();
  const char* bytes = file_->at<char>(*stored_, ends[0], ends[1] - ends[0]);
  if (!bytes) return damage();
  return std::string_view(bytes, ends[1] - ends[0]);
}

const float* FilePart::row(std::size_t vector, Slot slot) const {
  const Dense& dense = dense_[vector];
  return file_->at<float>(*dense.rows, std::uint64_t{at(slot)} * dense.dimension, dense.dimension);
}

Status FilePart::add_blocks(std::size_t vector, std::uint32_t term, TermBlocks& list) const {
  const Sparse& sparse = sparse_[vector];
  const auto found = std::ranges::lower_bound(sparse.terms, term);
  if (found == sparse.terms.end() || *found != term) return {};
  const auto number = static_cast<std::size_t>(found - sparse.terms.begin());
  const std::uint64_t first = sparse.term_at[number], count = sparse.term_at[number + 1] - first;
  const std::uint32_t first_block = sparse.block_at[number], blocks = sparse.block_at[number + 1] - first_block;
  const auto* postings = file_->at<Posting>(*sparse.postings, first, count);
  const auto* block = file_->at<Block>(*sparse.blocks, first_block, blocks);
  if (!postings || !block) return damage();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const std::uint64_t begin = i * PostingList::kBlock;
    list.blocks.push_back({block[i].first, block[i].last, block[i].largest,
                           static_cast<std::uint32_t>(std::min<std::uint64_t>(PostingList::kBlock, count - begin)),
                           postings + begin});
  }
  list.size += count;
  return {};
}

Result<std::span<const std::uint32_t>> FilePart::terms(std::size_t vector, Slot slot) const {
  const Sparse& sparse = sparse_[vector];
  const std::uint64_t first = sparse.slot_terms_at[at(slot)], count = sparse.slot_terms_at[at(slot) + 1] - first;
  const auto* terms = file_->at<std::uint32_t>(*sparse.slot_terms, first, count);
  if (!terms) return damage();
  return std::span<const std::uint32_t>(terms, count);
}

Result<std::vector<std::uint32_t>> FilePart::all_terms(std::size_t vector) const {
  return std::vector<std::uint32_t>(sparse_[vector].terms.begin(), sparse_[vector].terms.end());
}

Result<std::optional<std::size_t>> FilePart::find_key(const Field& field, std::string_view key) const {
  std::size_t first = 0, end = field.key_at.size() - 1;
  while (first < end) {
    const std::size_t middle = first + (end - first) / 2;
    const std::uint64_t bytes = field.key_at[middle + 1] - field.key_at[middle];
    const char* text = file_->at<char>(*field.keys, field.key_at[middle], bytes);
    if (!text) return damage();
    const int order = std::string_view(text, bytes).compare(key);
    if (order == 0) return std::optional(middle);
    if (order < 0)
      first = middle + 1;
    else
      end = middle;
  }
  return std::optional<std::size_t>();
}

Status FilePart::add_key(const Field& field, std::size_t key, SlotSet& slots) const {
  const auto* where = file_->at<KeySlots>(*field.key_slots, key, 1);
  if (!where) return damage();
  if (where->bits) {
    const auto* words = file_->at<std::uint64_t>(*field.key_bits, where->at, where->count);
    if (!words) return damage();
    slots.add_at(first(), {words, where->count});
    return {};
  }
  const auto* list = file_->at<Slot>(*field.key_lists, where->at, where->count);
  if (!list) return damage();
  for (std::uint32_t i = 0; i < where->count; ++i) slots.insert(list[i]);
  return {};
}

Result<bool> FilePart::select(const Condition& condition, SelectedSlots& selected) const {
  const auto found = fields_.find(condition.field);
  if (found == fields_.end() || found->second.kind == FieldKind::kNone) return false;
  const Field& field = found->second;
  if (field.kind == FieldKind::kKeys) {
    Status good;
    const auto keyed = select_keys(condition, [&](const std::string& key, SlotSet& slots) {
      const auto place = find_key(field, key);
      if (!place) good = fail(place.error());
      if (good && *place) good = add_key(field, **place, slots);
    });
    PANDORA_CHECK(good);
    if (keyed) selected.slots |= keyed->slots;
    return keyed.has_value();
  }
  const auto* values = file_->at<char>(*field.values, 0, field.values->bytes);
  const auto* has = file_->at<std::uint64_t>(*field.has, 0, name_.slots / SlotSet::kWordBits);
  if (!values || !has) return damage();
  const std::span words(has, name_.slots / SlotSet::kWordBits);
  const auto column = field.kind == FieldKind::kNumbers
                          ? select_numbers({reinterpret_cast<const double*>(values), name_.slots}, words, condition)
                          : select_times({reinterpret_cast<const Timestamp*>(values), name_.slots}, words, condition);
  if (!column) return false;
  selected.slots.add_at(first(), column->slots.words());
  selected.exact = selected.exact && column->exact;
  return true;
}

Status FilePart::with_text(const std::string& field, const std::string& text, SlotSet& slots) const {
  PANDORA_TRY(place, find_key(fields_.at(field), key_of(text)));
  return place ? add_key(fields_.at(field), *place, slots) : Status();
}

Status FilePart::for_each_key(const std::string& name,
                              const std::function<void(std::string_view key, const SlotSet& slots)>& visit) const {
  const Field& field = fields_.at(name);
  for (std::size_t key = 0; key + 1 < field.key_at.size(); ++key) {
    const std::uint64_t bytes = field.key_at[key + 1] - field.key_at[key];
    const char* text = file_->at<char>(*field.keys, field.key_at[key], bytes);
    if (!text) return damage();
    SlotSet all, slots;
    PANDORA_CHECK(add_key(field, key, all));
    all.for_each([&](Slot slot) { slots.insert(at(slot)); });
    visit({text, bytes}, slots);
  }
  return {};
}

Result<IndexPart::Column> FilePart::column(const std::string& name) const {
  const Field& field = fields_.at(name);
  const auto* values = file_->at<char>(*field.values, 0, field.values->bytes);
  const auto* has = file_->at<std::uint64_t>(*field.has, 0, name_.slots / SlotSet::kWordBits);
  if (!values || !has) return damage();
  return Column{values, name_.slots, {has, name_.slots / SlotSet::kWordBits}};
}

Result<std::optional<CodePlanes>> FilePart::codes(std::size_t vector) const {
  const Dense& dense = dense_[vector];
  const std::size_t n = name_.slots;
  const auto* high = file_->at<std::uint8_t>(*dense.high, 0, dense.high->bytes);
  const auto* low = file_->at<std::uint8_t>(*dense.low, 0, dense.low->bytes);
  const auto* bytes = file_->at<std::uint8_t>(*dense.bytes, 0, dense.bytes->bytes);
  const auto* scales = file_->at<float>(*dense.scales, 0, kScalesOfSlot * n);
  if (!high || !low || !bytes || !scales) return damage();
  return std::optional(CodePlanes{high, low, bytes, scales, scales + n, scales + 2 * n, scales + 3 * n});
}

void FilePart::release_codes() const {
  for (const Dense& dense : dense_)
    for (const Section* section : {dense.high, dense.low, dense.bytes, dense.scales}) file_->release(*section);
}

}  // namespace pandora
