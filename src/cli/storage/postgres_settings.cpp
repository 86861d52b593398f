#include "cli/storage/postgres_settings.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "cli/storage/data_paths.h"
#include "postgres/postgres_schema.h"

namespace pandora {

Result<bool> rows_are_served(const Config& config) {
  const std::string& where = config.string("rows.store");
  if (where == "postgres") return true;
  if (where == "embedded") return false;
  return fail(ErrorCode::kInvalidArgument, fmt::format("rows.store is \"{}\"", where),
              "set it to embedded or postgres");
}

PostgresOptions postgres_options(const Config& config) {
  PostgresOptions options;
  options.url = config.string("postgres.url");
  options.host = config.string("postgres.host");
  options.port = static_cast<int>(config.integer("postgres.port"));
  options.database = config.string("postgres.database");
  options.user = config.string("postgres.user");
  options.password = config.string("postgres.password");
  options.tls_mode = config.string("postgres.sslmode");
  options.tls_root = expanded_path(config.string("postgres.sslrootcert"));
  options.connections = static_cast<std::size_t>(config.integer("postgres.connections"));
  if (options.url.empty()) return options;
  std::vector<std::string_view> beaten;
  for (const EffectiveValue& value : config.values())
    for (const char* key :
         {"postgres.host", "postgres.port", "postgres.database", "postgres.user", "postgres.password"})
      if (value.setting->key == key && value.source != SettingSource::kDefault && !value.is_of_instance())
        beaten.push_back(value.setting->environment);
  if (!beaten.empty()) log_warn("config.database_url_wins", {{"ignored", fmt::format("{}", fmt::join(beaten, ", "))}});
  return options;
}

Result<std::string> look_at_postgres(const Config& config, const Clock& clock, const Deadline& deadline) {
  PANDORA_TRY(connection, PostgresConnection::open(postgres_options(config), deadline));
  PANDORA_TRY(tls, connection->query(
                       "SELECT coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), '')"));
  PANDORA_TRY(status, PostgresSchema(*connection, clock).status());
  if (status.fault) return fail(*status.fault);
  const int version = connection->server_version();
  std::string found = fmt::format("PostgreSQL {}.{} at {}, {}", version / 10'000, version % 10'000, connection->place(),
                                  tls.text(0, 0).empty() ? "not encrypted" : tls.text(0, 0));
  if (connection->is_pooled()) found += ", through a pooler";
  if (connection->is_read_only())
    return fail(ErrorCode::kPermissionDenied, found + ", is read-only", "name the primary");
  if (!status.pending.empty())
    return fail(ErrorCode::kIncompatible,
                fmt::format("{}, lacks {} of its schema's versions", found, status.pending.size()),
                "run `pandora db migrate`");
  return fmt::format("{}, schema version {}", found, status.applied.back().migration.version);
}

Result<int> make_first_schema(const Config& config, const Clock& clock,
                              const std::function<void(const std::string& holder)>& on_wait) {
  constexpr Duration kConnect = std::chrono::seconds(10), kLockPatience = std::chrono::minutes(10);
  const PostgresOptions options = postgres_options(config);
  PostgresPulse pulse(options);
  PANDORA_TRY(connection, PostgresConnection::open(options, Deadline::after(clock, kConnect), &pulse));
  connection->set_deadline(Deadline::never());
  PostgresSchema schema(*connection, clock);
  PANDORA_TRY(status, schema.status());
  if (status.fault) return fail(*status.fault);
  if (status.pending.empty()) return 0;
  if (!status.applied.empty())
    return fail(ErrorCode::kIncompatible,
                fmt::format("{} lacks {} of its schema's versions", connection->place(), status.pending.size()),
                "run `pandora db migrate`, then this again");
  return schema.migrate(kLockPatience, on_wait);
}

}  // namespace pandora
