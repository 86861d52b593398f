#include "store_embedded/sqlite_turn_vector_log.h"

#include "domain/turn.h"

namespace pandora {

Result<std::vector<KeptVector>> SqliteTurnVectorLog::list(const std::optional<std::pair<Uuid, std::string>>& after,
                                                          std::size_t limit, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<KeptVector>> {
        // The nil id is nobody's.
        const auto& [turn, embedder] = after.value_or(std::pair(Uuid(), std::string()));
        PANDORA_TRY(rows, connection.query("SELECT turn_uid, embedder, vector FROM turn_vectors"
                                           " WHERE (turn_uid, embedder) > (?, ?) ORDER BY turn_uid, embedder LIMIT ?",
                                           turn, embedder, limit));
        std::vector<KeptVector> page;
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) return page;
          PANDORA_TRY(uid, rows.uuid(0));
          page.push_back({uid, std::string(rows.text(1)), std::string(rows.blob(2))});
        }
      },
      deadline);
}

Status SqliteTurnVectorLog::put(std::span<const KeptVector> vectors, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) -> Status {
        for (const auto& one : vectors) {
          PANDORA_CHECK(connection.run("UPDATE turns SET embedding_id = ?2 WHERE turn_uid = ?1", one.turn,
                                       turn_point_id(one.turn)));
          if (connection.changes() == 0) continue;
          PANDORA_TRY(
              statement,
              connection.prepare(
                  "INSERT INTO turn_vectors VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET vector = excluded.vector"));
          PANDORA_CHECK(statement.bind(one.turn, one.embedder, Statement::as_blob(one.values)).run());
        }
        return {};
      },
      deadline);
}

}  // namespace pandora
