#include "store_server/postgres_knowledge_stores.h"

#include <algorithm>

#include <fmt/format.h>

#include "ports/row_checks.h"
#include "ports/turn_store.h"
#include "store_server/postgres_rows.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using postgres_rows::done;
using postgres_rows::sees_all;
using postgres_rows::Statements;

// A value of a table whose rows are documents: memories and research are read and removed alike.
template <class T>
struct Documents;
template <>
struct Documents<Memory> {
  static constexpr std::string_view kSelect = "SELECT document FROM pandora.memories WHERE memory_id = $1";
  static constexpr std::string_view kLock = "SELECT document FROM pandora.memories WHERE memory_id = $1 FOR UPDATE";
  static constexpr std::string_view kDelete = "DELETE FROM pandora.memories WHERE memory_id = $1";
  static constexpr std::string_view kWhat = "memory";
  static Result<Memory> decode(const Json& json) { return memory_from_json(json, "memories.document"); }
  static std::vector<OutboxItem> items(const Uuid& id) { return postgres_rows::items_of_memory(id); }
};
template <>
struct Documents<Research> {
  static constexpr std::string_view kSelect = "SELECT document FROM pandora.research WHERE research_id = $1";
  static constexpr std::string_view kLock = "SELECT document FROM pandora.research WHERE research_id = $1 FOR UPDATE";
  static constexpr std::string_view kDelete = "DELETE FROM pandora.research WHERE research_id = $1";
  static constexpr std::string_view kWhat = "research";
  static Result<Research> decode(const Json& json) { return research_from_json(json, "research.document"); }
  static std::vector<OutboxItem> items(const Uuid& id) { return postgres_rows::items_of_research(id); }
};

template <class T>
Result<T> read_document(const PostgresRows& rows, int i) {
  PANDORA_TRY(json, parse_json(rows.text(i, 0), kMaxRecordBytes, fmt::format("a row of {}", Documents<T>::kWhat)));
  return Documents<T>::decode(json);
}

template <class T>
Result<std::vector<T>> read_documents(const PostgresRows& rows) {
  std::vector<T> values;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(value, read_document<T>(rows, i));
    values.push_back(std::move(value));
  }
  return values;
}

template <class T>
Result<T> visible(const PostgresRows& rows, const Uuid& id, const Principal& who) {
  const auto none = [&] {
    return fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", Documents<T>::kWhat, id.to_string()));
  };
  if (rows.empty()) return none();
  PANDORA_TRY(value, read_document<T>(rows, 0));
  if (value.scope != Scope::kGlobal && !who.may_see(value.user)) return none();
  return value;
}

Status check_owner(const UserId& owner, const Principal& who) {
  if (who.may_see(owner)) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("this belongs to {}", owner.str()));
}

template <class T>
Result<T> remove_document(PostgresPool& pool, const Uuid& id, const Principal& who, Timestamp now,
                          const Deadline& deadline) {
  return pool.write(
      [&](PostgresConnection& connection) -> Result<T> {
        PANDORA_TRY(rows, connection.query(Documents<T>::kLock, id));
        PANDORA_TRY(value, visible<T>(rows, id, who));
        PANDORA_CHECK(check_owner(value.user, who));
        Statements last;
        last.push_back({Documents<T>::kDelete, {id}});
        postgres_rows::take_counters(last, now);
        postgres_rows::enqueue(last, Documents<T>::items(id));
        PANDORA_CHECK(done(connection.commit(last)));
        return value;
      },
      deadline);
}

#define PANDORA_SOURCE_COLUMNS \
  "SELECT domain, success_count, failure_count, " PANDORA_MICROS("last_success") ", " PANDORA_MICROS("last_failure") \
  ", manual_override, notes,"                                                                                          \
  " (SELECT count(*) FROM pandora.source_attempts a WHERE a.domain = s.domain AND success AND at > $1 AND at <= $2),"  \
  " (SELECT count(*) FROM pandora.source_attempts a WHERE a.domain = s.domain AND NOT success AND at > $1 AND at <= $2)" \
  " FROM pandora.sources s "

std::vector<std::string> string_list(const Json& notes, const char* name) {
  std::vector<std::string> values;
  if (!notes.is_object() || !notes.contains(name)) return values;
  for (const auto& value : notes[name])
    if (value.is_string()) values.push_back(value.get<std::string>());
  return values;
}

