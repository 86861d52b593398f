#include "service/operation.h"
#include "service/stats.h"

namespace pandora {
namespace {

Json group_json(const std::map<std::string, TimedGroup>& groups) {
  Json json = Json::object();
  for (const auto& [name, group] : groups)
    json[name] = {
        {"count", group.count},           {"failures", group.failures},     {"total_micros", group.total_micros},
        {"p50_micros", group.p50_micros}, {"p95_micros", group.p95_micros}, {"tokens_in", group.tokens_in},
        {"tokens_out", group.tokens_out}};
  return json;
}

Result<Json> stats(OperationCall& call) {
  const auto since = call.in.optional_value("since", parse_iso8601);
  PANDORA_CHECK(call.in.finish());
  StatsBuilder builder;
  ObservationQuery observations;
  observations.since = since;
  for (;;) {
    PANDORA_TRY(page, call.parts.stores.observations.list(observations, call.who, call.deadline));
    for (const auto& row : page) builder.add(row.observation);
    if (page.size() < observations.limit) break;
    observations.after_row = page.back().row;
  }
  TurnQuery turns;
  turns.since = since;
  turns.limit = kMaxPage;
  for (;;) {
    PANDORA_TRY(page, call.parts.stores.turns.list(turns, call.who, call.deadline));
    for (const auto& turn : page) builder.add(turn);
    if (page.size() < turns.limit) break;
    turns.before = page.back().number;
  }
  const Stats found = builder.finish();
  std::vector<Uuid> failed;
  for (const auto& failure : found.failures) failed.push_back(failure.turn_uid);
  std::map<Uuid, TurnNumber> numbers;
  PANDORA_TRY(shown, call.parts.stores.turns.find_all(failed, call.who, call.deadline));
  for (const auto& turn : shown) numbers[turn.uid] = turn.number;

  Json failures = Json::array(), quality = Json::array(), sources = Json::array();
  for (const auto& failure : found.failures)
    failures.push_back({{"turn", numbers[failure.turn_uid].value},
                        {"turn_uid", failure.turn_uid.to_string()},
                        {"at", to_iso8601(failure.at)},
                        {"where", failure.where},
                        {"why", failure.why}});
  for (const auto& day : found.quality)
    quality.push_back({{"day", day.day}, {"turns", day.turns}, {"quality", day.quality}});
  PANDORA_TRY(known, call.parts.stores.sources.list(call.parts.clock.now(), call.deadline));
  for (const auto& source : known)
    sources.push_back({{"domain", source.domain}, {"score", source_score(source)}, {"failures", source.failures}});
  return Json{{"failures", failures},
              {"turns", group_json(found.turns)},
              {"phases", group_json(found.phases)},
              {"models", group_json(found.models)},
              {"quality", quality},
              {"tools", group_json(found.tools)},
              {"sources", sources},
              {"calibration", {{"error", found.calibration_error}, {"pairs", found.calibration_pairs}}}};
}

}  // namespace

std::vector<Operation> stats_operations() {
  return {{{"stats", "since?", "answers the five questions of observability from stored rows"}, stats}};
}

}  // namespace pandora
