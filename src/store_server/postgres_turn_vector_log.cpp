#include "store_server/postgres_turn_vector_log.h"

#include "domain/turn.h"
#include "store_server/postgres_text_search.h"
#include "store_server/postgres_turn_store.h"

namespace pandora {
Result<std::vector<KeptVector>> PostgresTurnVectorLog::list(const std::optional<std::pair<Uuid, std::string>>& after,
                                                            std::size_t limit, const Deadline& deadline) {
  // The nil id is nobody's.
  const auto& [turn, embedder] = after.value_or(std::pair(Uuid(), std::string()));
  PANDORA_TRY(rows, pool_.query("SELECT turn_uid, embedder, vector FROM pandora.turn_vectors"
                                " WHERE (turn_uid, embedder) > ($1::uuid, $2::text COLLATE \"C\")"
                                " ORDER BY turn_uid, embedder LIMIT $3::bigint",
                                deadline, turn, embedder, limit));
  std::vector<KeptVector> page;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(uid, rows.uuid(i, 0));
    page.push_back({uid, std::string(rows.text(i, 1)), rows.bytes(i, 2)});
  }
  return page;
}

Status PostgresTurnVectorLog::put(std::span<const KeptVector> vectors, const Deadline& deadline) {
  std::vector<Uuid> turns, points;
  std::vector<std::string_view> embedders;
  std::vector<PostgresBytes> values;
  for (const auto& one : vectors) {
    turns.push_back(one.turn);
    embedders.emplace_back(one.embedder);
    values.push_back({one.values});
    points.push_back(turn_point_id(one.turn));
  }
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        // Locked first, so that none can go in between, or say something else.
        PANDORA_TRY(rows,
                    connection.query("SELECT turn_number, document FROM pandora.turns WHERE turn_uid = ANY($1::uuid[])"
                                     " ORDER BY turn_number FOR NO KEY UPDATE",
                                     turns));
        PANDORA_TRY(there, postgres_rows::read_turns(rows));
        PANDORA_CHECK(postgres_rows::put_words(connection, there));
        const std::vector<PostgresStatement> statements = {
            {"INSERT INTO pandora.turn_vectors SELECT t.turn_uid, given.embedder, given.vector"
             " FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS given (uid, embedder, vector)"
             " JOIN pandora.turns t ON t.turn_uid = given.uid"
             " ON CONFLICT (turn_uid, embedder) DO UPDATE SET vector = excluded.vector",
             {turns, embedders, values}},
            {"UPDATE pandora.turns t SET embedding_id = given.point FROM unnest($1::uuid[], $2::uuid[]) AS given (uid, "
             "point)"
             " WHERE t.turn_uid = given.uid AND t.embedding_id IS DISTINCT FROM given.point",
             {turns, points}}};
        return connection.commit(statements).map([](auto&&) {});
      },
      deadline);
}

}  // namespace pandora
