#include "vectors/answers.h"

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

void append_vectors(std::string& out, Slot slot, const CollectionMemory& memory,
                    const std::vector<std::size_t>& numbers) {
  const auto append_one = [&](std::size_t number) {
    if (const DenseSpace* space = memory.dense(number)) {
      const auto values = space->vector(slot);
      append_dense(out, values.data(), values.size());
    } else {
      append_sparse(out, memory.sparse(number, slot));
    }
  };
  std::vector<std::size_t> there;
  for (const std::size_t number : numbers)
    if (memory.present(number).contains(slot)) there.push_back(number);
  // The unnamed one by itself is an array.
  if (there.size() == 1 && memory.name_of(there.front()).empty()) return append_one(there.front());
  out += '{';
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (i > 0) out += ',';
    append_json_text(out, memory.name_of(there[i]));
    out += ':';
    append_one(there[i]);
  }
  out += '}';
}

// Behind what stands in `out` of the point already.
void append_rest(std::string& out, Slot slot, const CollectionMemory& memory, const Shown& shown) {
  if (!shown.payload.is_none()) {
    out += ",\"payload\":";
    shown.payload.append(out, memory.payload(slot));
  }
  if (shown.vectors) {
    out += ",\"vector\":";
    append_vectors(out, slot, memory, shown.numbers);
  }
}

void append_order(std::string& out, const std::optional<OrderValue>& order) {
  if (!order) return;
  out += ",\"order_value\":";
  if (const auto* number = std::get_if<double>(&*order))
    append_json_double(out, *number);
  else if (const auto* integer = std::get_if<std::int64_t>(&*order))
    out += std::to_string(*integer);
  else
    out += std::to_string(std::get<Timestamp>(*order).micros);
}

// Before a point is added.
Outcome<void> check_size(const std::string& out) {
  if (out.size() <= kMaxAnswerBytes) return {};
  return fail(bad_request(fmt::format("The answer is larger than {} bytes; ask for less at once", kMaxAnswerBytes)));
}

Json to_json(const std::string& text) { return Json::parse(text, nullptr, false); }

}  // namespace

HttpResponse ok_response(std::string_view result, double seconds) {
  HttpResponse response{200, {{"Content-Type", "application/json"}}, {}};
  response.body.reserve(result.size() + 64);
  response.body += "{\"result\":";
  response.body += result;
  response.body += ",\"status\":\"ok\",\"time\":";
  append_json_double(response.body, seconds);
  response.body += '}';
  return response;
}

HttpResponse fault_response(const Fault& fault, double seconds) {
  HttpResponse response{fault.status, {{"Content-Type", "application/json"}}, "{\"status\":{\"error\":"};
  append_json_text(response.body, fault.text);
  response.body += "},\"time\":";
  append_json_double(response.body, seconds);
  response.body += '}';
  if (fault.status == 429) response.headers.add("Retry-After", "1");
  return response;
}

HttpResponse text_response(int status, std::string text) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)};
}

Outcome<std::vector<std::size_t>> shown_vectors(const VectorSelector& selector, const CollectionMemory& memory) {
  std::vector<std::size_t> numbers;
  if (selector.kind == VectorSelector::Kind::kAll)
    for (std::size_t i = 0; i < memory.name_count(); ++i) numbers.push_back(i);
  for (const std::string& name : selector.names) {
    const auto number = memory.number_of(name);
    if (!number) return fail(no_such_vector(name));
    numbers.push_back(*number);
  }
  return numbers;
}

Outcome<void> append_record(std::string& out, Slot slot, const CollectionMemory& memory, const Shown& shown) {
  PANDORA_CHECK(check_size(out));
  out += "{\"id\":";
  append_point_id(out, memory.table().id(slot));
  append_rest(out, slot, memory, shown);
  out += '}';
  return {};
}

Outcome<void> append_scored(std::string& out, const Found& found, const CollectionMemory& memory, const Shown& shown) {
  out += '[';
  for (const Ranked& one : found.points) {
    PANDORA_CHECK(check_size(out));
    if (out.back() != '[') out += ',';
    out += "{\"id\":";
    append_point_id(out, memory.table().id(one.slot));
    out += ",\"version\":";
    out += found.by_score ? std::to_string(memory.version(one.slot)) : "0";
    out += ",\"score\":";
    append_json_float(out, found.is_distance && one.score != 0 ? -one.score : one.score);
    append_rest(out, one.slot, memory, shown);
    append_order(out, one.order);
    out += '}';
  }
  out += ']';
  return {};
}

Outcome<void> append_records(std::string& out, const std::vector<Ranked>& points, const CollectionMemory& memory,
                             const Shown& shown) {
  out += '[';
  for (const Ranked& one : points) {
    if (out.back() != '[') out += ',';
    PANDORA_CHECK(append_record(out, one.slot, memory, shown));
    if (!one.order) continue;
    out.pop_back();
    append_order(out, one.order);
    out += '}';
  }
  out += ']';
  return {};
}

std::string written_json(const Written& written) {
  return fmt::format("{{\"operation_id\":{},\"status\":\"{}\"}}", written.numbers.empty() ? 0 : written.numbers.back(),
                     written.completed ? "completed" : "acknowledged");
}

std::string batch_written_json(const Written& written) {
  std::string out = "[";
  for (const std::uint64_t number : written.numbers) {
    if (out.size() > 1) out += ',';
    out += written_json({{number}, written.completed});
  }
  return out + "]";
}

std::string collection_info(const Collection& collection) {
  const auto red = [](const Error& damage) {
    return Json{{"status", "red"},
                {"optimizer_status", {{"error", damage.to_line()}}},
                {"indexed_vectors_count", 0},
                {"points_count", 0},
                {"segments_count", 0},
                {"config", config_of({})},
                {"payload_schema", Json::object()}}
        .dump();
  };
  if (const auto damage = collection.damage()) return red(*damage);
  const CollectionMemory& memory = collection.memory();
  const auto lock = memory.lock().read();
  if (memory.damaged()) return red(collection.damage_of_part());
  std::size_t vectors = 0;
  for (std::size_t i = 0; i < memory.name_count(); ++i) vectors += memory.present(i).count();
  Json schema = Json::object();
  for (const auto& [path, index_schema] : memory.schemas()) {
    const FieldIndex* index = memory.index(path);
    Json one = {{"data_type", to_string(index_schema.type)}, {"points", index ? index->points() : 0}};
    if (!index_schema.given.empty()) one["params"] = to_json(index_schema.given);
    schema[path] = std::move(one);
  }
  return Json{{"status", "green"},
              {"optimizer_status", "ok"},
              {"indexed_vectors_count", vectors},
              {"points_count", memory.table().size()},
              {"segments_count", 1},
              {"config", config_of(memory.params())},
              {"payload_schema", std::move(schema)},
              {"update_queue", {{"length", collection.queued()}}}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pandora::qdrant
