#include "vectors/collection_memory.h"

#include <algorithm>

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

// What the index must know of a point beside its values: marks, in a field of ours.
constexpr const char* kMarks = "marks";
constexpr const char* kMadeUp = "made up";  // its key is; its id stands in front of its payload

std::string empty_mark(std::size_t sparse) { return fmt::format("empty {}", sparse); }

IndexShape shape_of(const CollectionParams& params) {
  IndexShape shape;
  for (const auto& [name, dense] : params.dense) {
    shape.dense.push_back(DenseSpace::indexed_size(dense));
    shape.meaning += fmt::format("{}\n", to_string(dense.distance));
  }
  shape.sparse = params.sparse.size();
  shape.fields[kMarks] = PayloadType::kKeyword;
  return shape;
}

SlotSet marked(const PointIndex& index, const std::string& mark) {
  pandora::Condition condition;
  condition.field = kMarks;
  condition.any.emplace_back(mark);
  const auto selected = index.select(condition);
  return selected && *selected ? (*selected)->slots : SlotSet();
}

}  // namespace

CollectionMemory::CollectionMemory(CollectionParams params)
    : params_(std::move(params)), index_(shape_of(params_)), table_(index_), sparse_present_(params_.sparse.size()) {
  for (const auto& [name, dense] : params_.dense) {
    names_.push_back(name);
    dense_.emplace_back(dense, index_, dense_.size());
  }
  for (const auto& [name, modifier] : params_.sparse) names_.push_back(name);
  set_weightings();
}

void CollectionMemory::set_weightings() {
  weightings_.clear();
  for (const auto& [name, modifier] : params_.sparse)
    weightings_.push_back(modifier == SparseModifier::kIdf ? TermWeighting::kIdf : TermWeighting::kPlain);
}

void CollectionMemory::set_params(CollectionParams params) {
  params_ = std::move(params);
  set_weightings();
}

std::optional<std::size_t> CollectionMemory::number_of(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

const SlotSet& CollectionMemory::present(std::size_t number) const {
  return number < dense_.size() ? index_.with_dense(number) : sparse_present_[number - dense_.size()];
}

std::string_view CollectionMemory::payload(Slot slot) const {
  const auto stored = index_.stored(slot);
  if (!stored) return "{}";
  return table_.is_made_up(slot) ? stored->substr(sizeof(Uuid)) : *stored;
}

SparseVector CollectionMemory::sparse(std::size_t number, Slot slot) const {
  auto vector = index_.sparse(number - dense_.size(), slot);
  return vector && *vector ? **std::move(vector) : SparseVector();
}

StoredVectors CollectionMemory::vectors(Slot slot) const {
  StoredVectors all;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!present(i).contains(slot)) continue;
    if (const DenseSpace* space = dense(i)) {
      const auto values = space->vector(slot);
      all[i] = std::vector<float>(values.begin(), values.end());
    } else {
      all[i] = sparse(i, slot);
    }
  }
  return all;
}

Result<std::vector<Hit>> CollectionMemory::search_sparse(std::size_t number, const SparseVector& query, std::size_t k,
                                                         const SlotSet* filter, const Deadline& deadline) const {
  const std::size_t sparse = number - dense_.size();
  return index_.by_terms(sparse, query, std::min(k, index_.size()), filter, deadline, nullptr, weightings_[sparse]);
}

const FieldIndex* CollectionMemory::index(const std::string& path) const {
  const auto found = indexes_.find(path);
  return found == indexes_.end() ? nullptr : found->second.get();
}

std::optional<JsonTape> CollectionMemory::payload_for_indexes(std::string_view text) const {
  if (indexes_.empty()) return std::nullopt;
  auto tape = JsonTape::parse(text);
  return tape ? std::optional(*std::move(tape)) : std::nullopt;
}

void CollectionMemory::enters(Slot slot, const PointId& id, const std::optional<JsonTape>& payload) {
  table_.enters(slot);
  if (index_.id(slot) != id.bytes()) table_.stands(slot, id);
  if (!payload) return;
  for (const auto& [path, index] : indexes_) index->put(slot, payload->root());
}

void CollectionMemory::leaves(Slot slot) {
  if (!indexes_.empty())
    if (const auto tape = JsonTape::parse(payload(slot)))
      for (const auto& [path, index] : indexes_) index->remove(slot, tape->root());
  for (SlotSet& present : sparse_present_) present.erase(slot);
  table_.leaves(slot);
}

CollectionMemory::Prepared CollectionMemory::prepare(const StoredPoint& point) const {
  Prepared prepared{&point, {}, std::vector<DenseCode>(dense_.size()), payload_for_indexes(point.payload)};
  prepared.extended.resize(dense_.size());
  for (const auto& [number, vector] : point.vectors) {
    if (number >= dense_.size()) break;  // sparse ones are behind
    std::span<const float> values = std::get<std::vector<float>>(vector);
    if (DenseSpace::indexed_size(dense_[number].params()) != values.size()) {
      prepared.extended[number].assign(values.begin(), values.end());
      DenseSpace::extend(prepared.extended[number], dense_[number].params());
      values = prepared.extended[number];
    }
    prepared.codes[number] = index_.code_of(number, values);
  }
  return prepared;
}