Result<Source> read_source(const PostgresRows& rows, int i) {
  Source source;
  source.domain = rows.text(i, 0);
  source.successes = rows.integer(i, 1);
  source.failures = rows.integer(i, 2);
  source.last_success = rows.time(i, 3);
  source.last_failure = rows.time(i, 4);
  PANDORA_TRY(manual, postgres_rows::stored(parse_source_override(rows.text(i, 5))));
  source.manual = manual;
  const Json notes = Json::parse(rows.text(i, 6), nullptr, false);
  source.worked = string_list(notes, "worked");
  source.failed = string_list(notes, "failed");
  source.recent_successes = rows.integer(i, 7);
  source.recent_failures = rows.integer(i, 8);
  return source;
}

}  // namespace

Status PostgresMemoryStore::put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
                                const Deadline& deadline) {
  PANDORA_CHECK(check_row(memory));
  PANDORA_CHECK(check_owner(memory.user, who));
  if (std::ranges::find(supersedes, memory.id) != supersedes.end())
    return fail(ErrorCode::kInvalidArgument, "a memory cannot supersede itself");
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        Statements statements;
        std::vector<OutboxItem> items = postgres_rows::items_of_memory(memory.id);
        std::vector<Uuid> written = {memory.id};
        postgres_rows::put_memory(statements, memory);
        for (const Uuid& id : supersedes) {
          PANDORA_TRY(rows, connection.query(Documents<Memory>::kLock, id));
          PANDORA_TRY(old, visible<Memory>(rows, id, who));
          PANDORA_CHECK(check_owner(old.user, who));
          old.superseded_by = memory.id;
          postgres_rows::put_memory(statements, old);
          written.push_back(id);
          for (auto& item : postgres_rows::items_of_memory(id)) items.push_back(std::move(item));
        }
        PANDORA_TRY(answers, connection.run(statements));
        for (std::size_t i = 0; i < written.size(); ++i)
          PANDORA_CHECK(postgres_rows::check_put(answers[i], written[i]));
        Statements last;
        postgres_rows::take_counters(last, clock_.now());
        postgres_rows::enqueue(last, items);
        return done(connection.commit(last));
      },
      deadline);
}

Result<Memory> PostgresMemoryStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query(Documents<Memory>::kSelect, deadline, id));
  return visible<Memory>(rows, id, who);
}

Result<std::vector<Memory>> PostgresMemoryStore::list(const MemoryQuery& query, const Principal& who,
                                                      const Deadline& deadline) {
  PANDORA_TRY(
      rows,
      pool_.query(
          "SELECT document FROM pandora.memories WHERE ($1::bool OR user_id = $2 OR scope = 'global')"
          " AND memory_id > $3 AND ($4::text IS NULL OR kind = $4) AND ($5::bool OR superseded_by IS NULL)"
          " AND ($6::timestamptz IS NULL OR expires_at IS NULL OR expires_at > $6) ORDER BY memory_id LIMIT $7::bigint",
          deadline, sees_all(who), who.user.str(), query.after.value_or(Uuid()),
          query.kind ? std::optional<std::string>(to_string(*query.kind)) : std::nullopt, query.include_superseded,
          query.valid_at, std::min(query.limit, kMaxPage)));
  return read_documents<Memory>(rows);
}

Result<Memory> PostgresMemoryStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return remove_document<Memory>(pool_, id, who, clock_.now(), deadline);
}

Status PostgresResearchStore::put(const Research& research, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(check_row(research));
  PANDORA_CHECK(check_owner(research.user, who));
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        Statements statements;
        postgres_rows::put_research(statements, research);
        PANDORA_TRY(answers, connection.run(statements));
        PANDORA_CHECK(postgres_rows::check_put(answers.front(), research.id));
        Statements last;
        postgres_rows::take_counters(last, clock_.now());
        postgres_rows::enqueue(last, postgres_rows::items_of_research(research.id));
        return done(connection.commit(last));
      },
      deadline);
}

Result<Research> PostgresResearchStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query(Documents<Research>::kSelect, deadline, id));
  return visible<Research>(rows, id, who);
}

Result<std::vector<Research>> PostgresResearchStore::list(const ResearchQuery& query, const Principal& who,
                                                          const Deadline& deadline) {
  PANDORA_TRY(rows,
              pool_.query("SELECT document FROM pandora.research WHERE ($1::bool OR user_id = $2 OR scope = 'global')"
                          " AND research_id > $3 AND ($4::text IS NULL OR topic_key = $4)"
                          " AND ($5::timestamptz IS NULL OR expires_at > $5) ORDER BY research_id LIMIT $6::bigint",
                          deadline, sees_all(who), who.user.str(), query.after.value_or(Uuid()),
                          query.topic ? std::optional<std::string>(research_topic_key(*query.topic)) : std::nullopt,
                          query.valid_at, std::min(query.limit, kMaxPage)));
  return read_documents<Research>(rows);
}

