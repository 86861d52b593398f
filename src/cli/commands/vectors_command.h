// `pandora vectors`: Qdrant's REST API over our own engine, in this process.
#pragma once
#include "base/config.h"
#include "cli/commands/vectors_transfer.h"

namespace CLI {
class App;
}

namespace pandora {

struct VectorsCommand {
  const CLI::App* parsed = nullptr;  // asked for when it was parsed
  std::string directory;             // empty: vectors.path
  VectorsTransfer transfer;
};

void add_vectors_command(CLI::App& app, std::map<std::string, std::string>& settings, VectorsCommand& command);
// Serves until SIGTERM or Ctrl-C; a second one ends it at once. With `json` the URL is printed on stdout. Or imports,
// or exports. The exit code.
int run_vectors(const Config& config, const VectorsCommand& command, bool json);

}  // namespace pandora
