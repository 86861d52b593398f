// Calls that ask for points.
#include <unordered_set>

#include "vectors/call.h"

namespace pandora::qdrant {
namespace {

// Nothing that was read from a damaged file is an answer. Under the memory's lock.
Outcome<void> check_read(const Call& call, const CollectionMemory& memory) {
  if (memory.damaged()) return fail(damaged_collection(call.route.collection, "a part of its files"));
  return {};
}

Outcome<std::string> one_point(Call& call) {
  PANDORA_TRY(id, parse_point_id(call.route.item));
  PANDORA_TRY(collection, call.collection());
  const CollectionMemory& memory = collection->memory();
  const auto lock = memory.lock().read();
  const auto slot = memory.table().find(id);
  if (!slot) return fail(not_found("Point with id " + id.to_text() + " does not exists!"));
  const PayloadSelector all{PayloadSelector::Kind::kAll, {}};
  PANDORA_TRY(numbers, shown_vectors({VectorSelector::Kind::kAll, {}}, memory));
  std::string out;
  PANDORA_CHECK(append_record(out, *slot, memory, {PayloadView(all), true, std::move(numbers)}));
  PANDORA_CHECK(check_read(call, memory));
  return out;
}

Outcome<std::string> retrieve(Call& call) {
  PANDORA_TRY(body, call.body());
  PANDORA_TRY(request, read_retrieve(body));
  PANDORA_TRY(collection, call.collection());
  const CollectionMemory& memory = collection->memory();
  const auto lock = memory.lock().read();
  PANDORA_TRY(numbers, shown_vectors(request.vectors, memory));
  const Shown shown{PayloadView(request.payload), request.vectors.kind != VectorSelector::Kind::kNone,
                    std::move(numbers)};
  std::unordered_set<PointId> seen;
  std::string out = "[";
  for (const PointId& id : request.ids) {
    const auto slot = memory.table().find(id);
    if (!slot || !seen.insert(id).second) continue;
    if (out.size() > 1) out += ',';
    PANDORA_CHECK(append_record(out, *slot, memory, shown));
  }
  PANDORA_CHECK(check_read(call, memory));
  return out + "]";
}

Outcome<std::string> scroll(Call& call) {
  PANDORA_TRY(body, call.body());
  PANDORA_TRY(request, read_scroll(body));
  PANDORA_TRY(collection, call.collection());
  const CollectionMemory& memory = collection->memory();
  const auto lock = memory.lock().read();
  PANDORA_TRY(numbers, shown_vectors(request.vectors, memory));
  PANDORA_TRY(scrolled, run_scroll(request, memory, call.deadline()));
  std::string out = "{\"points\":";
  PANDORA_CHECK(append_records(
      out, scrolled.points, memory,
      {PayloadView(request.payload), request.vectors.kind != VectorSelector::Kind::kNone, std::move(numbers)}));
  PANDORA_CHECK(check_read(call, memory));
  out += ",\"next_page_offset\":";
  if (scrolled.next)
    append_point_id(out, *scrolled.next);
  else
    out += "null";
  return out + "}";
}

Outcome<std::string> count(Call& call) {
  PANDORA_TRY(body, call.body());
  PANDORA_TRY(filter, read_count(body));
  PANDORA_TRY(collection, call.collection());
  const CollectionMemory& memory = collection->memory();
  const auto lock = memory.lock().read();
  PANDORA_TRY(points, run_count(filter, memory, call.deadline()));
  PANDORA_CHECK(check_read(call, memory));
  return "{\"count\":" + std::to_string(points) + "}";
}

// Of one or several; the old form has no object around its points.
struct Asked {
  std::vector<QueryRequest> requests;
  bool is_list = false, is_old = false;
};

Outcome<Asked> read_asked(Call& call) {
  PANDORA_TRY(body, call.body());
  Asked asked;
  asked.is_list = call.route.api == Api::kQueryBatch || call.route.api == Api::kSearchBatch;
  asked.is_old = call.route.api == Api::kSearch || call.route.api == Api::kSearchBatch;
  if (asked.is_list) {
    PANDORA_TRY(requests, asked.is_old ? read_search_batch(body) : read_query_batch(body));
    asked.requests = std::move(requests);
  } else {
    PANDORA_TRY(request, asked.is_old ? read_search(body) : read_query(body));
    asked.requests.push_back(std::move(request));
  }
  return asked;
}

Outcome<std::string> search(Call& call, const Asked& asked, const CollectionMemory& memory) {
  const Deadline deadline = call.deadline();
  const auto lock = memory.lock().read();
  std::string out = asked.is_list ? "[" : "";
  for (const QueryRequest& request : asked.requests) {
    PANDORA_TRY(numbers, shown_vectors(request.vectors, memory));
    PANDORA_TRY(found, run_query(request, memory, deadline));
    if (out.size() > 1) out += ',';
    if (!asked.is_old) out += "{\"points\":";
    PANDORA_CHECK(append_scored(
        out, found, memory,
        {PayloadView(request.payload), request.vectors.kind != VectorSelector::Kind::kNone, std::move(numbers)}));
    if (!asked.is_old) out += '}';
  }
  PANDORA_CHECK(check_read(call, memory));
  if (asked.is_list) out += ']';
  return out;
}

// Here when it is quick, on the pool otherwise.
Outcome<void> query(const SharedCall& call) {
  PANDORA_TRY(asked, read_asked(*call));
  PANDORA_TRY(collection, call->collection());
  const CollectionMemory& memory = collection->memory();
  bool quick = asked.requests.size() == 1;
  if (quick) {
    const auto lock = memory.lock().read();
    quick = is_quick(asked.requests.front(), memory);
  }
  if (quick) {
    call->answer(search(*call, asked, memory));
    return {};
  }
  const auto later = std::make_shared<Asked>(std::move(asked));
  const bool taken = call->state.pool->submit(
      [call, later, collection] { call->answer(search(*call, *later, collection->memory())); });
  if (!taken) return fail(Fault{429, "Too many searches wait; try again in a moment"});
  return {};
}

}  // namespace

void answer_read(const SharedCall& call) {
  switch (call->route.api) {
    case Api::kPoint:
      return call->answer(one_point(*call));
    case Api::kRetrieve:
      return call->answer(retrieve(*call));
    case Api::kScroll:
      return call->answer(scroll(*call));
    case Api::kCount:
      return call->answer(count(*call));
    default:
      if (auto begun = query(call); !begun) call->answer(fail(std::move(begun).error()));
  }
}

}  // namespace pandora::qdrant
