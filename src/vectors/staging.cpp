#include "vectors/staging.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "vectors/filter_slots.h"
#include "vectors/payload_edit.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kTakenAtOnce = 64;  // points, before whoever waits for this processor has his turn

Fault no_point(const PointId& id) { return not_found(fmt::format("No point with id {} found", id.to_text())); }

struct StagedView final : PointView {
  StagedView(const CollectionMemory& the_memory, const StoredPoint& the_point, JsonNode the_payload)
      : PointView(the_point.id, the_payload), memory(the_memory), point(the_point) {}
  bool has_vector(const std::string& name) const override {
    const auto number = memory.number_of(name);
    return number && point.vectors.contains(*number);
  }
  const CollectionMemory& memory;
  const StoredPoint& point;
};

bool passes_staged(const CollectionMemory& memory, const StoredPoint& point, const Filter& filter) {
  const auto tape = JsonTape::parse(point.payload);
  return tape && holds(filter, StagedView(memory, point, tape->root()), memory.schemas());
}

}  // namespace

Outcome<void> Staging::apply(const std::vector<Operation>& request, std::uint64_t number, const Deadline& deadline) {
  undo_.clear();
  version_ = number;
  for (const Operation& operation : request) {
    if (auto done = apply_one(operation, deadline); !done) {
      for (; !undo_.empty(); undo_.pop_back()) {
        auto& [id, old] = undo_.back();
        if (old)
          changed_[id] = std::move(*old);
        else
          changed_.erase(id);
      }
      return fail(std::move(done).error());
    }
    ++version_;
  }
  return {};
}

Outcome<void> Staging::apply_one(const Operation& operation, const Deadline& deadline) {
  if (const auto* one = std::get_if<UpsertPoints>(&operation)) return upsert(*one);
  if (const auto* one = std::get_if<SetPayload>(&operation)) return set_payload(*one, deadline);
  if (const auto* one = std::get_if<UpdateVectors>(&operation)) return update_vectors(*one);
  if (const auto* one = std::get_if<DeleteVectors>(&operation)) return delete_vectors(*one, deadline);
  if (const auto* one = std::get_if<DeletePoints>(&operation)) {
    PANDORA_TRY(ids, selected(one->points, Missing::kLeftOut, deadline));
    for (const PointId& id : ids) set(id, std::nullopt);
  } else if (const auto* clear = std::get_if<ClearPayload>(&operation)) {
    PANDORA_TRY(ids, selected(clear->points, Missing::kRefused, deadline));
    for (const PointId& id : ids) change(id).payload = "{}";
  } else if (const auto* keys = std::get_if<DeletePayload>(&operation)) {
    PANDORA_TRY(ids, selected(keys->points, Missing::kRefused, deadline));
    const PayloadCut cut(keys->keys);
    for (const PointId& id : ids) {
      StoredPoint& point = change(id);
      point.payload = cut.apply(point.payload);
    }
  }
  return {};
}

Outcome<std::pair<std::size_t, StoredVector>> Staging::take_vector(const std::string& name,
                                                                   const VectorInput& input) const {
  const auto number = memory_.number_of(name);
  if (!number) return fail(no_such_vector(name));
  const auto* dense = std::get_if<DenseInput>(&input);
  const DenseSpace* space = memory_.dense(*number);
  if ((dense != nullptr) != (space != nullptr))
    return fail(wrong_input("Conversion between sparse and regular vectors failed"));
  if (!dense) return std::pair{*number, StoredVector(std::get<SparseVector>(input))};
  PANDORA_TRY(prepared, DenseSpace::prepare(*dense, space->params()));
  return std::pair{*number, StoredVector(std::move(prepared))};
}

Outcome<StoredVectors> Staging::take_vectors(const NamedVectors& given) const {
  StoredVectors taken;
  for (const auto& [name, input] : given) {
    PANDORA_TRY(one, take_vector(name, input));
    taken.insert(std::move(one));
  }
  return taken;
}

// All are judged by what was there before the first of them.
Outcome<void> Staging::upsert(const UpsertPoints& operation) {
  using Mode = UpsertPoints::Mode;
  std::vector<bool> taken(operation.points.size(), true);
  if (operation.mode != Mode::kUpsert || operation.only_if)
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const PointId& id = operation.points[i].id;
      taken[i] = exists(id) ? operation.mode != Mode::kInsertOnly && passes(id, operation.only_if)
                            : operation.mode != Mode::kUpdateOnly;
    }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const PointInput& input = operation.points[i];
    PANDORA_TRY(vectors, take_vectors(input.vectors));
    if (input.payload.size() > kMaxPayloadText)
      return fail(bad_request(
          fmt::format("the payload of point {} is larger than {} bytes", input.id.to_text(), kMaxPayloadText)));
    if (taken[i]) set(input.id, StoredPoint{input.id, version_, input.payload, std::move(vectors)});
    if (i % kTakenAtOnce == kTakenAtOnce - 1) std::this_thread::yield();
  }
  return {};
}

