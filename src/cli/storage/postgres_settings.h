// The PostgreSQL that the configuration names, and what is found there.
#pragma once
#include <functional>

#include "base/config.h"
#include "postgres/postgres_options.h"

namespace pandora {

// kInvalidArgument: rows.store says neither "embedded" nor "postgres".
Result<bool> rows_are_served(const Config& config);
// DATABASE_URL beats POSTGRES_*; when both are given that is logged.
PostgresOptions postgres_options(const Config& config);
// Connects, and says in one line what it found: version, place, TLS, schema.
Result<std::string> look_at_postgres(const Config& config, const Clock& clock, const Deadline& deadline);

// On a server that has no version of the schema yet: applies all, and says how many. 0: they are there. kIncompatible:
// it has older ones, which `pandora db migrate` moves. `on_wait` is told who migrates at the moment.
Result<int> make_first_schema(const Config& config, const Clock& clock,
                              const std::function<void(const std::string& holder)>& on_wait);

}  // namespace pandora
