#include "store_embedded/sqlite_turn_store.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "domain/analyzer.h"
#include "domain/sparse_weights.h"
#include "ports/row_checks.h"
#include "store_embedded/sqlite_rows.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using sqlite_rows::enqueue;
using sqlite_rows::sees_all;

Result<Turn> read_turn(const Statement& row, int column) { return turn_of_row(row.text(column)); }

Result<std::vector<Turn>> read_turns(Statement& rows) {
  std::vector<Turn> turns;
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return turns;
    PANDORA_TRY(turn, read_turn(rows, 0));
    turns.push_back(std::move(turn));
  }
}

tl::unexpected<Error> no_turn(TurnNumber number) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", number.value),
              "`pandora turns list` shows those that are there");
}

Result<Turn> find_visible(Connection& connection, TurnNumber number, const Principal& who) {
  PANDORA_TRY(row, connection.query("SELECT document FROM turns WHERE turn_number = ?", number.value));
  PANDORA_TRY(found, row.next());
  if (!found) return no_turn(number);
  PANDORA_TRY(turn, read_turn(row, 0));
  if (!who.may_see(turn.user)) return no_turn(number);
  return turn;
}

Result<TurnNumber> next_number(Connection& connection) {
  PANDORA_TRY(
      row, connection.query("UPDATE turn_numbers SET last = last + 1 WHERE last < ? RETURNING last", kMaxTurnNumber));
  PANDORA_TRY(left, row.next());
  if (!left)
    return fail(ErrorCode::kResourceExhausted, fmt::format("no turn number is left up to {}", kMaxTurnNumber),
                "a folder of a turn with such a number is no turn of ours: move it away");
  const TurnNumber number{row.integer(0)};
  PANDORA_CHECK(row.run());
  return number;
}

