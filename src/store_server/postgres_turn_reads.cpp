// PostgresTurnStore: what only reads.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include <fmt/format.h>

#include "store_server/postgres_rows.h"
#include "store_server/postgres_text_search.h"
#include "store_server/postgres_turn_store.h"
#include "wire/turn_json.h"

namespace pandora {

using postgres_rows::sees_all;

namespace postgres_rows {

Result<Turn> read_turn(const PostgresRows& rows, int row, int column) {
  PANDORA_TRY(turn, turn_of_row(rows.text(row, column + 1)));
  turn.number = {rows.integer(row, column)};
  return turn;
}

Result<std::vector<Turn>> read_turns(const PostgresRows& rows) {
  std::vector<Turn> turns;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(turn, read_turn(rows, i));
    turns.push_back(std::move(turn));
  }
  return turns;
}

tl::unexpected<Error> no_turn(TurnNumber number) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", number.value),
              "`pandora turns list` shows those that are there");
}
tl::unexpected<Error> no_turn(const Uuid& uid) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no turn {}", uid.to_string()));
}

}  // namespace postgres_rows

namespace {

// The turn and those around it, in one statement and so of one moment; $1 uid, $2 all users', $3 user, $4 radius.
// MATERIALIZED, so that the turn is found by its uid also before the table has statistics (an index of the user would
// do as well then, and is read from end to end). LATERAL, so that the index of sessions is read from the turn on: the
// order of a plain join is not that of its index, and every turn of the session would be read and sorted.
#define PANDORA_AROUND                                                                                            \
  "WITH found AS MATERIALIZED (SELECT turn_number, user_id, session_id FROM pandora.turns WHERE turn_uid = $1), " \
  "me AS (SELECT * FROM found WHERE $2::bool OR user_id = $3), "                                                  \
  "near AS (SELECT 0::bigint AS distance, turn_number FROM me"                                                    \
  " UNION ALL SELECT before.* FROM me CROSS JOIN LATERAL"                                                         \
  "  (SELECT row_number() OVER (ORDER BY o.turn_number DESC), o.turn_number FROM pandora.turns o"                 \
  "   WHERE o.user_id = me.user_id AND o.session_id = me.session_id AND o.turn_number < me.turn_number"           \
  "   ORDER BY o.turn_number DESC LIMIT $4::bigint) AS before"                                                    \
  " UNION ALL SELECT later.* FROM me CROSS JOIN LATERAL"                                                          \
  "  (SELECT row_number() OVER (ORDER BY o.turn_number), o.turn_number FROM pandora.turns o"                      \
  "   WHERE o.user_id = me.user_id AND o.session_id = me.session_id AND o.turn_number > me.turn_number"           \
  "   ORDER BY o.turn_number LIMIT $4) AS later) "

constexpr std::string_view kNeighbours = PANDORA_AROUND
    "SELECT distance, turn_number, document FROM near JOIN pandora.turns USING (turn_number) ORDER BY distance, "
    "turn_number";
constexpr std::string_view kVectors = PANDORA_AROUND
    "SELECT distance, turn_uid, vector FROM near JOIN pandora.turns USING (turn_number)"
    " LEFT JOIN (SELECT turn_uid, vector FROM pandora.turn_vectors WHERE embedder = $5) AS made USING (turn_uid)"
    " ORDER BY distance, turn_number";

}  // namespace

Result<Turn> PostgresTurnStore::find(TurnNumber number, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(
      rows, pool_.query(
                "SELECT turn_number, document FROM pandora.turns WHERE turn_number = $1 AND ($2::bool OR user_id = $3)",
                deadline, number.value, sees_all(who), who.user.str()));
  if (rows.empty()) return postgres_rows::no_turn(number);
  return postgres_rows::read_turn(rows, 0);
}

