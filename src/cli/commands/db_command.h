// `pandora db`: the schema's versions on the PostgreSQL that the configuration names. Needs no data directory.
#pragma once
#include <functional>

#include "base/config.h"

namespace CLI {
class App;
}

namespace pandora {

struct DbCommand {
  std::function<int(const Config&, bool json)> run;  // of the command that was given; empty: none of these
};
// Adds the commands; parsing one fills `command`, which outlives `app`.
void add_db_commands(CLI::App& app, DbCommand& command);

}  // namespace pandora
