#include "store_server/postgres_rows.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "domain/sparse_weights.h"
#include "postgres/postgres_schema.h"
#include "wire/turn_json.h"

namespace pandora::postgres_rows {
namespace {

// How far versions are set before the clock, when they fell behind it: so rarely does anybody need them alone.
constexpr Duration kVersionsAhead = std::chrono::hours(1);

}  // namespace

std::vector<PostgresValue> counters_of(Timestamp now, TurnNumber through) {
  return {now.micros, kVersionsAhead.count(), kPostgresLocks, kCountersLock, through.value};
}

void take_counters(Statements& to, Timestamp now, TurnNumber through) {
  to.push_back({"SELECT " PANDORA_COUNTERS
                " FROM (VALUES ($1::bigint, $2::bigint, $3::integer, $4::integer, $5::bigint))"
                " AS given (now, ahead, locks, counters, through)",
                counters_of(now, through)});
}

void take_versions(Statements& to, std::int64_t through) {
  to.push_back({"SELECT pg_advisory_xact_lock($1::integer, $2::integer)", {kPostgresLocks, kCountersLock}});
  to.push_back(
      {"SELECT setval('pandora.outbox_versions', $1::bigint) FROM pandora.outbox_versions WHERE last_value < $1",
       {through}});
}

void take_numbers(Statements& to, TurnNumber through) {
  to.push_back({"SELECT setval('pandora.turn_numbers', $1::bigint) FROM pandora.turn_numbers WHERE last_value < $1",
                {through.value}});
}

void take_number_of(Statements& to, const Turn& turn) {
  to.push_back(
      {"SELECT setval('pandora.turn_numbers', $1::bigint) FROM pandora.turn_numbers WHERE last_value < $1"
       " AND EXISTS (SELECT 1 FROM pandora.turns WHERE turn_number = $1)",
       {turn.number.value}});
}

void raise_counters(Statements& to) {
  to.push_back({"SELECT pg_advisory_xact_lock($1::integer, $2::integer)", {kPostgresLocks, kCountersLock}});
  for (const std::string_view sql :
       {"SELECT setval('pandora.turn_numbers', most) FROM pandora.turn_numbers,"
        " (SELECT max(turn_number) AS most FROM pandora.turns) AS t WHERE last_value <= most",
        "SELECT setval('pandora.outbox_id_seq', most) FROM pandora.outbox_id_seq,"
        " (SELECT max(id) AS most FROM pandora.outbox) AS t WHERE last_value <= most",
        "SELECT setval('pandora.observations_row_seq', most) FROM pandora.observations_row_seq,"
        " (SELECT max(row) AS most FROM pandora.observations) AS t WHERE last_value <= most"})
    to.push_back({sql, {}});
}

void enqueue(Statements& to, std::span<const OutboxItem> items) {
  std::vector<std::string> kinds, keys;
  std::set<std::pair<OutboxKind, std::string_view>> seen;  // a statement may not write a row twice
  for (const OutboxItem& item : items) {
    if (!seen.emplace(item.kind, item.key).second) continue;
    kinds.emplace_back(to_string(item.kind));
    keys.push_back(item.key);
  }
  if (kinds.empty()) return;
  to.push_back(
      {"INSERT INTO pandora.outbox (kind, key, version) SELECT kind, key, nextval('pandora.outbox_versions')"
       " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (kind, key, place)"
       " ORDER BY place" PANDORA_ENQUEUE,
       {kinds, keys}});
}

void put_memory(Statements& to, const Memory& memory) {
  to.push_back(
      {"INSERT INTO pandora.memories (memory_id, user_id, session_id, scope, kind, topic, trust, confidence, "
       "source_turn,"
       " created_at, expires_at, superseded_by, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
       "$13)"
       " ON CONFLICT (memory_id) DO UPDATE SET session_id = excluded.session_id, scope = excluded.scope, kind = "
       "excluded.kind,"
       " topic = excluded.topic, trust = excluded.trust, confidence = excluded.confidence, source_turn = "
       "excluded.source_turn,"
       " created_at = excluded.created_at, expires_at = excluded.expires_at, superseded_by = excluded.superseded_by,"
       " document = excluded.document WHERE memories.user_id = excluded.user_id",
       {memory.id, memory.user.str(), memory.session ? std::optional(memory.session->str()) : std::nullopt,
        to_string(memory.scope), to_string(memory.kind), memory.topic, to_string(memory.trust), memory.confidence,
        memory.source_turn, memory.created_at, memory.expires_at, memory.superseded_by, dump_json(to_json(memory))}});
}

void put_research(Statements& to, const Research& research) {
  std::set<std::string> types;
  for (const Finding& finding : research.findings) types.emplace(to_string(finding.type));
  const std::string path = fmt::format("research/{}.json", research.id.to_string());
  to.push_back(
      {"INSERT INTO pandora.research (research_id, turn_number, source_turn, user_id, session_id, scope, primary_topic,"
       " topic_key, quality_overall, confidence_current, created_at, expires_at, content_types, doc_path, document)"
       " VALUES ($1, (SELECT turn_number FROM pandora.turns WHERE turn_uid = $2::uuid), $2, $3, $4, $5, $6, $7, $8, "
       "$9, $10,"
       " $11, $12, $13, $14)"
       " ON CONFLICT (research_id) DO UPDATE SET turn_number = excluded.turn_number, source_turn = "
       "excluded.source_turn,"
       " session_id = excluded.session_id, scope = excluded.scope, primary_topic = excluded.primary_topic,"
       " topic_key = excluded.topic_key, quality_overall = excluded.quality_overall,"
       " confidence_current = excluded.confidence_current, created_at = excluded.created_at, expires_at = "
       "excluded.expires_at,"
       " content_types = excluded.content_types, doc_path = excluded.doc_path, document = excluded.document"
       " WHERE research.user_id = excluded.user_id",
       {research.id, research.source_turn, research.user.str(),
        research.session ? std::optional(research.session->str()) : std::nullopt, to_string(research.scope),
        research.primary_topic, research_topic_key(research.primary_topic), research.quality, research.confidence,
        research.created_at, research.expires_at, dump_json(types), path, dump_json(to_json(research))}});
}

Status check_put(const PostgresRows& rows, const Uuid& id) {
  if (rows.changed() == 1) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("{} belongs to another user", id.to_string()));
}