Result<Turn> find_by_uid(Connection& connection, const Uuid& uid, const Principal& who) {
  PANDORA_TRY(row, connection.query("SELECT document FROM turns WHERE turn_uid = ?", uid));
  PANDORA_TRY(found, row.next());
  const auto none = [&] { return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", uid.to_string())); };
  if (!found) return none();
  PANDORA_TRY(turn, read_turn(row, 0));
  if (!who.may_see(turn.user)) return none();
  return turn;
}

// Up to `radius` turns either side of a place in a session, nearer first, older before newer.
Result<std::vector<std::pair<int, Turn>>> around(Connection& connection, const Turn& turn, int radius) {
  std::vector<std::pair<int, Turn>> found;
  radius = std::clamp(radius, 0, kMaxRadius);
  for (const bool older : {true, false}) {
    PANDORA_TRY(rows, connection.query(older ? "SELECT document FROM turns WHERE user_id = ? AND session_id = ? AND "
                                               "turn_number < ? ORDER BY turn_number DESC LIMIT ?"
                                             : "SELECT document FROM turns WHERE user_id = ? AND session_id = ? AND "
                                               "turn_number > ? ORDER BY turn_number LIMIT ?",
                                       turn.user.str(), turn.session.str(), turn.number.value, radius));
    PANDORA_TRY(turns, read_turns(rows));
    int distance = 0;
    for (auto& other : turns) found.emplace_back(++distance, std::move(other));
  }
  std::ranges::stable_sort(found, {}, [](const auto& entry) { return entry.first; });
  return found;
}

Status enqueue_turn(Connection& connection, const Uuid& uid, Timestamp now) {
  PANDORA_CHECK(enqueue(connection, OutboxKind::kTurnDirectory, uid.to_string(), now));
  return enqueue(connection, OutboxKind::kTurnPoint, uid.to_string(), now);
}

// Of a turn that goes.
Result<std::vector<Uuid>> enqueue_neighbours(Connection& connection, const Turn& turn, Timestamp now) {
  PANDORA_TRY(others, around(connection, turn, kWindow));
  std::vector<Uuid> uids;
  for (const auto& [distance, other] : others) {
    PANDORA_CHECK(enqueue(connection, OutboxKind::kTurnPoint, other.uid.to_string(), now));
    uids.push_back(other.uid);
  }
  return uids;
}

Status write_document(Connection& connection, const Turn& turn) {
  PANDORA_CHECK(connection.run("UPDATE turns SET document = ?2 WHERE turn_number = ?1", turn.number.value,
                               row_of_turn(turn, turn.number)));
  return {};
}

Status write_keywords(Connection& connection, const Turn& turn) {
  for (const auto& keyword : turn.keywords)
    PANDORA_CHECK(connection.run("INSERT INTO turn_keywords VALUES (?, ?, ?) ON CONFLICT DO NOTHING", turn.user.str(),
                                 keyword, turn.number.value));
  return {};
}

Status insert_turn(Connection& connection, const Turn& turn) {
  PANDORA_CHECK(connection.run("INSERT INTO turns (turn_number, turn_uid, document) VALUES (?, ?, ?)",
                               turn.number.value, turn.uid, row_of_turn(turn, turn.number)));
  return write_keywords(connection, turn);
}

// The turn's own outbox entries and those of what came with it.
Status enqueue_record(Connection& connection, const TurnRecord& record, const Turn& turn, Timestamp now) {
  PANDORA_CHECK(enqueue_turn(connection, turn.uid, now));
  for (const auto& memory : record.memories) {
    PANDORA_CHECK(enqueue(connection, OutboxKind::kMemoryFile, memory.id.to_string(), now));
    PANDORA_CHECK(enqueue(connection, OutboxKind::kMemoryPoint, memory.id.to_string(), now));
  }
  for (const auto& research : record.research) {
    PANDORA_CHECK(enqueue(connection, OutboxKind::kResearchFile, research.id.to_string(), now));
    PANDORA_CHECK(enqueue(connection, OutboxKind::kResearchPoint, research.id.to_string(), now));
  }
  for (const auto& fetch : record.fetches)
    PANDORA_CHECK(enqueue(connection, OutboxKind::kSourceFile, fetch.domain, now));
  return {};
}

Result<TurnNumber> commit(Connection& connection, const TurnRecord& record, Timestamp now) {
  Turn turn = record.turn;
  {
    PANDORA_TRY(known,
                connection.query("SELECT turn_number, user_id, session_id FROM turns WHERE turn_uid = ?", turn.uid));
    PANDORA_TRY(there, known.next());
    if (there) {
      if (known.text(1) != turn.user.str())
        return fail(ErrorCode::kPermissionDenied, fmt::format("turn {} belongs to another user", turn.uid.to_string()));
      turn.number = {known.integer(0)};
      PANDORA_TRY(session, sqlite_rows::stored(SessionId::parse(known.text(2))));
      turn.session = std::move(session);
      PANDORA_CHECK(enqueue_record(connection, record, turn, now));
      return turn.number;
    }
  }
  if (turn.number.value == 0) {
    PANDORA_TRY(number, next_number(connection));
    turn.number = number;
  } else {
    PANDORA_TRY(taken, connection.query("SELECT 1 FROM turns WHERE turn_number = ?", turn.number.value));
    PANDORA_TRY(is_taken, taken.next());
    if (is_taken) return fail(ErrorCode::kConflict, fmt::format("turn {} is another one", turn.number.value));
    PANDORA_CHECK(connection.run("UPDATE turn_numbers SET last = max(last, ?)", turn.number.value));
  }
  PANDORA_CHECK(insert_turn(connection, turn));
  for (const auto& memory : record.memories) PANDORA_CHECK(sqlite_rows::put_memory(connection, memory, now));
  for (const auto& research : record.research) PANDORA_CHECK(sqlite_rows::put_research(connection, research, now));
  for (const auto& fetch : record.fetches) PANDORA_CHECK(sqlite_rows::record_fetch(connection, fetch, now));
  for (const auto& observation : record.observations)
    PANDORA_CHECK(sqlite_rows::add_observation(connection, observation, turn.user));
  PANDORA_CHECK(enqueue_record(connection, record, turn, now));
  return turn.number;
}

Result<std::vector<Uuid>> ids_of_turn(Connection& connection, std::string_view sql, const Uuid& turn) {
  std::vector<Uuid> ids;
  PANDORA_TRY(rows, connection.query(sql, turn.to_string()));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return ids;
    PANDORA_TRY(id, rows.uuid(0));
    ids.push_back(id);
  }
}

std::string embedder_key(const EmbedderIdentity& embedder) { return embedder.model + "@" + embedder.revision; }

}  // namespace

Result<TurnNumber> SqliteTurnStore::reserve_number(const Principal&, const Deadline& deadline) {
  return database_.write_for(next_number, deadline);
}

Status SqliteTurnStore::reserve_through(TurnNumber number, const Principal&, const Deadline& deadline) {
  PANDORA_CHECK(check_number(number));
  return database_.write(
      [&](Connection& connection) {
        return connection.run("UPDATE turn_numbers SET last = max(last, ?)", number.value);
      },
      deadline);
}

