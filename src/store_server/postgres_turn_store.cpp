// PostgresTurnStore: what writes.
#include "store_server/postgres_turn_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "domain/sparse_weights.h"
#include "ports/row_checks.h"
#include "store_server/postgres_rows.h"
#include "store_server/postgres_text_search.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

using postgres_rows::done;
using postgres_rows::sees_all;
using postgres_rows::Statements;
using postgres_rows::topic_terms;

void update_turn(Statements& to, const Turn& turn) {
  to.push_back(
      {"UPDATE pandora.turns SET timestamp = $2, topic = $3, topic_terms = $4, intent = $5, keywords = $6, quality = "
       "$7,"
       " rejected = $8, archived = $9, content_sha256 = $10, document = $11 WHERE turn_number = $1",
       {turn.number.value, turn.created_at, turn.topic, topic_terms(turn), to_string(turn.intent),
        dump_json(turn.keywords), turn.quality, turn.rejected, turn.archived, turn.content_sha256,
        row_of_turn(turn, {})}});
}

// The counters come first, as in a commit, so that nobody waits for somebody who waits for him. $1 which turn, $2 all
// users', $3 user.
#define PANDORA_OF_TURN " FROM pandora.turns WHERE ($2::bool OR user_id = $3) AND "
#define PANDORA_LOCK_TURN(which) "SELECT turn_number, document" PANDORA_OF_TURN which " = $1 FOR UPDATE"

Result<Turn> lock_turn(PostgresConnection& connection, TurnNumber number, const Principal& who, Timestamp now,
                       bool goes = false) {
  const std::vector<PostgresValue> which = {number.value, sees_all(who), who.user.str()};
  Statements statements;
  postgres_rows::take_counters(statements, now);
  // As postgres_turn_commits.cpp: nobody adds a neighbour that this would not see.
  if (goes)
    statements.push_back(
        {"SELECT pg_advisory_xact_lock(hashtextextended(user_id || '/' || session_id, 0))" PANDORA_OF_TURN
         "turn_number = $1",
         which});
  statements.push_back({PANDORA_LOCK_TURN("turn_number"), which});
  PANDORA_TRY(answers, connection.run(statements));
  if (answers.back().empty()) return postgres_rows::no_turn(number);
  return postgres_rows::read_turn(answers.back(), 0);
}
Result<Turn> lock_turn(PostgresConnection& connection, const Uuid& uid, const Principal& who, Timestamp now) {
  Statements statements;
  postgres_rows::take_counters(statements, now);
  statements.push_back({PANDORA_LOCK_TURN("turn_uid"), {uid, sees_all(who), who.user.str()}});
  PANDORA_TRY(answers, connection.run(statements));
  if (answers.back().empty()) return postgres_rows::no_turn(uid);
  return postgres_rows::read_turn(answers.back(), 0);
}

Result<std::vector<Uuid>> ids_of(const PostgresRows& rows) {
  std::vector<Uuid> ids;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(id, rows.uuid(i, 0));
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

Result<TurnNumber> PostgresTurnStore::reserve_number(const Principal&, const Deadline& deadline) {
  Statements statements;
  postgres_rows::take_counters(statements, {0});
  statements.push_back({"SELECT nextval('pandora.turn_numbers')", {}});
  PANDORA_TRY(lease, pool_.take(deadline));
  auto answers = lease->run(statements);
  if (!answers && answers.error().code == ErrorCode::kResourceExhausted)
    return fail(ErrorCode::kResourceExhausted, fmt::format("no turn number is left up to {}", kMaxTurnNumber),
                "a folder of a turn with such a number is no turn of ours: move it away");
  if (!answers) return fail(std::move(answers).error());
  return TurnNumber{answers->back().integer(0, 0)};
}

Status PostgresTurnStore::reserve_through(TurnNumber number, const Principal&, const Deadline& deadline) {
  PANDORA_CHECK(check_number(number));
  Statements statements;
  postgres_rows::take_counters(statements, {0}, number);
  postgres_rows::take_numbers(statements, number);
  PANDORA_TRY(lease, pool_.take(deadline));
  return done(lease->run(statements));
}

Result<TurnNumber> PostgresTurnStore::commit_turn(const TurnRecord& record, const Principal& who,
                                                  const Deadline& deadline) {
  PANDORA_CHECK(check_record(record, who));
  return commits_.commit(record, deadline);
}

Result<Turn> PostgresTurnStore::change(TurnNumber number, const TurnChange& change, const Principal& who,
                                       const Deadline& deadline) {
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<Turn> {
        PANDORA_TRY(turn, lock_turn(connection, number, who, clock_.now()));
        if (change.rejected) turn.rejected = *change.rejected;
        if (change.quality) turn.quality = *change.quality;
        if (change.archived) turn.archived = *change.archived;
        PANDORA_CHECK(check_row(turn));
        Statements last;
        update_turn(last, turn);
        postgres_rows::enqueue(last, postgres_rows::items_of_turn(turn.uid));
        PANDORA_CHECK(done(connection.commit(last)));
        return turn;
      },
      deadline);
}