void record_fetch(Statements& to, const FetchAttempt& attempt, Timestamp now) {
  to.push_back({"INSERT INTO pandora.sources (domain) VALUES ($1) ON CONFLICT DO NOTHING", {attempt.domain}});
  // Takes the row's lock, so that two at once count two.
  to.push_back(
      {attempt.ok
           ? "UPDATE pandora.sources SET success_count = success_count + 1, last_success = greatest(last_success, $2)"
             " WHERE domain = $1"
           : "UPDATE pandora.sources SET failure_count = failure_count + 1, last_failure = greatest(last_failure, $2)"
             " WHERE domain = $1",
       {attempt.domain, attempt.at}});
  to.push_back(
      {"DELETE FROM pandora.source_attempts WHERE domain = $1 AND at < $2", {attempt.domain, now - kRecentAttempts}});
  to.push_back({"INSERT INTO pandora.source_attempts VALUES ($1, $2, $3)", {attempt.domain, attempt.at, attempt.ok}});
  if (attempt.detail.empty()) return;
  // The newest first, each once.
  to.push_back(
      {"UPDATE pandora.sources SET notes = jsonb_set(notes, ARRAY[$2::text], (SELECT jsonb_agg(pattern ORDER BY place) "
       "FROM"
       " (SELECT to_jsonb($3::text) AS pattern, 0::bigint AS place UNION ALL SELECT * FROM"
       " (SELECT value, ordinality FROM jsonb_array_elements(notes -> $2) WITH ORDINALITY"
       "  WHERE value <> to_jsonb($3::text) ORDER BY ordinality LIMIT $4::bigint) AS known) AS kept)) WHERE domain = "
       "$1",
       {attempt.domain, attempt.ok ? "worked" : "failed", attempt.detail, kMaxSitePatterns - 1}});
}