Result<TurnNumber> SqliteTurnStore::commit_turn(const TurnRecord& record, const Principal& who,
                                                const Deadline& deadline) {
  PANDORA_CHECK(check_record(record, who));
  return database_.write_for([&](Connection& connection) { return commit(connection, record, clock_.now()); },
                             deadline);
}

Result<Turn> SqliteTurnStore::find(TurnNumber number, const Principal& who, const Deadline& deadline) {
  return database_.read([&](Connection& connection) { return find_visible(connection, number, who); }, deadline);
}

Result<std::vector<Turn>> SqliteTurnStore::find_all(std::span<const Uuid> uids, const Principal& who,
                                                    const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Turn>> {
        std::vector<std::string> documents;
        for (const Uuid& uid : uids) {
          PANDORA_TRY(row, connection.query("SELECT document FROM turns WHERE turn_uid = ?", uid));
          PANDORA_TRY(found, row.next());
          if (found) documents.emplace_back(row.text(0));
        }
        // Taking them apart is most of the time that it takes.
        const std::vector<std::string_view> texts(documents.begin(), documents.end());
        PANDORA_TRY(turns, turns_of_rows(texts, pool_));
        std::erase_if(turns, [&](const Turn& turn) { return !who.may_see(turn.user); });
        return turns;
      },
      deadline);
}

Result<std::vector<Turn>> SqliteTurnStore::list(const TurnQuery& query, const Principal& who,
                                                const Deadline& deadline) {
  // A literal for each shape of the question, so that each is prepared once and uses its index.
  const bool asks_topics = !query.topic_terms.empty();  // made from each document, so only then
  std::string sql = fmt::format("SELECT document{} FROM turns WHERE ", asks_topics ? ", topic" : "");
  if (sees_all(who))
    sql += query.session ? "session_id = ?1" : "?1 IS NOT NULL";
  else
    sql += query.session ? "user_id = ?2 AND session_id = ?1" : "user_id = ?2 AND ?1 IS NOT NULL";
  if (!query.keywords.empty())
    sql += fmt::format(
        " AND turn_number IN (SELECT turn_number FROM turn_keywords WHERE {} keyword IN (SELECT value FROM "
        "json_each(?8)) GROUP BY turn_number HAVING count(*) = json_array_length(?8))",
        sees_all(who) ? "" : "user_id = ?2 AND");
  sql +=
      " AND turn_number < ?3 AND timestamp >= ?4 AND timestamp < ?5 AND rejected <= ?6 AND archived <= ?7 AND ?2 IS "
      "NOT NULL AND ?8 IS NOT NULL ORDER BY turn_number DESC LIMIT ?9";
  const std::set<std::string> keywords(query.keywords.begin(), query.keywords.end());
  const auto limit = static_cast<std::int64_t>(std::min(query.limit, kMaxPage));
  // Topics are looked at here, until there are enough.
  const std::int64_t most = asks_topics ? std::numeric_limits<std::int64_t>::max() : limit;
  const auto text = [](const std::optional<Timestamp>& time, const char* fallback) {
    return time ? to_iso8601(*time) : std::string(fallback);
  };
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Turn>> {
        PANDORA_TRY(rows, connection.query(sql, query.session ? query.session->str() : std::string(), who.user.str(),
                                           query.before ? query.before->value : INT64_MAX, text(query.since, ""),
                                           text(query.until, "~"), query.include_rejected, query.include_archived,
                                           dump_json(keywords), most));
        std::vector<Turn> turns;
        while (std::ssize(turns) < limit) {
          PANDORA_TRY(more, rows.next());
          if (!more) break;
          if (asks_topics && !has_terms(rows.text(1), query.topic_terms)) continue;
          PANDORA_TRY(turn, read_turn(rows, 0));
          turns.push_back(std::move(turn));
        }
        return turns;
      },
      deadline);
}

Result<std::vector<Turn>> SqliteTurnStore::scan(TurnNumber after, std::size_t limit, const Principal& who,
                                                const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<Turn>> {
        PANDORA_TRY(
            rows,
            sees_all(who)
                ? connection.query("SELECT document FROM turns WHERE turn_number > ? ORDER BY turn_number LIMIT ?",
                                   after.value, std::min(limit, kMaxPage))
                : connection.query(
                      "SELECT document FROM turns WHERE turn_number > ? AND user_id = ? ORDER BY turn_number LIMIT ?",
                      after.value, who.user.str(), std::min(limit, kMaxPage)));
        return read_turns(rows);
      },
      deadline);
}

