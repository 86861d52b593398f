#include "wire/qdrant_operations.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "wire/qdrant_read.h"

namespace pandora::qdrant {
namespace {

constexpr std::size_t kReadAtOnce = 16;  // points, before whoever waits for this processor has his turn

Outcome<std::string> read_payload(JsonNode node) {
  std::string payload = "{}";
  if (!node || node.is_null()) return payload;
  if (!node.is_object()) return fail(invalid_type(node, "a map"));
  payload.clear();
  append_compact(payload, node);
  return payload;
}

Outcome<std::vector<PointId>> read_ids(JsonNode node) {
  if (!node.is_array()) return fail(invalid_type(node, "a sequence"));
  std::vector<PointId> ids;
  for (JsonNode item = node.first(); item; item = item.next()) {
    PANDORA_TRY(id, read_point_id(item));
    ids.push_back(id);
  }
  return ids;
}

// The whole body is the selector.
Outcome<PointSelector> read_selector(JsonNode body) {
  const Fault none = bad_format("data did not match any variant of untagged enum PointsSelector");
  if (!body.is_object()) return fail(none);
  PANDORA_CHECK(refuse_shard_key(body));
  PointSelector selector;
  if (const JsonNode ids = optional_member(body, "points")) {
    PANDORA_TRY(read, read_ids(ids));
    selector.ids = std::move(read);
    return selector;
  }
  const JsonNode filter = optional_member(body, "filter");
  if (!filter) return fail(none);
  PANDORA_TRY(read, read_filter(filter, "filter"));
  selector.filter = std::move(read);
  return selector;
}

// The selector is beside other fields.
Outcome<PointSelector> read_selector_in(JsonNode body) {
  PANDORA_CHECK(refuse_shard_key(body));
  PointSelector selector;
  const JsonNode ids = optional_member(body, "points"), filter = optional_member(body, "filter");
  if (ids) {
    PANDORA_TRY(read, read_ids(ids));
    selector.ids = std::move(read);
  } else if (filter) {
    PANDORA_TRY(read, read_filter(filter, "filter"));
    selector.filter = std::move(read);
  } else {
    return fail(bad_format("Either list of point ids or filter must be provided"));
  }
  return selector;
}

Outcome<PointInput> read_point(JsonNode node, std::size_t index) {
  if (!node.is_object()) return fail(invalid_type(node, "struct PointStruct"));
  PointInput point;
  PANDORA_TRY(id, required(node, "id"));
  PANDORA_TRY(read, read_point_id(id));
  point.id = read;
  const JsonNode given = node.find("vector"), vector = given ? given : node.find("vectors");
  if (!vector) return fail(bad_format("missing field `vector`"));
  PANDORA_TRY(vectors, read_vectors(vector, fmt::format("points[{}].vector", index)));
  point.vectors = std::move(vectors);
  PANDORA_TRY(payload, read_payload(node.find("payload")));
  point.payload = std::move(payload);
  return point;
}

Outcome<std::vector<PointInput>> read_points(JsonNode node) {
  if (!node.is_array()) return fail(invalid_type(node, "a sequence"));
  std::vector<PointInput> points;
  for (JsonNode item = node.first(); item; item = item.next()) {
    PANDORA_TRY(point, read_point(item, points.size()));
    points.push_back(std::move(point));
    if (points.size() % kReadAtOnce == 0) std::this_thread::yield();
  }
  return points;
}

Fault unequal(const char* what, std::size_t ids, std::size_t others) {
  return bad_value(fmt::format("batch.batch: number of ids and {} must be equal ({} != {})", what, ids, others));
}

// Columns: {"ids": […], "vectors": […] or {name: […]}, "payloads": […]}.
Outcome<std::vector<PointInput>> read_columns(JsonNode node) {
  PANDORA_TRY(ids_node, required(node, "ids"));
  PANDORA_TRY(ids, read_ids(ids_node));
  PANDORA_TRY(vectors, required(node, "vectors"));
  std::vector<PointInput> points(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) points[i].id = ids[i];
  const auto column = [&](const std::string& name, JsonNode list) -> Outcome<void> {
    if (!list.is_array()) return fail(bad_format("data did not match any variant of untagged enum BatchVectorStruct"));
    if (list.size() != ids.size()) return fail(unequal("vectors", ids.size(), list.size()));
    std::size_t i = 0;
    for (JsonNode item = list.first(); item; item = item.next(), ++i) {
      PANDORA_TRY(vector, read_vector(item, fmt::format("batch.vectors[{}]", i)));
      if (const auto* dense = std::get_if<DenseInput>(&vector); dense && dense->values.empty())
        return fail(bad_value(fmt::format("batch.vectors[{}]: dense vector must not be empty", i)));
      points[i].vectors.emplace_back(name, std::move(vector));
      if (i % kReadAtOnce == kReadAtOnce - 1) std::this_thread::yield();
    }
    return {};
  };
  if (vectors.is_object()) {
    for (JsonNode key = vectors.first(); key; key = key.next().next()) PANDORA_CHECK(column(key.text(), key.next()));
  } else {
    PANDORA_CHECK(column("", vectors));
  }
  if (const JsonNode payloads = optional_member(node, "payloads")) {
    if (!payloads.is_array()) return fail(invalid_type(payloads, "a sequence"));
    if (payloads.size() != ids.size()) return fail(unequal("payloads", ids.size(), payloads.size()));
    std::size_t i = 0;
    for (JsonNode item = payloads.first(); item; item = item.next(), ++i) {
      PANDORA_TRY(payload, read_payload(item));
      points[i].payload = std::move(payload);
    }
  }
  return points;
}

Outcome<std::optional<Filter>> read_update_filter(JsonNode body) {
  std::optional<Filter> filter;
  if (const JsonNode given = optional_member(body, "update_filter")) {
    PANDORA_TRY(read, read_filter(given, "update_filter"));
    filter = std::move(read);
  }
  return filter;
}

Outcome<Operation> read_payload_change(JsonNode body, bool overwrite) {
  SetPayload change;
  change.overwrite = overwrite;
  PANDORA_TRY(given, required(body, "payload"));
  if (!given.is_object()) return fail(invalid_type(given, "a map"));
  PANDORA_TRY(payload, read_payload(given));
  change.payload = std::move(payload);
  PANDORA_TRY(points, read_selector_in(body));
  change.points = std::move(points);
  if (const JsonNode key = optional_member(body, "key")) {
    PANDORA_TRY(path, read_path(key));
    change.key = std::move(path);
  }
  return Operation(std::move(change));
}

}  // namespace

Outcome<Operation> read_upsert(JsonNode body) {
  UpsertPoints upsert;
  if (!body.is_object()) return fail(invalid_type(body, "struct PointInsertOperations"));
  PANDORA_CHECK(refuse_shard_key(body));
  if (const JsonNode batch = optional_member(body, "batch")) {
    PANDORA_TRY(points, read_columns(batch));
    upsert.points = std::move(points);
  } else if (const JsonNode list = optional_member(body, "points")) {
    PANDORA_TRY(points, read_points(list));
    upsert.points = std::move(points);
  } else {
    return fail(bad_format("Invalid PointInsertOperations format"));
  }
  PANDORA_TRY(only_if, read_update_filter(body));
  upsert.only_if = std::move(only_if);
  if (const JsonNode mode = optional_member(body, "update_mode")) {
    PANDORA_TRY(name, read_string(mode));
    if (name == "insert_only")
      upsert.mode = UpsertPoints::Mode::kInsertOnly;
    else if (name == "update_only")
      upsert.mode = UpsertPoints::Mode::kUpdateOnly;
    else if (name != "upsert")
      return fail(bad_format(
          fmt::format("unknown variant `{}`, expected one of `upsert`, `insert_only`, `update_only`", name)));
  }
  return Operation(std::move(upsert));
}

Outcome<Operation> read_delete_points(JsonNode body) {
  PANDORA_TRY(points, read_selector(body));
  return Operation(DeletePoints{std::move(points)});
}
Outcome<Operation> read_clear_payload(JsonNode body) {
  PANDORA_TRY(points, read_selector(body));
  return Operation(ClearPayload{std::move(points)});
}
Outcome<Operation> read_set_payload(JsonNode body) { return read_payload_change(body, false); }
Outcome<Operation> read_overwrite_payload(JsonNode body) { return read_payload_change(body, true); }

Outcome<Operation> read_delete_payload(JsonNode body) {
  DeletePayload change;
  PANDORA_TRY(keys, required(body, "keys"));
  PANDORA_TRY(paths, read_paths(keys));
  change.keys = std::move(paths);
  PANDORA_TRY(points, read_selector_in(body));
  change.points = std::move(points);
  return Operation(std::move(change));
}

Outcome<Operation> read_update_vectors(JsonNode body) {
  PANDORA_TRY(list, required(body, "points"));
  PANDORA_CHECK(refuse_shard_key(body));
  PANDORA_TRY(points, read_points(list));
  const auto is_empty = [](const auto& named) {
    const auto* sparse = std::get_if<SparseVector>(&named.second);
    return sparse && sparse->indices.empty();
  };
  for (const PointInput& point : points)
    if (std::ranges::all_of(point.vectors, is_empty))
      return fail(bad_value("points[?].vector: must specify vectors to update for point"));
  PANDORA_TRY(only_if, read_update_filter(body));
  return Operation(UpdateVectors{std::move(points), std::move(only_if)});
}

Outcome<Operation> read_delete_vectors(JsonNode body) {
  DeleteVectors change;
  const JsonNode given = body.find("vector");
  PANDORA_TRY(names, required(body, given ? "vector" : "vectors"));
  if (!names.is_array()) return fail(invalid_type(names, "a sequence"));
  for (JsonNode name = names.first(); name; name = name.next()) {
    PANDORA_TRY(text, read_string(name));
    change.names.push_back(std::move(text));
  }
  if (change.names.empty()) return fail(bad_value("vector: must not be empty"));
  PANDORA_TRY(points, read_selector_in(body));
  change.points = std::move(points);
  return Operation(std::move(change));
}

Outcome<std::vector<Operation>> read_batch(JsonNode body) {
  using Read = Outcome<Operation> (*)(JsonNode);
  constexpr std::pair<const char*, Read> kKinds[] = {
      {"upsert", read_upsert},
      {"delete", read_delete_points},
      {"set_payload", read_set_payload},
      {"overwrite_payload", read_overwrite_payload},
      {"delete_payload", read_delete_payload},
      {"clear_payload", read_clear_payload},
      {"update_vectors", read_update_vectors},
      {"delete_vectors", read_delete_vectors},
  };
  PANDORA_TRY(list, required(body, "operations"));
  if (!list.is_array()) return fail(invalid_type(list, "a sequence"));
  std::vector<Operation> operations;
  for (JsonNode item = list.first(); item; item = item.next()) {
    if (operations.size() == kMaxBatchOperations)
      return fail(bad_value(fmt::format("operations: more than {}", kMaxBatchOperations)));
    const auto* kind = std::begin(kKinds);
    while (kind != std::end(kKinds) && !item.find(kind->first)) ++kind;
    if (kind == std::end(kKinds))
      return fail(bad_format("data did not match any variant of untagged enum UpdateOperation"));
    PANDORA_TRY(operation, kind->second(item.find(kind->first)));
    operations.push_back(std::move(operation));
  }
  return operations;
}

}  // namespace pandora::qdrant
