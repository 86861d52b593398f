#include "store_server/postgres_turn_vector_log.h"

#include "domain/turn.h"
#include "store_server/postgres_text_search.h"
#include "store_server/postgres_turn_store.h"

namespace pandora {
namespace {

std::string in_hexadecimal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 0xF];
  }
  return text;
}

}  // namespace

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
  std::vector<PostgresValue> turns, embedders, values, points;
  for (const auto& one : vectors) {
    turns.emplace_back(one.turn);
    embedders.emplace_back(one.embedder);
    values.emplace_back(in_hexadecimal(one.values));
    points.emplace_back(turn_point_id(one.turn));
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
            {"INSERT INTO pandora.turn_vectors SELECT t.turn_uid, given.embedder, decode(given.hex, 'hex')"
             " FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (uid, embedder, hex)"
             " JOIN pandora.turns t ON t.turn_uid = given.uid"
             " ON CONFLICT (turn_uid, embedder) DO UPDATE SET vector = excluded.vector",
             {PostgresValue(turns), PostgresValue(embedders), PostgresValue(values)}},
            {"UPDATE pandora.turns t SET embedding_id = given.point FROM unnest($1::uuid[], $2::uuid[]) AS given (uid, "
             "point)"
             " WHERE t.turn_uid = given.uid AND t.embedding_id IS DISTINCT FROM given.point",
             {PostgresValue(turns), PostgresValue(points)}}};
        return connection.commit(statements).map([](auto&&) {});
      },
      deadline);
}

}  // namespace pandora