void CollectionMemory::put(const Prepared& prepared) {
  const StoredPoint& point = *prepared.point;
  const auto known = table_.find(point.id);
  if (known && index_.seq(*known) >= point.version) return;
  IndexedPoint indexed;
  indexed.id = table_.key_of(point.id);
  indexed.seq = point.version;
  indexed.stored = point.payload;
  std::vector<std::string> marks;
  std::string with_id;
  if (indexed.id != point.id.bytes()) {
    marks.emplace_back(kMadeUp);
    const auto& bytes = point.id.bytes().bytes;
    with_id.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size()).append(point.payload);
    indexed.stored = with_id;
  }
  indexed.dense.resize(dense_.size());
  indexed.codes.resize(dense_.size());
  indexed.sparse.resize(sparse_present_.size());
  for (const auto& [number, vector] : point.vectors) {
    if (number >= dense_.size()) {
      const auto& sparse = std::get<SparseVector>(vector);
      indexed.sparse[number - dense_.size()] = &sparse;
      if (sparse.indices.empty()) marks.push_back(empty_mark(number - dense_.size()));
      continue;
    }
    const auto& extended = prepared.extended[number];
    indexed.dense[number] = extended.empty() ? std::get<std::vector<float>>(vector) : extended;
    indexed.codes[number] = &prepared.codes[number];
  }
  Payload payload;
  if (!marks.empty()) payload.emplace(kMarks, std::move(marks));
  indexed.payload = &payload;

  if (known) leaves(*known);
  if (!index_.put(indexed)) return;  // a file is damaged: `damaged` says so
  const Slot slot = *index_.find(indexed.id);
  enters(slot, point.id, prepared.payload);
  for (const auto& [number, vector] : point.vectors)
    if (number >= dense_.size()) sparse_present_[number - dense_.size()].insert(slot);
}

void CollectionMemory::remove(const PointId& id, std::uint64_t version) {
  const auto slot = table_.find(id);
  if (!slot || index_.seq(*slot) >= version) return;
  const Uuid key = index_.id(*slot);
  leaves(*slot);
  (void)index_.remove(key, version);
}

bool CollectionMemory::move_some(std::size_t most) {
  const std::vector<Slot> slots = index_.worth_moving(most);
  for (const Slot slot : slots) {
    const PointId id = table_.id(slot);
    const Uuid key = index_.id(slot);
    const std::string text(payload(slot));
    std::vector<std::string> marks;
    if (table_.is_made_up(slot)) marks.emplace_back(kMadeUp);
    std::vector<bool> had;
    for (std::size_t sparse = 0; sparse < sparse_present_.size(); ++sparse) {
      had.push_back(sparse_present_[sparse].contains(slot));
      if (had.back() && !index_.has_terms(sparse, slot)) marks.push_back(empty_mark(sparse));
    }
    Payload payload;
    if (!marks.empty()) payload.emplace(kMarks, std::move(marks));
    leaves(slot);
    if (!index_.move(slot, payload))
      return false;  // a file is damaged (`damaged` says so); room there is: worth_moving
    const Slot to = *index_.find(key);
    enters(to, id, payload_for_indexes(text));
    for (std::size_t sparse = 0; sparse < had.size(); ++sparse)
      if (had[sparse]) sparse_present_[sparse].insert(to);
  }
  return slots.size() == most;
}

void CollectionMemory::adopt() {
  table_.adopt();
  marked(index_, kMadeUp).for_each([&](Slot slot) {
    const auto stored = index_.stored(slot);
    Uuid id;
    if (!stored || stored->size() < sizeof id) return;
    std::copy_n(stored->data(), sizeof id, reinterpret_cast<char*>(id.bytes.data()));
    table_.stands(slot, PointId::of(id));
  });
  for (std::size_t sparse = 0; sparse < sparse_present_.size(); ++sparse) {
    sparse_present_[sparse] = marked(index_, empty_mark(sparse));
    live().for_each([&](Slot slot) {
      if (index_.has_terms(sparse, slot)) sparse_present_[sparse].insert(slot);
    });
  }
}

void CollectionMemory::fill(FieldIndex& index, std::size_t first, std::size_t end) const {
  for (std::size_t at = first; at < end; ++at) {
    const auto slot = static_cast<Slot>(at);
    if (!live().contains(slot)) continue;
    if (const auto tape = JsonTape::parse(payload(slot))) index.put(slot, tape->root());
  }
}

std::unique_ptr<FieldIndex> CollectionMemory::make_index(PayloadPath path, const FieldSchema& schema) const {
  auto index = FieldIndex::create(std::move(path), schema);
  fill(*index, 0, table_.bound());
  return index;
}

void CollectionMemory::add_schema(const IndexRequest& index) { schemas_[index.path.to_text()] = index.schema; }

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
