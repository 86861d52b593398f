// `pandora import sqlite`: arguments, the report, and the exit code.
#pragma once
#include <string>
#include <vector>

#include "base/config.h"
#include "service/service.h"

namespace CLI {
class App;
}

namespace pandora {

struct SqliteCommand {
  CLI::App* parsed = nullptr;
  std::vector<std::string> paths;
  bool dry_run = false;
  std::string quarantine, zone;
};
void add_sqlite_command(CLI::App& import, SqliteCommand& command);
// 0: everything is here and read back equal; that of kInvalidArgument: some of it is in the quarantine; of kConflict:
// some was here already and says something else; of kDataCorrupt: what is read back is not what was kept.
int import_sqlite_files(const Config& config, Service& service, const UserId& user, const SqliteCommand& command,
                        bool json);

}  // namespace pandora
