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

// On the pool: it waits for whoever has the memory's lock, or takes its time.
template <class Work>
Outcome<void> later(const SharedCall& call, Work work) {
  const bool taken = call->state.pool->submit([call, work = std::move(work)] { call->answer(work()); });
  if (!taken) return fail(Fault{429, "Too many searches wait; try again in a moment"});
  return {};
}

Outcome<std::string> show_point(const Call& call, const PointId& id, const CollectionMemory& memory) {
  const auto slot = memory.table().find(id);
  if (!slot) return fail(not_found("Point with id " + id.to_text() + " does not exists!"));
  const PayloadSelector all{PayloadSelector::Kind::kAll, {}};
  PANDORA_TRY(numbers, shown_vectors({VectorSelector::Kind::kAll, {}}, memory));
  std::string out;
  PANDORA_CHECK(append_record(out, *slot, memory, {PayloadView(all), true, std::move(numbers)}));
  PANDORA_CHECK(check_read(call, memory));
  return out;
}

// Here when nobody is in the way, on the pool otherwise.
Outcome<void> one_point(const SharedCall& call) {
  PANDORA_TRY(id, parse_point_id(call->route.item));
  PANDORA_TRY(collection, call->collection());
  std::optional<Outcome<std::string>> shown;
  if (const auto lock = collection->memory().lock().read_soon()) shown = show_point(*call, id, collection->memory());
  if (!shown)
    return later(call, [call, id, collection] {
      const auto lock = collection->memory().lock().read();
      return show_point(*call, id, collection->memory());
    });
  call->answer(*std::move(shown));
  return {};
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

// Under the memory's lock.
Outcome<void> append_found(std::string& out, const Call& call, const QueryRequest& request, bool is_old,
                           const CollectionMemory& memory, const Deadline& deadline) {
  PANDORA_TRY(numbers, shown_vectors(request.vectors, memory));
  PANDORA_TRY(found, run_query(request, memory, deadline));
  if (!is_old) out += "{\"points\":";
  PANDORA_CHECK(append_scored(
      out, found, memory,
      {PayloadView(request.payload), request.vectors.kind != VectorSelector::Kind::kNone, std::move(numbers)}));
  if (!is_old) out += '}';
  return check_read(call, memory);
}

// Each by itself: a writer, and whoever waits behind it, has its turn after every query of a batch.
Outcome<std::string> search(const Call& call, const Asked& asked, const CollectionMemory& memory) {
  const Deadline deadline = call.deadline();
  std::string out = asked.is_list ? "[" : "";
  for (const QueryRequest& request : asked.requests) {
    if (out.size() > 1) out += ',';
    const auto lock = memory.lock().read();
    PANDORA_CHECK(append_found(out, call, request, asked.is_old, memory, deadline));
  }
  if (asked.is_list) out += ']';
  return out;
}

// Here when it is quick and nobody is in the way, on the pool otherwise.
Outcome<void> query(const SharedCall& call) {
  PANDORA_TRY(asked, read_asked(*call));
  PANDORA_TRY(collection, call->collection());
  const CollectionMemory& memory = collection->memory();
  if (asked.requests.size() == 1) {
    auto lock = memory.lock().read_soon();
    if (lock && is_quick(asked.requests.front(), memory)) {
      std::string out = asked.is_list ? "[" : "";
      PANDORA_CHECK(append_found(out, *call, asked.requests.front(), asked.is_old, memory, call->deadline()));
      lock.unlock();
      if (asked.is_list) out += ']';
      call->answer(std::move(out));
      return {};
    }
  }
  return later(call, [call, asked = std::make_shared<Asked>(std::move(asked)), collection] {
    return search(*call, *asked, collection->memory());
  });
}

}  // namespace

void answer_read(const SharedCall& call) {
  switch (call->route.api) {
    case Api::kPoint:
      if (auto begun = one_point(call); !begun) call->answer(fail(std::move(begun).error()));
      return;
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