std::vector<ObservationRun> runs_of(std::span<const Observation> observations) {
  std::vector<ObservationRun> runs;
  while (!observations.empty()) {
    std::size_t count = 1;
    while (count < std::min(observations.size(), kObservationsOfARow) &&
           observations[count].turn_uid == observations[0].turn_uid)
      ++count;
    runs.push_back(observations.first(count));
    observations = observations.subspan(count);
  }
  return runs;
}

namespace {
// Values of observations, each in its array.
struct ObservedValues {
  std::vector<std::string_view> kinds, names, details;
  std::vector<Timestamp> times;
  std::vector<std::int64_t> micros, tokens_in, tokens_out;
  std::vector<bool> ok;
  std::vector<std::optional<double>> confidences;

  // The last of their times.
  Timestamp add(ObservationRun run) {
    Timestamp last = run.front().at;
    for (const Observation& one : run) {
      last = std::max(last, one.at);
      kinds.push_back(to_string(one.kind));
      names.emplace_back(one.name);
      times.push_back(one.at);
      micros.push_back(std::max<std::int64_t>(0, one.micros));
      tokens_in.push_back(one.tokens_in);
      tokens_out.push_back(one.tokens_out);
      ok.push_back(one.ok);
      details.emplace_back(one.detail);
      confidences.push_back(one.confidence);
    }
    return last;
  }
  void append_to(std::vector<PostgresValue>& values) const {
    for (PostgresValue value : {PostgresValue(kinds), PostgresValue(names), PostgresValue(times), PostgresValue(micros),
                                PostgresValue(tokens_in), PostgresValue(tokens_out), PostgresValue(ok),
                                PostgresValue(details), PostgresValue(confidences)})
      values.push_back(std::move(value));
  }
};
}  // namespace

std::vector<PostgresValue> columns_of(ObservationRun run) {
  ObservedValues observed;
  std::vector<PostgresValue> columns = {std::nullopt, std::nullopt};
  if (!run.empty()) columns = {run.front().turn_uid, observed.add(run)};
  observed.append_to(columns);
  return columns;
}

std::vector<PostgresValue> columns_of(std::span<const ObservationRun> runs) {
  ObservedValues observed;
  std::vector<Uuid> turns;
  std::vector<Timestamp> last_at;
  std::vector<std::int64_t> first, last;  // counted from 1
  for (const ObservationRun run : runs) {
    turns.push_back(run.front().turn_uid);
    first.push_back(static_cast<std::int64_t>(observed.kinds.size()) + 1);
    last_at.push_back(observed.add(run));
    last.push_back(static_cast<std::int64_t>(observed.kinds.size()));
  }
  std::vector<PostgresValue> columns = {turns, last_at, first, last};
  observed.append_to(columns);
  return columns;
}

std::vector<OutboxItem> items_of_turn(const Uuid& uid) {
  return {{OutboxKind::kTurnDirectory, uid.to_string()}, {OutboxKind::kTurnPoint, uid.to_string()}};
}
std::vector<OutboxItem> items_of_memory(const Uuid& id) {
  return {{OutboxKind::kMemoryFile, id.to_string()}, {OutboxKind::kMemoryPoint, id.to_string()}};
}
std::vector<OutboxItem> items_of_research(const Uuid& id) {
  return {{OutboxKind::kResearchFile, id.to_string()}, {OutboxKind::kResearchPoint, id.to_string()}};
}

}  // namespace pandora::postgres_rows