Result<std::vector<std::pair<int, Turn>>> SqliteTurnStore::neighbours(const Uuid& uid, int radius, const Principal& who,
                                                                      const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<std::pair<int, Turn>>> {
        PANDORA_TRY(turn, find_by_uid(connection, uid, who));
        PANDORA_TRY(others, around(connection, turn, radius));
        others.insert(others.begin(), {0, std::move(turn)});
        return others;
      },
      deadline);
}

Result<std::optional<TurnNumber>> SqliteTurnStore::find_content(const std::string& content, const SessionId& session,
                                                                const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::optional<TurnNumber>> {
        PANDORA_TRY(row, connection.query(
                             "SELECT turn_number FROM turns WHERE user_id = ? AND session_id = ? AND content_sha256 = ?"
                             " ORDER BY turn_number LIMIT 1",
                             who.user.str(), session.str(), content));
        PANDORA_TRY(found, row.next());
        if (!found) return std::nullopt;
        return TurnNumber{row.integer(0)};
      },
      deadline);
}

Result<std::vector<SessionSummary>> SqliteTurnStore::sessions(const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<SessionSummary>> {
        std::vector<SessionSummary> sessions;
        // SQLite gives the bare columns of the row that holds the maximum.
        PANDORA_TRY(
            rows,
            connection.query(
                "SELECT session_id, user_id, count(*), min(timestamp), timestamp, topic, max(turn_number) FROM turns"
                " WHERE (?1 = 1 OR user_id = ?2) GROUP BY user_id, session_id ORDER BY max(turn_number) DESC",
                sees_all(who), who.user.str()));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) return sessions;
          PANDORA_TRY(session, sqlite_rows::stored(SessionId::parse(rows.text(0))));
          PANDORA_TRY(user, sqlite_rows::stored(UserId::parse(rows.text(1))));
          PANDORA_TRY(first, sqlite_rows::stored(parse_iso8601(rows.text(3))));
          PANDORA_TRY(last, sqlite_rows::stored(parse_iso8601(rows.text(4))));
          sessions.push_back({session, user, rows.integer(2), first, last, std::string(rows.text(5))});
        }
      },
      deadline);
}

Result<std::int64_t> SqliteTurnStore::count(const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::int64_t> {
        PANDORA_TRY(row, sees_all(who)
                             ? connection.query("SELECT count(*) FROM turns")
                             : connection.query("SELECT count(*) FROM turns WHERE user_id = ?", who.user.str()));
        PANDORA_CHECK(row.next());
        return row.integer(0);
      },
      deadline);
}

Result<std::vector<std::int64_t>> SqliteTurnStore::keyword_counts(std::span<const std::string> terms,
                                                                  const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> counts;
        for (const auto& term : terms) {
          PANDORA_TRY(row, connection.query("SELECT count(*) FROM turn_keywords WHERE user_id = ? AND keyword = ?",
                                            who.user.str(), term));
          PANDORA_CHECK(row.next());
          counts.push_back(row.integer(0));
        }
        return counts;
      },
      deadline);
}

Result<Turn> SqliteTurnStore::change(TurnNumber number, const TurnChange& change, const Principal& who,
                                     const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<Turn> {
        PANDORA_TRY(turn, find_visible(connection, number, who));
        if (change.rejected) turn.rejected = *change.rejected;
        if (change.quality) turn.quality = *change.quality;
        if (change.archived) turn.archived = *change.archived;
        PANDORA_CHECK(check_row(turn));
        PANDORA_CHECK(write_document(connection, turn));
        PANDORA_CHECK(enqueue_turn(connection, turn.uid, clock_.now()));
        return turn;
      },
      deadline);
}

Status SqliteTurnStore::rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) {
  PANDORA_CHECK(check_row(turn));
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_TRY(old, find_by_uid(connection, turn.uid, who));
        if (old.number != turn.number || old.session != turn.session || old.user != turn.user)
          return fail(ErrorCode::kConflict, fmt::format("turn {} is not number {} of that session and user",
                                                        turn.uid.to_string(), turn.number.value));
        PANDORA_CHECK(check_unchanged(old, was));
        PANDORA_CHECK(write_document(connection, turn));
        PANDORA_CHECK(connection.run("DELETE FROM turn_keywords WHERE turn_number = ?", turn.number.value));
        PANDORA_CHECK(connection.run("DELETE FROM turn_vectors WHERE turn_uid = ?", turn.uid));
        PANDORA_CHECK(write_keywords(connection, turn));
        return enqueue_turn(connection, turn.uid, clock_.now());
      },
      deadline);
}