Result<Research> PostgresResearchStore::change(const Uuid& id, const std::function<void(Research&)>& how,
                                               const Principal& who, const Deadline& deadline) {
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<Research> {
        PANDORA_TRY(rows, connection.query(Documents<Research>::kLock, id));
        PANDORA_TRY(research, visible<Research>(rows, id, who));
        PANDORA_CHECK(check_owner(research.user, who));
        how(research);
        PANDORA_CHECK(check_row(research));
        Statements last;
        postgres_rows::put_research(last, research);
        postgres_rows::take_counters(last, clock_.now());
        postgres_rows::enqueue(last, postgres_rows::items_of_research(id));
        PANDORA_CHECK(done(connection.commit(last)));
        return research;
      },
      deadline);
}

Result<Research> PostgresResearchStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return remove_document<Research>(pool_, id, who, clock_.now(), deadline);
}

Status PostgresSourceStore::record(const FetchAttempt& attempt, const Deadline& deadline) {
  PANDORA_CHECK(check_row(attempt));
  return pool_.write(
      [&](PostgresConnection& connection) {
        Statements statements;
        postgres_rows::record_fetch(statements, attempt, clock_.now());
        postgres_rows::take_counters(statements, clock_.now());
        const OutboxItem item{OutboxKind::kSourceFile, attempt.domain};
        postgres_rows::enqueue(statements, {&item, 1});
        return done(connection.commit(statements));
      },
      deadline);
}

Result<Source> PostgresSourceStore::find(const std::string& domain, Timestamp now, const Deadline& deadline) {
  PANDORA_TRY(rows,
              pool_.query(PANDORA_SOURCE_COLUMNS "WHERE domain = $3", deadline, now - kRecentAttempts, now, domain));
  if (rows.empty()) return fail(ErrorCode::kNotFound, fmt::format("nothing is known of {}", domain));
  return read_source(rows, 0);
}

Result<std::vector<Source>> PostgresSourceStore::list(Timestamp now, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query(PANDORA_SOURCE_COLUMNS "ORDER BY domain", deadline, now - kRecentAttempts, now));
  std::vector<Source> sources;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(source, read_source(rows, i));
    sources.push_back(std::move(source));
  }
  return sources;
}

Result<Source> PostgresSourceStore::set_override(const std::string& domain, SourceOverride value, Timestamp now,
                                                 const Deadline& deadline) {
  PANDORA_CHECK(check_domain(domain));
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<Source> {
        Statements statements;
        statements.push_back(
            {"INSERT INTO pandora.sources (domain, manual_override) VALUES ($1, $2)"
             " ON CONFLICT (domain) DO UPDATE SET manual_override = excluded.manual_override",
             {domain, to_string(value)}});
        postgres_rows::take_counters(statements, clock_.now());
        const OutboxItem item{OutboxKind::kSourceFile, domain};
        postgres_rows::enqueue(statements, {&item, 1});
        statements.push_back({PANDORA_SOURCE_COLUMNS "WHERE domain = $3", {now - kRecentAttempts, now, domain}});
        PANDORA_TRY(answers, connection.commit(statements));
        return read_source(answers.back(), 0);
      },
      deadline);
}

Status PostgresSourceStore::restore(const Source& source, const Deadline& deadline) {
  PANDORA_CHECK(check_row(source));
  return pool_.write(
      [&](PostgresConnection& connection) {
        Statements statements;
        statements.push_back(
            {"INSERT INTO pandora.sources (domain, success_count, failure_count, last_success, last_failure,"
             " manual_override, notes) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (domain) DO UPDATE SET"
             " success_count = excluded.success_count, failure_count = excluded.failure_count,"
             " last_success = excluded.last_success, last_failure = excluded.last_failure,"
             " manual_override = excluded.manual_override, notes = excluded.notes",
             {source.domain, source.successes, source.failures, source.last_success, source.last_failure,
              to_string(source.manual), dump_json({{"worked", source.worked}, {"failed", source.failed}})}});
        postgres_rows::take_counters(statements, clock_.now());
        const OutboxItem item{OutboxKind::kSourceFile, source.domain};
        postgres_rows::enqueue(statements, {&item, 1});
        return done(connection.commit(statements));
      },
      deadline);
}