Outcome<void> Staging::set_payload(const SetPayload& operation, const Deadline& deadline) {
  PANDORA_TRY(ids, selected(operation.points, Missing::kRefused, deadline));
  for (const PointId& id : ids) {
    StoredPoint& point = change(id);
    point.payload = operation.overwrite
                        ? operation.payload
                        : merge_payload(point.payload, operation.payload, operation.key ? &*operation.key : nullptr);
    if (point.payload.size() > kMaxPayloadText)
      return fail(bad_request(
          fmt::format("the payload of point {} would be larger than {} bytes", id.to_text(), kMaxPayloadText)));
    if (is_too_deep(point.payload))
      return fail(bad_request(
          fmt::format("the payload of point {} would be more than {} deep", id.to_text(), kMaxPayloadDepth)));
  }
  return {};
}

Outcome<void> Staging::update_vectors(const UpdateVectors& operation) {
  std::vector<bool> taken;
  for (const PointInput& input : operation.points) {
    if (!exists(input.id)) return fail(no_point(input.id));
    taken.push_back(passes(input.id, operation.only_if));
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const PointInput& input = operation.points[i];
    PANDORA_TRY(vectors, take_vectors(input.vectors));
    if (!taken[i]) continue;
    StoredPoint& point = change(input.id);
    for (auto& [number, vector] : vectors) point.vectors[number] = std::move(vector);
  }
  return {};
}

Outcome<void> Staging::delete_vectors(const DeleteVectors& operation, const Deadline& deadline) {
  std::vector<std::size_t> numbers;
  for (const std::string& name : operation.names) {
    const auto number = memory_.number_of(name);
    if (!number) return fail(no_such_vector(name));
    numbers.push_back(*number);
  }
  PANDORA_TRY(ids, selected(operation.points, Missing::kRefused, deadline));
  for (const PointId& id : ids)
    for (const std::size_t number : numbers) change(id).vectors.erase(number);
  return {};
}

bool Staging::exists(const PointId& id) const {
  const auto staged = changed_.find(id);
  return staged != changed_.end() ? staged->second.has_value() : memory_.table().find(id).has_value();
}

bool Staging::passes(const PointId& id, const std::optional<Filter>& filter) const {
  if (!filter) return true;
  if (const auto staged = changed_.find(id); staged != changed_.end())
    return passes_staged(memory_, *staged->second, *filter);
  const Slot slot = *memory_.table().find(id);
  return passes_staged(memory_, {id, 0, std::string(memory_.payload(slot)), memory_.vectors(slot)}, *filter);
}

Outcome<std::vector<PointId>> Staging::selected(const PointSelector& selector, Missing missing,
                                                const Deadline& deadline) const {
  std::vector<PointId> ids;
  if (!selector.filter) {
    for (const PointId& id : selector.ids) {
      if (exists(id))
        ids.push_back(id);
      else if (missing == Missing::kRefused)
        return fail(no_point(id));
    }
    return ids;
  }
  PANDORA_TRY(slots, slots_of(*selector.filter, memory_, deadline));
  slots.for_each([&](Slot slot) {
    const PointId id = memory_.table().id(slot);
    if (!changed_.contains(id)) ids.push_back(id);
  });
  for (const auto& [id, point] : changed_)
    if (point && passes_staged(memory_, *point, *selector.filter)) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

StoredPoint& Staging::change(const PointId& id) {
  const auto staged = changed_.find(id);
  if (staged != changed_.end()) {
    undo_.emplace_back(id, staged->second);
  } else {
    const Slot slot = *memory_.table().find(id);
    undo_.emplace_back(id, std::nullopt);
    changed_[id] = StoredPoint{id, 0, std::string(memory_.payload(slot)), memory_.vectors(slot)};
  }
  StoredPoint& point = *changed_[id];
  point.version = version_;
  return point;
}

void Staging::set(const PointId& id, std::optional<StoredPoint> point) {
  const auto staged = changed_.find(id);
  if (staged != changed_.end())
    undo_.emplace_back(id, std::move(staged->second));
  else
    undo_.emplace_back(id, std::nullopt);
  changed_[id] = std::move(point);
}

}  // namespace pandora::qdrant
