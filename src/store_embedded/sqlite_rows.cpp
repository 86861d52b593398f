#include "store_embedded/sqlite_rows.h"

#include <algorithm>

#include <fmt/format.h>

#include "wire/turn_json.h"

namespace pandora::sqlite_rows {
namespace {

// The newest first, each once, at most kMaxSitePatterns.
std::string remember_pattern(std::string_view json, const std::string& pattern) {
  std::vector<std::string> patterns = {pattern};
  const Json old = Json::parse(json, nullptr, false);
  for (const auto& known : old)
    if (known.is_string() && known != pattern && patterns.size() < kMaxSitePatterns) patterns.push_back(known);
  return dump_json(patterns);
}

// `select` asks for the user of the row with this id, which must be `user` if there is one.
Status check_owner_of(Connection& connection, std::string_view select, const Uuid& id, const UserId& user) {
  PANDORA_TRY(row, connection.query(select, id));
  PANDORA_TRY(found, row.next());
  if (!found || row.text(0) == user.str()) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("{} belongs to another user", id.to_string()));
}
}  // namespace

Status enqueue(Connection& connection, OutboxKind kind, std::string_view key, Timestamp now) {
  PANDORA_CHECK(connection.run("UPDATE outbox_versions SET last = max(last + 1, ?)", now));
  return connection.run(
      "INSERT INTO outbox (kind, key, version) VALUES (?1, ?2, (SELECT last FROM outbox_versions))"
      " ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, due_at = 0, leased_until = 0, owner = '',"
      " attempts = 0, last_error = ''",
      to_string(kind), key);
}

Status put_memory(Connection& connection, const Memory& memory, Timestamp now) {
  PANDORA_CHECK(check_owner_of(connection, "SELECT user_id FROM memories WHERE memory_id = ?", memory.id, memory.user));
  PANDORA_CHECK(connection.run(
      "INSERT INTO memories (memory_id, document) VALUES (?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
      memory.id, dump_json(to_json(memory))));
  PANDORA_CHECK(enqueue(connection, OutboxKind::kMemoryFile, memory.id.to_string(), now));
  return enqueue(connection, OutboxKind::kMemoryPoint, memory.id.to_string(), now);
}

Status put_research(Connection& connection, const Research& research, Timestamp now) {
  PANDORA_CHECK(
      check_owner_of(connection, "SELECT user_id FROM research WHERE research_id = ?", research.id, research.user));
  PANDORA_CHECK(
      connection.run("INSERT INTO research (research_id, document, topic_key) VALUES (?, ?, ?)"
                     " ON CONFLICT DO UPDATE SET document = excluded.document, topic_key = excluded.topic_key",
                     research.id, dump_json(to_json(research)), research_topic_key(research.primary_topic)));
  PANDORA_CHECK(enqueue(connection, OutboxKind::kResearchFile, research.id.to_string(), now));
  return enqueue(connection, OutboxKind::kResearchPoint, research.id.to_string(), now);
}

Status remove_memory(Connection& connection, const Uuid& id, Timestamp now) {
  PANDORA_CHECK(connection.run("DELETE FROM memories WHERE memory_id = ?", id));
  PANDORA_CHECK(enqueue(connection, OutboxKind::kMemoryFile, id.to_string(), now));
  return enqueue(connection, OutboxKind::kMemoryPoint, id.to_string(), now);
}

Status remove_research(Connection& connection, const Uuid& id, Timestamp now) {
  PANDORA_CHECK(connection.run("DELETE FROM research WHERE research_id = ?", id));
  PANDORA_CHECK(enqueue(connection, OutboxKind::kResearchFile, id.to_string(), now));
  return enqueue(connection, OutboxKind::kResearchPoint, id.to_string(), now);
}

Status record_fetch(Connection& connection, const FetchAttempt& attempt, Timestamp now) {
  PANDORA_CHECK(connection.run("INSERT INTO sources (domain) VALUES (?) ON CONFLICT DO NOTHING", attempt.domain));
  PANDORA_CHECK(
      connection.run("DELETE FROM source_attempts WHERE domain = ? AND at < ?", attempt.domain, now - kRecentAttempts));
  PANDORA_CHECK(connection.run("INSERT INTO source_attempts VALUES (?, ?, ?)", attempt.domain, attempt.at, attempt.ok));
  const char* count = attempt.ok ? "UPDATE sources SET success_count = success_count + 1, last_success = "
                                   "max(coalesce(last_success, ?2), ?2) WHERE domain = ?1"
                                 : "UPDATE sources SET failure_count = failure_count + 1, last_failure = "
                                   "max(coalesce(last_failure, ?2), ?2) WHERE domain = ?1";
  PANDORA_CHECK(connection.run(count, attempt.domain, attempt.at));
  if (!attempt.detail.empty()) {
    std::string patterns;
    {
      PANDORA_TRY(row, connection.query(attempt.ok ? "SELECT worked FROM sources WHERE domain = ?"
                                                   : "SELECT failed FROM sources WHERE domain = ?",
                                        attempt.domain));
      PANDORA_CHECK(row.next());
      patterns = remember_pattern(row.text(0), attempt.detail);
    }
    PANDORA_CHECK(connection.run(attempt.ok ? "UPDATE sources SET worked = ?2 WHERE domain = ?1"
                                            : "UPDATE sources SET failed = ?2 WHERE domain = ?1",
                                 attempt.domain, patterns));
  }
  return enqueue(connection, OutboxKind::kSourceFile, attempt.domain, now);
}

Status add_observation(Connection& connection, const Observation& observation, const UserId& user) {
  return connection.run(
      "INSERT INTO observability (turn_uid, user_id, kind, name, at, micros, tokens_in, tokens_out, ok, detail, "
      "confidence)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      observation.turn_uid, user.str(), to_string(observation.kind), observation.name, observation.at,
      std::max<std::int64_t>(0, observation.micros), observation.tokens_in, observation.tokens_out, observation.ok,
      observation.detail, observation.confidence);
}

}  // namespace pandora::sqlite_rows