Status PostgresTurnStore::rewrite(const Turn& turn, const Principal& who, const Deadline& deadline, const Turn* was) {
  PANDORA_CHECK(check_row(turn));
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        PANDORA_TRY(old, lock_turn(connection, turn.uid, who, clock_.now()));
        if (old.number != turn.number || old.session != turn.session || old.user != turn.user)
          return fail(ErrorCode::kConflict, fmt::format("turn {} is not number {} of that session and user",
                                                        turn.uid.to_string(), turn.number.value));
        PANDORA_CHECK(check_unchanged(old, was));
        Statements last;
        update_turn(last, turn);
        last.push_back({"DELETE FROM pandora.turn_keywords WHERE turn_number = $1", {old.number.value}});
        if (!turn.keywords.empty())
          last.push_back({"INSERT INTO pandora.turn_keywords VALUES ($1, $2)",
                          {turn.number.value, postgres_rows::keyword_keys(turn)}});
        last.push_back({"DELETE FROM pandora.turn_vectors WHERE turn_uid = $1", {turn.uid}});
        last.push_back({"DELETE FROM pandora.turn_words WHERE turn_uid = $1", {turn.uid}});
        postgres_rows::enqueue(last, postgres_rows::items_of_turn(turn.uid));
        return done(connection.commit(last));
      },
      deadline);
}

Result<RemovedTurn> PostgresTurnStore::remove(TurnNumber number, const Principal& who, const Deadline& deadline) {
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<RemovedTurn> {
        RemovedTurn removed;
        PANDORA_TRY(turn, lock_turn(connection, number, who, clock_.now(), true));
        removed.turn = std::move(turn);
        const Turn& gone = removed.turn;
        Statements statements;
        statements.push_back(
            {"WITH gone AS (DELETE FROM pandora.memories WHERE source_turn = $1 RETURNING memory_id)"
             " SELECT memory_id FROM gone ORDER BY 1",
             {gone.uid}});
        statements.push_back(
            {"WITH gone AS (DELETE FROM pandora.research WHERE source_turn = $1 RETURNING research_id)"
             " SELECT research_id FROM gone ORDER BY 1",
             {gone.uid}});
        statements.push_back(
            {"WITH gone AS (DELETE FROM pandora.observations WHERE turn_uid = $1 RETURNING cardinality(kind) AS many)"
             " SELECT coalesce(sum(many), 0) FROM gone",
             {gone.uid}});
        statements.push_back(
            {"SELECT turn_uid FROM ("
             "(SELECT turn_uid, turn_number, row_number() OVER (ORDER BY turn_number DESC) AS distance FROM "
             "pandora.turns"
             " WHERE user_id = $1 AND session_id = $2 AND turn_number < $3 ORDER BY turn_number DESC LIMIT $4::bigint)"
             " UNION ALL (SELECT turn_uid, turn_number, row_number() OVER (ORDER BY turn_number) FROM pandora.turns"
             " WHERE user_id = $1 AND session_id = $2 AND turn_number > $3 ORDER BY turn_number LIMIT $4)) AS near"
             " ORDER BY distance, turn_number",
             {gone.user.str(), gone.session.str(), gone.number.value, kWindow}});
        PANDORA_TRY(answers, connection.run(statements));
        PANDORA_TRY(memories, ids_of(answers[0]));
        PANDORA_TRY(research, ids_of(answers[1]));
        removed.observations = answers[2].integer(0, 0);
        PANDORA_TRY(neighbours, ids_of(answers[3]));
        std::vector<OutboxItem> items;
        const auto add = [&](const std::vector<OutboxItem>& some) {
          items.insert(items.end(), some.begin(), some.end());
        };
        for (const Uuid& id : memories) add(postgres_rows::items_of_memory(id));
        for (const Uuid& id : research) add(postgres_rows::items_of_research(id));
        for (const Uuid& uid : neighbours) items.push_back({OutboxKind::kTurnPoint, uid.to_string()});
        add(postgres_rows::items_of_turn(gone.uid));
        Statements last;
        last.push_back({"DELETE FROM pandora.turn_keywords WHERE turn_number = $1", {gone.number.value}});
        last.push_back({"DELETE FROM pandora.turns WHERE turn_number = $1", {gone.number.value}});
        postgres_rows::enqueue(last, items);
        PANDORA_CHECK(done(connection.commit(last)));
        removed.memories = std::move(memories);
        removed.research = std::move(research);
        removed.neighbours = std::move(neighbours);
        return removed;
      },
      deadline);
}