Status PostgresObservationStore::add(const std::vector<Observation>& observations, const Deadline& deadline) {
  for (const auto& observation : observations) PANDORA_CHECK(check_row(observation));
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  if (observations.empty()) return {};
  // Each is its turn's user's, if the turn has a row.
  const PostgresStatement statement{
      "INSERT INTO pandora.observations (user_id, " PANDORA_OBSERVATION_COLUMNS
      ") SELECT coalesce(t.user_id, ''), " PANDORA_OBSERVATION_VALUES
      " FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[]) WITH ORDINALITY"
      "  AS o (turn_uid, last_at, first, last, place)"
      " LEFT JOIN pandora.turns t ON t.turn_uid = o.turn_uid ORDER BY place",
      postgres_rows::columns_of(postgres_rows::runs_of(observations))};
  PANDORA_TRY(lease, pool_.take(deadline));
  return done(lease->run({&statement, 1}));
}

Result<std::vector<ObservationRow>> PostgresObservationStore::list(const ObservationQuery& query, const Principal& who,
                                                                   const Deadline& deadline) {
  // A text for each shape of the question, so that each is prepared once and uses its index.
  // As the view `observability` has them; the conditions on a row as a whole are what an index can find it by.
  std::string sql = "SELECT o.row + place - 1, turn_uid, one.kind, one.name, " PANDORA_MICROS(
      "one.at") ", one.micros, one.tokens_in, one.tokens_out, one.ok, one.detail, one.confidence"
                " FROM pandora.observations o CROSS JOIN LATERAL unnest(o.kind, o.name, o.at, o.micros, o.tokens_in,"
                "  o.tokens_out, o.ok, o.detail, o.confidence) WITH ORDINALITY"
                "  AS one (kind, name, at, micros, tokens_in, tokens_out, ok, detail, confidence, place)"
                " WHERE o.row > $1 - $2::bigint AND o.row + place - 1 > $1::bigint";
  std::vector<PostgresValue> values = {query.after_row, postgres_rows::kObservationsOfARow};
  const auto also = [&](std::string_view condition, PostgresValue value) {
    values.push_back(std::move(value));
    sql += fmt::format(" AND {} ${}", condition, values.size());
  };
  if (!sees_all(who)) also("user_id =", who.user.str());
  if (query.kind) also("one.kind =", to_string(*query.kind));
  if (query.turn) also("turn_uid =", *query.turn);
  if (query.since) also("last_at >=", *query.since), also("one.at >=", *query.since);
  if (query.until) also("one.at <", *query.until);
  values.push_back(std::min(query.limit, kMaxPage));
  sql += fmt::format(" ORDER BY o.row, place LIMIT ${}::bigint", values.size());
  PANDORA_TRY(lease, pool_.take(deadline));
  const PostgresStatement statement{sql, std::move(values)};
  PANDORA_TRY(answers, lease->run({&statement, 1}));
  const PostgresRows& rows = answers.front();
  std::vector<ObservationRow> found;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(turn, rows.uuid(i, 1));
    PANDORA_TRY(kind, postgres_rows::stored(parse_observation_kind(rows.text(i, 2))));
    ObservationRow row{
        rows.integer(i, 0),
        {turn, kind, std::string(rows.text(i, 3)), *rows.time(i, 4), rows.integer(i, 5), rows.integer(i, 6),
         rows.integer(i, 7), rows.boolean(i, 8), std::string(rows.text(i, 9)), std::nullopt}};
    if (!rows.is_null(i, 10)) row.observation.confidence = rows.number(i, 10);
    found.push_back(std::move(row));
  }
  return found;
}

Result<std::optional<std::string>> PostgresInstanceStore::get(const std::string& name, const Deadline& deadline) {
  PANDORA_CHECK(check_instance_name(name));
  PANDORA_TRY(rows, pool_.query("SELECT value FROM pandora.instance WHERE name = $1", deadline, name));
  if (rows.empty()) return std::nullopt;
  return std::string(rows.text(0, 0));
}

Status PostgresInstanceStore::put(const std::string& name, const std::string& value, const Deadline& deadline) {
  PANDORA_CHECK(check_instance_name(name));
  PANDORA_CHECK(check_instance_value(value));
  return done(pool_.query(
      "INSERT INTO pandora.instance VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", deadline,
      name, value));
}

}  // namespace pandora