Result<std::vector<Turn>> PostgresTurnStore::find_all(std::span<const Uuid> uids, const Principal& who,
                                                      const Deadline& deadline) {
  std::vector<Turn> turns;
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  if (uids.empty()) return turns;
  PANDORA_TRY(rows, pool_.query("SELECT turn_number, document FROM pandora.turns WHERE turn_uid = ANY ($1::uuid[]) AND "
                                "($2::bool OR user_id = $3)",
                                deadline, std::vector<Uuid>(uids.begin(), uids.end()), sees_all(who), who.user.str()));
  std::vector<std::string_view> documents;
  for (int i = 0; i < rows.size(); ++i) documents.push_back(rows.text(i, 1));
  PANDORA_TRY(found, turns_of_rows(documents, readers_));
  std::unordered_map<Uuid, std::size_t> place;
  for (int i = 0; i < rows.size(); ++i) {
    Turn& turn = found[static_cast<std::size_t>(i)];
    turn.number = {rows.integer(i, 0)};
    place.emplace(turn.uid, static_cast<std::size_t>(i));
  }
  for (const Uuid& uid : uids)
    if (const auto one = place.find(uid); one != place.end()) turns.push_back(found[one->second]);
  return turns;
}

Result<std::vector<Turn>> PostgresTurnStore::list(const TurnQuery& query, const Principal& who,
                                                  const Deadline& deadline) {
  // A text for each shape of the question, so that each is prepared once and uses its index.
  std::string sql = "SELECT turn_number, document FROM pandora.turns WHERE TRUE";
  std::vector<PostgresValue> values;
  const auto also = [&](std::string_view condition, PostgresValue value) {
    values.push_back(std::move(value));
    sql += fmt::format(" AND {} ${}", condition, values.size());
  };
  if (query.before) also("turn_number <", query.before->value);
  if (!sees_all(who)) also("user_id =", who.user.str());
  if (query.session) also("session_id =", query.session->str());
  if (query.since) also("timestamp >=", *query.since);
  if (query.until) also("timestamp <", *query.until);
  if (!query.topic_terms.empty()) also("topic_search @@", postgres_rows::all_terms(query.topic_terms));
  if (!query.keywords.empty()) also("keywords @>", dump_json(query.keywords));
  if (!query.include_rejected) sql += " AND NOT rejected";
  if (!query.include_archived) sql += " AND NOT archived";
  values.push_back(std::min(query.limit, kMaxPage));
  sql += fmt::format(" ORDER BY turn_number DESC LIMIT ${}::bigint", values.size());
  PANDORA_TRY(lease, pool_.take(deadline));
  const PostgresStatement statement{sql, std::move(values)};
  PANDORA_TRY(rows, lease->run({&statement, 1}));
  return postgres_rows::read_turns(rows.front());
}

Result<std::vector<Turn>> PostgresTurnStore::scan(TurnNumber after, std::size_t limit, const Principal& who,
                                                  const Deadline& deadline) {
  const std::size_t most = std::min(limit, kMaxPage);
  PANDORA_TRY(
      rows, sees_all(who)
                ? pool_.query("SELECT turn_number, document FROM pandora.turns WHERE turn_number > $1"
                              " ORDER BY turn_number LIMIT $2::bigint",
                              deadline, after.value, most)
                : pool_.query("SELECT turn_number, document FROM pandora.turns WHERE turn_number > $1 AND user_id = $3"
                              " ORDER BY turn_number LIMIT $2::bigint",
                              deadline, after.value, most, who.user.str()));
  return postgres_rows::read_turns(rows);
}

Result<std::vector<std::pair<int, Turn>>> PostgresTurnStore::neighbours(const Uuid& uid, int radius,
                                                                        const Principal& who,
                                                                        const Deadline& deadline) {
  PANDORA_TRY(
      rows, pool_.query(kNeighbours, deadline, uid, sees_all(who), who.user.str(), std::clamp(radius, 0, kMaxRadius)));
  if (rows.empty()) return postgres_rows::no_turn(uid);
  std::vector<std::pair<int, Turn>> found;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(turn, postgres_rows::read_turn(rows, i, 1));
    found.emplace_back(static_cast<int>(rows.integer(i, 0)), std::move(turn));
  }
  return found;
}