Status PostgresTurnStore::put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                                     const Deadline& deadline, const Turn* of) {
  if (vector.size() != embedder.dimension)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a vector of {} values from an embedder of {}", vector.size(), embedder.dimension));
  const std::string_view bytes(reinterpret_cast<const char*>(vector.data()), vector.size_bytes());
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        // The turn's row is locked first, so that it cannot go in between, or say something else.
        PANDORA_TRY(row,
                    connection.query(
                        "SELECT turn_number, document FROM pandora.turns WHERE turn_uid = $1 FOR NO KEY UPDATE", uid));
        if (row.empty()) return postgres_rows::no_turn(uid);
        PANDORA_TRY(turn, postgres_rows::read_turn(row, 0));
        PANDORA_CHECK(check_words(turn, of));
        const Statements statements = {
            {"INSERT INTO pandora.turn_vectors VALUES ($1, $2, $3)"
             " ON CONFLICT (turn_uid, embedder) DO UPDATE SET vector = excluded.vector",
             {uid, embedder.model + "@" + embedder.revision, PostgresBytes{bytes}}},
            {"INSERT INTO pandora.turn_words (turn_uid, terms) VALUES ($1, $2)"
             " ON CONFLICT (turn_uid) DO UPDATE SET terms = excluded.terms WHERE turn_words.terms <> excluded.terms",
             {uid, postgres_rows::word_terms(turn)}},
            {"UPDATE pandora.turns SET embedding_id = $2::uuid WHERE turn_uid = $1 AND embedding_id IS DISTINCT FROM "
             "$2",
             {uid, turn_point_id(uid)}}};
        return done(connection.commit(statements));
      },
      deadline);
}

Result<std::optional<Uuid>> PostgresTurnStore::drop_other_vectors(const EmbedderIdentity& kept,
                                                                  const std::optional<Uuid>& after, std::size_t limit,
                                                                  const Deadline& deadline) {
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<std::optional<Uuid>> {
        const Uuid first = after.value_or(Uuid());  // the nil id is nobody's
        PANDORA_TRY(rows, connection.query("SELECT DISTINCT turn_uid FROM pandora.turn_vectors"
                                           " WHERE turn_uid > $1::uuid ORDER BY turn_uid LIMIT $2::bigint",
                                           first, std::min(limit, kMaxPage)));
        std::optional<Uuid> last;
        if (!rows.empty()) {
          PANDORA_TRY(uid, rows.uuid(rows.size() - 1, 0));
          last = uid;
        }
        Statements statements;
        if (last)
          statements.push_back(
              {"DELETE FROM pandora.turn_vectors"
               " WHERE turn_uid > $1::uuid AND turn_uid <= $2::uuid AND embedder <> $3",
               {first, *last, kept.model + "@" + kept.revision}});
        PANDORA_CHECK(done(connection.commit(statements)));
        return last;
      },
      deadline);
}

}  // namespace pandora
