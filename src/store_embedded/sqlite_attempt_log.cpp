#include "store_embedded/sqlite_attempt_log.h"

namespace pandora {

Result<std::vector<SourceAttempt>> SqliteAttemptLog::list(const Deadline& deadline) {
  return database_.read(
      [](Connection& connection) -> Result<std::vector<SourceAttempt>> {
        std::vector<SourceAttempt> all;
        PANDORA_TRY(rows,
                    connection.query("SELECT domain, at, success FROM source_attempts ORDER BY domain, at, success"));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) return all;
          all.push_back({std::string(rows.text(0)), {rows.integer(1)}, rows.integer(2) != 0});
        }
      },
      deadline);
}

Status SqliteAttemptLog::replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_CHECK(connection.run("DELETE FROM source_attempts"));
        for (const auto& one : attempts)
          PANDORA_CHECK(connection.run("INSERT INTO source_attempts (domain, at, success) VALUES (?, ?, ?)", one.domain,
                                       one.at, one.ok));
        return {};
      },
      deadline);
}

}  // namespace pandora
