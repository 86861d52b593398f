#include "store_embedded/sqlite_knowledge_stores.h"

#include <algorithm>

#include <fmt/format.h>

#include "ports/row_checks.h"
#include "ports/turn_store.h"
#include "store_embedded/sqlite_rows.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using sqlite_rows::sees_all;

// A value of a table whose rows are {document}: memories and research are read alike.
template <class T>
struct Documents;
template <>
struct Documents<Memory> {
  static constexpr std::string_view kSelect = "SELECT document FROM memories WHERE memory_id = ?";
  static constexpr std::string_view kWhat = "memory";
  static Result<Memory> decode(const Json& json) { return memory_from_json(json, "memories.document"); }
};
template <>
struct Documents<Research> {
  static constexpr std::string_view kSelect = "SELECT document FROM research WHERE research_id = ?";
  static constexpr std::string_view kWhat = "research";
  static Result<Research> decode(const Json& json) { return research_from_json(json, "research.document"); }
};

template <class T>
Result<T> read_document(const Statement& row) {
  PANDORA_TRY(json, parse_json(row.text(0), kMaxRecordBytes, fmt::format("a row of {}", Documents<T>::kWhat)));
  return Documents<T>::decode(json);
}

template <class T>
Result<std::vector<T>> read_documents(Statement& rows) {
  std::vector<T> values;
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return values;
    PANDORA_TRY(value, read_document<T>(rows));
    values.push_back(std::move(value));
  }
}

template <class T>
Result<T> find_visible(Connection& connection, const Uuid& id, const Principal& who) {
  PANDORA_TRY(row, connection.query(Documents<T>::kSelect, id));
  PANDORA_TRY(found, row.next());
  const auto none = [&] {
    return fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", Documents<T>::kWhat, id.to_string()));
  };
  if (!found) return none();
  PANDORA_TRY(value, read_document<T>(row));
  if (value.scope != Scope::kGlobal && !who.may_see(value.user)) return none();
  return value;
}

Status check_owner(const UserId& owner, const Principal& who) {
  if (who.may_see(owner)) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("this belongs to {}", owner.str()));
}

constexpr std::string_view kSourceColumns =
    "SELECT domain, success_count, failure_count, last_success, last_failure, manual_override, worked, failed,"
    " (SELECT count(*) FROM source_attempts a WHERE a.domain = sources.domain AND success = 1 AND at > ?1 AND at <= "
    "?2),"
    " (SELECT count(*) FROM source_attempts a WHERE a.domain = sources.domain AND success = 0 AND at > ?1 AND at <= "
    "?2) FROM sources ";

std::vector<std::string> string_list(std::string_view json) {
  std::vector<std::string> values;
  for (const auto& value : Json::parse(json, nullptr, false))
    if (value.is_string()) values.push_back(value.get<std::string>());
  return values;
}

Result<Source> read_source(const Statement& row) {
  Source source;
  source.domain = row.text(0);
  source.successes = row.integer(1);
  source.failures = row.integer(2);
  if (!row.is_null(3)) source.last_success = Timestamp{row.integer(3)};
  if (!row.is_null(4)) source.last_failure = Timestamp{row.integer(4)};
  PANDORA_TRY(manual, sqlite_rows::stored(parse_source_override(row.text(5))));
  source.manual = manual;
  source.worked = string_list(row.text(6));
  source.failed = string_list(row.text(7));
  source.recent_successes = row.integer(8);
  source.recent_failures = row.integer(9);
  return source;
}

Result<Source> find_source(Connection& connection, const std::string& domain, Timestamp now) {
  PANDORA_TRY(row,
              connection.query(std::string(kSourceColumns) + "WHERE domain = ?3", now - kRecentAttempts, now, domain));
  PANDORA_TRY(found, row.next());
  if (!found) return fail(ErrorCode::kNotFound, fmt::format("nothing is known of {}", domain));
  return read_source(row);
}

}  // namespace

Status SqliteMemoryStore::put(const Memory& memory, std::span<const Uuid> supersedes, const Principal& who,
                              const Deadline& deadline) {
  PANDORA_CHECK(check_row(memory));
  PANDORA_CHECK(check_owner(memory.user, who));
  if (std::ranges::find(supersedes, memory.id) != supersedes.end())
    return fail(ErrorCode::kInvalidArgument, "a memory cannot supersede itself");
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_CHECK(sqlite_rows::put_memory(connection, memory, clock_.now()));
        for (const Uuid& id : supersedes) {
          PANDORA_TRY(old, find_visible<Memory>(connection, id, who));
          PANDORA_CHECK(check_owner(old.user, who));
          old.superseded_by = memory.id;
          PANDORA_CHECK(sqlite_rows::put_memory(connection, old, clock_.now()));
        }
        return {};
      },
      deadline);
}

Result<Memory> SqliteMemoryStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return database_.read([&](Connection& connection) { return find_visible<Memory>(connection, id, who); }, deadline);
}

Result<std::vector<Memory>> SqliteMemoryStore::list(const MemoryQuery& query, const Principal& who,
                                                    const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Memory>> {
        PANDORA_TRY(
            rows,
            connection.query(
                "SELECT document FROM memories WHERE (?1 = 1 OR user_id = ?2 OR scope = 'global') AND memory_id > ?3"
                " AND (?4 = '' OR kind = ?4) AND (?5 = 1 OR superseded_by IS NULL)"
                " AND (?6 IS NULL OR expires_at IS NULL OR expires_at > ?6) ORDER BY memory_id LIMIT ?7",
                sees_all(who), who.user.str(), query.after.value_or(Uuid()),
                query.kind ? to_string(*query.kind) : std::string_view(), query.include_superseded,
                query.valid_at ? std::optional<std::string>(to_iso8601(*query.valid_at)) : std::nullopt,
                std::min(query.limit, kMaxPage)));
        return read_documents<Memory>(rows);
      },
      deadline);
}

