#include "store_server/postgres_attempt_log.h"

namespace pandora {

Result<std::vector<SourceAttempt>> PostgresAttemptLog::list(const Deadline& deadline) {
  PANDORA_TRY(
      rows,
      pool_.query("SELECT domain, (extract(epoch FROM at) * 1000000)::bigint, success FROM pandora.source_attempts"
                  " ORDER BY domain, at, success",
                  deadline));
  std::vector<SourceAttempt> all;
  for (int i = 0; i < rows.size(); ++i)
    all.push_back({std::string(rows.text(i, 0)), rows.time(i, 1).value_or(Timestamp()), rows.boolean(i, 2)});
  return all;
}

Status PostgresAttemptLog::replace(const std::vector<SourceAttempt>& attempts, const Deadline& deadline) {
  std::vector<std::string_view> domains;
  std::vector<Timestamp> times;
  std::vector<bool> results;
  for (const auto& one : attempts) {
    domains.emplace_back(one.domain);
    times.push_back(one.at);
    results.push_back(one.ok);
  }
  auto replaced = pool_.write(
      [&](PostgresConnection& connection) -> Status {
        const std::vector<PostgresStatement> statements = {
            {"DELETE FROM pandora.source_attempts", {}},
            {"INSERT INTO pandora.source_attempts (domain, at, success)"
             " SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bool[])",
             {domains, times, results}}};
        return connection.commit(statements).map([](auto&&) {});
      },
      deadline);
  // The one thing that the server can find wrong with them: a domain that is not among the sources.
  if (!replaced && replaced.error().code == ErrorCode::kInvalidArgument)
    return fail(ErrorCode::kConflict, "an attempt is of a domain without a row: " + replaced.error().message);
  return replaced;
}

}  // namespace pandora
