// A filter over payloads: the indexes give what looking at every payload gives, also after points have been replaced
// and have gone; and what stands in an order is in order.
//
// {"points": [payload, …], "indexes": [{"field_name", "field_schema"}, …], "ask": what is scrolled by}
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vectors/filter_slots.h"
#include "vectors/payload_edit.h"
#include "vectors/searching.h"

namespace {
using namespace pandora;
using namespace pandora::qdrant;

constexpr std::size_t kMaxPoints = 64, kMaxIndexes = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Given {
  std::vector<std::string> payloads;
  std::vector<IndexRequest> indexes;
};

Given read_given(JsonNode body) {
  Given given;
  if (const JsonNode points = body.find("points"); points && points.is_array())
    for (JsonNode one = points.first(); one && given.payloads.size() < kMaxPoints; one = one.next()) {
      if (!one.is_object()) continue;
      std::string text;
      append_compact(text, one);
      if (!is_too_deep(text)) given.payloads.push_back(std::move(text));
    }
  if (const JsonNode indexes = body.find("indexes"); indexes && indexes.is_array())
    for (JsonNode one = indexes.first(); one && given.indexes.size() < kMaxIndexes; one = one.next())
      if (auto index = read_create_index(one)) given.indexes.push_back(*std::move(index));
  return given;
}

CollectionParams params() {
  CollectionParams made;
  made.dense[""] = {2, Distance::kDot};
  return made;
}

// Each point twice, the first time with another's payload; every third one goes.
void fill(CollectionMemory& memory, const std::vector<std::string>& payloads) {
  std::uint64_t version = 0;
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      StoredPoint point{PointId::of(std::uint64_t{i}),
                        ++version,
                        payloads[(i + 1 - static_cast<std::size_t>(round)) % payloads.size()],
                        {}};
      if (i % 2 == 0) point.vectors[0] = std::vector<float>{1, 2};
      memory.put(point);
    }
  for (std::size_t i = 2; i < payloads.size(); i += 3) memory.remove(PointId::of(std::uint64_t{i}), ++version);
}

void ask(JsonNode node, const CollectionMemory& indexed, const CollectionMemory& plain) {
  const auto request = read_scroll(node);
  if (!request) return;
  const Deadline never = Deadline::never();
  if (request->filter) {
    const qdrant::Filter& filter = *request->filter;
    const SlotSet quick = slots_of(filter, indexed, never).value(), slow = slots_of(filter, plain, never).value();
    for (std::size_t word = 0; word < std::max(quick.words().size(), slow.words().size()); ++word)
      require(quick.word(word) == slow.word(word));
    (void)slots_looked_at(filter, indexed);
    (void)is_indexed(filter, indexed);
    const qdrant::Filter* const twice[] = {&filter, &filter};
    if (filter.min_count == 0) require(slots_of(twice, indexed, never).value().count() == quick.count());
  }
  const auto scrolled = run_scroll(*request, indexed, never);
  if (!scrolled) return;
  require(scrolled->points.size() <= request->limit);
  const PointTable& table = indexed.table();
  for (std::size_t i = 0; i < scrolled->points.size(); ++i) {
    const Ranked& one = scrolled->points[i];
    require(indexed.live().contains(one.slot));
    if (i == 0) continue;
    const Ranked& before = scrolled->points[i - 1];
    if (!request->order_by)
      require(table.id(before.slot) < table.id(one.slot));
    else
      require(request->order_by->descending ? *before.order >= *one.order : *before.order <= *one.order);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tape = JsonTape::parse({reinterpret_cast<const char*>(data), size});
  if (!tape || !tape->root().is_object()) return 0;
  const Given given = read_given(tape->root());
  if (given.payloads.empty()) return 0;
  CollectionMemory indexed(params()), plain(params());
  for (const IndexRequest& index : given.indexes) {
    indexed.add_index(indexed.make_index(index.path, index.schema));
    plain.add_schema(index);
  }
  fill(indexed, given.payloads);
  fill(plain, given.payloads);
  if (const JsonNode asked = tape->root().find("ask")) ask(asked, indexed, plain);
  return 0;
}
