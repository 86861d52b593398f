// Calls about the service itself. Nothing here is sent anywhere.
#include <fmt/format.h>

#include "vectors/call.h"

namespace pandora::qdrant {
namespace {

constexpr std::string_view kCommit = "0000000000000000000000000000000000000000";  // this is no build of Qdrant's

struct Totals {
  std::size_t points = 0, vectors = 0;
  std::map<std::string, std::size_t> by_collection;
};

Totals count_points(const Engine& engine) {
  Totals totals;
  for (const auto& [name, collection] : engine.collections()) {
    if (collection->damage()) continue;
    const CollectionMemory& memory = collection->memory();
    const auto lock = memory.lock().read();
    if (memory.damaged()) continue;
    totals.by_collection[name] = memory.table().size();
    totals.points += memory.table().size();
    for (std::size_t i = 0; i < memory.name_count(); ++i) totals.vectors += memory.present(i).count();
  }
  return totals;
}

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string metrics(const ServerState& state) {
  const Totals totals = count_points(state.engine);
  std::string out;
  const auto add = [&](std::string_view name, std::string_view kind, std::string_view help) {
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
  };
  add("app_info", "gauge", "information about the server");
  out += fmt::format("app_info{{name=\"pandora\",version=\"{}\"}} 1\n", kApiVersion);
  add("collections_total", "gauge", "number of collections");
  out += fmt::format("collections_total {}\n", state.engine.names().size());
  add("collections_vector_total", "gauge", "vectors in all collections");
  out += fmt::format("collections_vector_total {}\n", totals.vectors);
  add("collection_points", "gauge", "points of a collection");
  for (const auto& [name, points] : totals.by_collection)
    out += fmt::format("collection_points{{id=\"{}\"}} {}\n", label(name), points);
  add("rest_responses_total", "counter", "answers");
  add("rest_responses_fail_total", "counter", "answers that say that the server could not");
  for (std::size_t i = 0; i < kApiCount; ++i) {
    const CallCounters& counters = state.counters[i];
    if (counters.ok + counters.refused > 0)
      out += fmt::format(
          "rest_responses_total{{operation=\"{}\",status=\"200\"}} {}\n"
          "rest_responses_total{{operation=\"{}\",status=\"400\"}} {}\n",
          i, counters.ok.load(), i, counters.refused.load());
    if (counters.failed > 0)
      out += fmt::format("rest_responses_fail_total{{operation=\"{}\"}} {}\n", i, counters.failed.load());
  }
  return out;
}

std::string telemetry(const ServerState& state) {
  const Totals totals = count_points(state.engine);
  return Json{{"id", "local"},
              {"app", {{"name", "pandora"}, {"version", kApiVersion}, {"startup", to_iso8601(state.begun)}}},
              {"collections",
               {{"number_of_collections", state.engine.names().size()},
                {"points", totals.points},
                {"vectors", totals.vectors}}}}
      .dump();
}

}  // namespace

void answer_about_service(const SharedCall& call) {
  switch (call->route.api) {
    case Api::kRoot:
      return call->respond(
          {200,
           {{"Content-Type", "application/json"}},
           Json{{"title", "qdrant - vector search engine"}, {"version", kApiVersion}, {"commit", kCommit}}.dump()});
    case Api::kHealth:
      return call->respond(text_response(200, "healthz check passed"));
    case Api::kReady:
      return call->respond(text_response(200, "all shards are ready"));
    case Api::kMetrics:
      return call->respond(text_response(200, metrics(call->state)));
    case Api::kTelemetry:
      return call->answer(telemetry(call->state));
    case Api::kCluster:
      return call->answer("{\"status\":\"disabled\"}");
    case Api::kIssues:
      return call->answer("{\"issues\":[]}");
    default:
      return call->answer("true");
  }
}

}  // namespace pandora::qdrant
