// Writing rows that several stores share, inside a job of the writer. Internal to store_embedded.
#pragma once
#include "ports/knowledge_stores.h"
#include "ports/outbox.h"
#include "sqlite/connection.h"

namespace pandora::sqlite_rows {

Status enqueue(Connection& connection, OutboxKind kind, std::string_view key, Timestamp now);
// An id keeps its owner: kPermissionDenied when another user has it.
Status put_memory(Connection& connection, const Memory& memory, Timestamp now);
Status put_research(Connection& connection, const Research& research, Timestamp now);
Status record_fetch(Connection& connection, const FetchAttempt& attempt, Timestamp now);
Status add_observation(Connection& connection, const Observation& observation, const UserId& user);
Status remove_memory(Connection& connection, const Uuid& id, Timestamp now);
Status remove_research(Connection& connection, const Uuid& id, Timestamp now);

// What stands in a row and cannot be read was damaged on disk: no caller gave a wrong argument.
template <class T>
Result<T> stored(Result<T> value) {
  if (!value && value.error().code == ErrorCode::kInvalidArgument)
    return fail(ErrorCode::kDataCorrupt, value.error().message);
  return value;
}

// " AND user_id = ?" cannot be bound away: with Access::kSystem every row counts. The condition takes two values.
inline constexpr std::string_view kVisible = " (? = 1 OR user_id = ?) ";
inline bool sees_all(const Principal& who) { return who.access == Access::kSystem; }

}  // namespace pandora::sqlite_rows