Result<Memory> SqliteMemoryStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<Memory> {
        PANDORA_TRY(memory, find_visible<Memory>(connection, id, who));
        PANDORA_CHECK(check_owner(memory.user, who));
        PANDORA_CHECK(sqlite_rows::remove_memory(connection, id, clock_.now()));
        return memory;
      },
      deadline);
}

Status SqliteResearchStore::put(const Research& research, const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(check_row(research));
  PANDORA_CHECK(check_owner(research.user, who));
  return database_.write(
      [&](Connection& connection) { return sqlite_rows::put_research(connection, research, clock_.now()); }, deadline);
}

Result<Research> SqliteResearchStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return database_.read([&](Connection& connection) { return find_visible<Research>(connection, id, who); }, deadline);
}

Result<std::vector<Research>> SqliteResearchStore::list(const ResearchQuery& query, const Principal& who,
                                                        const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Research>> {
        PANDORA_TRY(
            rows,
            connection.query(
                "SELECT document FROM research WHERE (?1 = 1 OR user_id = ?2 OR scope = 'global') AND research_id > ?3"
                " AND (?4 IS NULL OR topic_key = ?4) AND (?5 IS NULL OR expires_at > ?5) ORDER BY research_id LIMIT ?6",
                sees_all(who), who.user.str(), query.after.value_or(Uuid()),
                query.topic ? std::optional<std::string>(research_topic_key(*query.topic)) : std::nullopt,
                query.valid_at ? std::optional<std::string>(to_iso8601(*query.valid_at)) : std::nullopt,
                std::min(query.limit, kMaxPage)));
        return read_documents<Research>(rows);
      },
      deadline);
}

Result<Research> SqliteResearchStore::change(const Uuid& id, const std::function<void(Research&)>& how,
                                             const Principal& who, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<Research> {
        PANDORA_TRY(research, find_visible<Research>(connection, id, who));
        PANDORA_CHECK(check_owner(research.user, who));
        how(research);
        PANDORA_CHECK(check_row(research));
        PANDORA_CHECK(sqlite_rows::put_research(connection, research, clock_.now()));
        return research;
      },
      deadline);
}

Result<Research> SqliteResearchStore::remove(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<Research> {
        PANDORA_TRY(research, find_visible<Research>(connection, id, who));
        PANDORA_CHECK(check_owner(research.user, who));
        PANDORA_CHECK(sqlite_rows::remove_research(connection, id, clock_.now()));
        return research;
      },
      deadline);
}

Status SqliteSourceStore::record(const FetchAttempt& attempt, const Deadline& deadline) {
  PANDORA_CHECK(check_row(attempt));
  return database_.write(
      [&](Connection& connection) { return sqlite_rows::record_fetch(connection, attempt, clock_.now()); }, deadline);
}

Result<Source> SqliteSourceStore::find(const std::string& domain, Timestamp now, const Deadline& deadline) {
  return database_.read([&](Connection& connection) { return find_source(connection, domain, now); }, deadline);
}

Result<std::vector<Source>> SqliteSourceStore::list(Timestamp now, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Source>> {
        std::vector<Source> sources;
        PANDORA_TRY(rows,
                    connection.query(std::string(kSourceColumns) + "ORDER BY domain", now - kRecentAttempts, now));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) return sources;
          PANDORA_TRY(source, read_source(rows));
          sources.push_back(std::move(source));
        }
      },
      deadline);
}

Result<Source> SqliteSourceStore::set_override(const std::string& domain, SourceOverride value, Timestamp now,
                                               const Deadline& deadline) {
  PANDORA_CHECK(check_domain(domain));
  return database_.write_for(
      [&](Connection& connection) -> Result<Source> {
        PANDORA_CHECK(
            connection.run("INSERT INTO sources (domain, manual_override) VALUES (?, ?)"
                           " ON CONFLICT DO UPDATE SET manual_override = excluded.manual_override",
                           domain, to_string(value)));
        PANDORA_CHECK(sqlite_rows::enqueue(connection, OutboxKind::kSourceFile, domain, clock_.now()));
        return find_source(connection, domain, now);
      },
      deadline);
}

Status SqliteSourceStore::restore(const Source& source, const Deadline& deadline) {
  PANDORA_CHECK(check_row(source));
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_CHECK(connection.run(
            "INSERT INTO sources (domain, success_count, failure_count, last_success, last_failure, manual_override,"
            " worked, failed) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET success_count = "
            "excluded.success_count,"
            " failure_count = excluded.failure_count, last_success = excluded.last_success, last_failure = "
            "excluded.last_failure,"
            " manual_override = excluded.manual_override, worked = excluded.worked, failed = excluded.failed",
            source.domain, source.successes, source.failures, source.last_success, source.last_failure,
            to_string(source.manual), dump_json(source.worked), dump_json(source.failed)));
        return sqlite_rows::enqueue(connection, OutboxKind::kSourceFile, source.domain, clock_.now());
      },
      deadline);
}

}  // namespace pandora
