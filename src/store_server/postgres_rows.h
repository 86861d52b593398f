// Statements that several stores share. Internal to store_server.
#pragma once
#include <span>

#include "ports/knowledge_stores.h"
#include "ports/outbox.h"
#include "postgres/postgres_pool.h"

// A time as microseconds, in a list of columns.
#define PANDORA_MICROS(column) "(extract(epoch FROM " column ") * 1000000)::bigint"

namespace pandora::postgres_rows {

using Statements = std::vector<PostgresStatement>;

// Stands first in every transaction that takes a number or a version. Numbers and versions come from sequences, so that
// writers do not wait for each other; whoever must set one on (a number that is given, versions that would fall behind
// the clock) has them alone until it commits. `through`: numbers up to this one will be set.
void take_counters(Statements& to, Timestamp now, TurnNumber through = {});
// The same as two columns, for a statement that does more; of columns as `counters_of` has them. Read from left to
// right: what is set on is looked at when its lock is held.
#define PANDORA_COUNTERS                                                                                     \
  "CASE WHEN pg_sequence_last_value('pandora.outbox_versions') < now"                                        \
  " OR pg_sequence_last_value('pandora.turn_numbers') < through THEN pg_advisory_xact_lock(locks, counters)" \
  " ELSE pg_advisory_xact_lock_shared(locks, counters) END,"                                                 \
  " CASE WHEN pg_sequence_last_value('pandora.outbox_versions') < now"                                       \
  " THEN setval('pandora.outbox_versions', now + ahead) END"
std::vector<PostgresValue> counters_of(Timestamp now, TurnNumber through = {});  // now, ahead, locks, counters, through
void take_versions(Statements& to, std::int64_t through);                        // none up to this one is given; alone
void take_numbers(Statements& to, TurnNumber through);                           // they are given out no more
void take_number_of(Statements& to, const Turn& turn);                           // its own, when it has a row
// After a conflict over a number of ours: sequences that fell behind their rows (no replica that follows statements,
// and no dump of data alone, has them) are set on. In a transaction of its own.
void raise_counters(Statements& to);

void enqueue(Statements& to, std::span<const OutboxItem> items);

// One statement each, of kind `put`: kPermissionDenied (`check_put`) when it changed nothing: the id is another user's.
void put_memory(Statements& to, const Memory& memory);
void put_research(Statements& to, const Research& research);
Status check_put(const PostgresRows& rows, const Uuid& id);
void record_fetch(Statements& to, const FetchAttempt& attempt, Timestamp now);
// What makes an entry of the outbox that is there already due at once; it keeps its id, and so its place.
#define PANDORA_ENQUEUE                                                                                          \
  " ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, due_at = 0, leased_until = 0, owner = ''," \
  " attempts = 0, last_error = ''"
// Observations of one turn that follow each other are one row of `observations`.
using ObservationRun = std::span<const Observation>;
inline constexpr std::size_t kObservationsOfARow = 1000;  // the steps of its identity say the same
std::vector<ObservationRun> runs_of(std::span<const Observation> observations);
// A row of it, in the order of PANDORA_OBSERVATION_COLUMNS; of an empty run one that is not to be written.
std::vector<PostgresValue> columns_of(ObservationRun run);
// Several, as parameters $1 to $13: of each its turn, its `last_at` and where its values begin and end in the arrays
// that follow, which have the values of all. A statement reads the first four by unnest AS o (turn_uid, last_at, first,
// last).
std::vector<PostgresValue> columns_of(std::span<const ObservationRun> runs);
#define PANDORA_OBSERVATION_COLUMNS \
  "turn_uid, last_at, kind, name, at, micros, tokens_in, tokens_out, ok, detail, confidence"
#define PANDORA_OBSERVATION_VALUES                                                            \
  "o.turn_uid, o.last_at, ($5::text[])[first:last], ($6::text[])[first:last],"                \
  " ($7::timestamptz[])[first:last], ($8::bigint[])[first:last], ($9::bigint[])[first:last]," \
  " ($10::bigint[])[first:last], ($11::bool[])[first:last], ($12::text[])[first:last], ($13::float8[])[first:last]"

std::vector<OutboxItem> items_of_turn(const Uuid& uid);
std::vector<OutboxItem> items_of_memory(const Uuid& id);
std::vector<OutboxItem> items_of_research(const Uuid& id);

// What stands in a row and cannot be read was damaged: no caller gave a wrong argument.
template <class T>
Result<T> stored(Result<T> value) {
  if (!value && value.error().code == ErrorCode::kInvalidArgument)
    return fail(ErrorCode::kDataCorrupt, value.error().message);
  return value;
}

inline bool sees_all(const Principal& who) { return who.access == Access::kSystem; }
inline Status done(Result<std::vector<PostgresRows>> rows) {
  return rows ? Status() : Status(fail(std::move(rows).error()));
}
inline Status done(Result<PostgresRows> rows) { return rows ? Status() : Status(fail(std::move(rows).error())); }

}  // namespace pandora::postgres_rows