Result<std::optional<TurnNumber>> PostgresTurnStore::find_content(const std::string& content, const SessionId& session,
                                                                  const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(
      rows,
      pool_.query(
          "SELECT min(turn_number) FROM pandora.turns WHERE content_sha256 = $1 AND user_id = $2 AND session_id = $3",
          deadline, content, who.user.str(), session.str()));
  if (rows.is_null(0, 0)) return std::nullopt;
  return TurnNumber{rows.integer(0, 0)};
}

Result<std::vector<SessionSummary>> PostgresTurnStore::sessions(const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(
      rows, pool_.query(
                "SELECT s.session_id, s.user_id, s.turns, (extract(epoch FROM s.first_at) * 1000000)::bigint,"
                " (extract(epoch FROM t.timestamp) * 1000000)::bigint, t.topic FROM"
                " (SELECT user_id, session_id, count(*) AS turns, min(timestamp) AS first_at, max(turn_number) AS last"
                "  FROM pandora.turns WHERE $1::bool OR user_id = $2 GROUP BY user_id, session_id) AS s"
                " JOIN pandora.turns t ON t.turn_number = s.last ORDER BY s.last DESC",
                deadline, sees_all(who), who.user.str()));
  std::vector<SessionSummary> sessions;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(session, postgres_rows::stored(SessionId::parse(rows.text(i, 0))));
    PANDORA_TRY(user, postgres_rows::stored(UserId::parse(rows.text(i, 1))));
    sessions.push_back(
        {session, user, rows.integer(i, 2), *rows.time(i, 3), *rows.time(i, 4), std::string(rows.text(i, 5))});
  }
  return sessions;
}

Result<std::int64_t> PostgresTurnStore::count(const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(rows, sees_all(who) ? pool_.query("SELECT count(*) FROM pandora.turns", deadline)
                                  : pool_.query("SELECT count(*) FROM pandora.turns WHERE user_id = $1", deadline,
                                                who.user.str()));
  return rows.integer(0, 0);
}

Result<std::vector<std::int64_t>> PostgresTurnStore::keyword_counts(std::span<const std::string> terms,
                                                                    const Principal& who, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking PostgreSQL"));
  std::vector<std::int64_t> counts;
  if (terms.empty()) return counts;
  std::vector<std::int64_t> keys;
  for (const std::string& term : terms) keys.push_back(postgres_rows::keyword_key(who.user, term));
  PANDORA_TRY(rows, pool_.query("SELECT (SELECT count(*) FROM pandora.turn_keywords WHERE keys @> ARRAY[key])"
                                " FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (key, place) ORDER BY place",
                                deadline, keys));
  for (int i = 0; i < rows.size(); ++i) counts.push_back(rows.integer(i, 0));
  return counts;
}

Result<std::vector<TurnVector>> PostgresTurnStore::vectors_around(const Uuid& uid, int radius,
                                                                  const EmbedderIdentity& embedder,
                                                                  const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query(kVectors, deadline, uid, true, "", std::clamp(radius, 0, kMaxRadius),
                                embedder.model + "@" + embedder.revision));
  if (rows.empty()) return postgres_rows::no_turn(uid);
  std::vector<TurnVector> vectors;
  for (int i = 0; i < rows.size(); ++i) {
    if (rows.is_null(i, 2)) continue;
    const std::string bytes = rows.bytes(i, 2);
    if (bytes.size() != embedder.dimension * sizeof(float)) continue;  // of a model of the same name, but another
    PANDORA_TRY(turn, rows.uuid(i, 1));
    TurnVector vector{turn, static_cast<int>(rows.integer(i, 0)), std::vector<float>(embedder.dimension)};
    std::memcpy(vector.vector.data(), bytes.data(), bytes.size());
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

}  // namespace pandora