Result<RemovedTurn> SqliteTurnStore::remove(TurnNumber number, const Principal& who, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<RemovedTurn> {
        const Timestamp now = clock_.now();
        RemovedTurn removed;
        PANDORA_TRY(turn, find_visible(connection, number, who));
        removed.turn = std::move(turn);
        const Uuid& uid = removed.turn.uid;
        PANDORA_TRY(
            memories,
            ids_of_turn(connection, "SELECT memory_id FROM memories WHERE source_turn = ? ORDER BY memory_id", uid));
        PANDORA_TRY(research,
                    ids_of_turn(connection,
                                "SELECT research_id FROM research WHERE source_turn = ? ORDER BY research_id", uid));
        for (const Uuid& id : memories) PANDORA_CHECK(sqlite_rows::remove_memory(connection, id, now));
        for (const Uuid& id : research) PANDORA_CHECK(sqlite_rows::remove_research(connection, id, now));
        PANDORA_CHECK(connection.run("DELETE FROM observability WHERE turn_uid = ?", uid));
        removed.observations = connection.changes();
        PANDORA_TRY(neighbours, enqueue_neighbours(connection, removed.turn, now));
        PANDORA_CHECK(connection.run("DELETE FROM turns WHERE turn_number = ?", number.value));
        PANDORA_CHECK(enqueue_turn(connection, uid, now));
        removed.memories = std::move(memories);
        removed.research = std::move(research);
        removed.neighbours = std::move(neighbours);
        return removed;
      },
      deadline);
}

Status SqliteTurnStore::put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                                   const Deadline& deadline, const Turn* of) {
  if (vector.size() != embedder.dimension)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a vector of {} values from an embedder of {}", vector.size(), embedder.dimension));
  const std::string_view bytes(reinterpret_cast<const char*>(vector.data()), vector.size_bytes());
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_TRY(row, find_by_uid(connection, uid, Principal::system()));
        PANDORA_CHECK(check_words(row, of));
        PANDORA_CHECK(
            connection.run("UPDATE turns SET embedding_id = ?2 WHERE turn_uid = ?1", uid, turn_point_id(uid)));
        PANDORA_TRY(
            statement,
            connection.prepare(
                "INSERT INTO turn_vectors VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET vector = excluded.vector"));
        return statement.bind(uid, embedder_key(embedder), Statement::as_blob(bytes)).run();
      },
      deadline);
}

Result<std::vector<TurnVector>> SqliteTurnStore::vectors_around(const Uuid& uid, int radius,
                                                                const EmbedderIdentity& embedder,
                                                                const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<TurnVector>> {
        std::vector<TurnVector> vectors;
        PANDORA_TRY(own, find_by_uid(connection, uid, Principal::system()));
        PANDORA_TRY(turns, around(connection, own, radius));
        turns.insert(turns.begin(), {0, std::move(own)});
        for (const auto& [distance, turn] : turns) {
          PANDORA_TRY(row, connection.query("SELECT vector FROM turn_vectors WHERE turn_uid = ? AND embedder = ?",
                                            turn.uid, embedder_key(embedder)));
          PANDORA_TRY(found, row.next());
          if (!found) continue;
          const std::string_view bytes = row.blob(0);
          if (bytes.size() != embedder.dimension * sizeof(float)) continue;  // of a model of the same name, but another
          TurnVector vector{turn.uid, distance, std::vector<float>(bytes.size() / sizeof(float))};
          std::memcpy(vector.vector.data(), bytes.data(), vector.vector.size() * sizeof(float));
          vectors.push_back(std::move(vector));
        }
        return vectors;
      },
      deadline);
}

Result<std::optional<Uuid>> SqliteTurnStore::drop_other_vectors(const EmbedderIdentity& kept,
                                                                const std::optional<Uuid>& after, std::size_t limit,
                                                                const Deadline& deadline) {
  std::optional<Uuid> last;
  PANDORA_CHECK(database_.write(
      [&](Connection& connection) -> Status {
        const Uuid first = after.value_or(Uuid());  // the nil id is nobody's
        last.reset();
        PANDORA_TRY(rows, connection.query(
                              "SELECT DISTINCT turn_uid FROM turn_vectors WHERE turn_uid > ? ORDER BY turn_uid LIMIT ?",
                              first, std::min(limit, kMaxPage)));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) break;
          PANDORA_TRY(uid, rows.uuid(0));
          last = uid;
        }
        if (!last) return {};
        return connection.run("DELETE FROM turn_vectors WHERE turn_uid > ? AND turn_uid <= ? AND embedder <> ?", first,
                              *last, embedder_key(kept));
      },
      deadline));
  return last;
}

}  // namespace pandora
