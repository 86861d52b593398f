// `pandora vectors`: Qdrant's REST API over our own engine, in this process.
#pragma once
#include "base/config.h"

namespace CLI {
class App;
}

namespace pandora {

struct VectorsCommand {
  const CLI::App* parsed = nullptr;  // asked for when it was parsed
  std::string directory;             // empty: vectors.path
};

void add_vectors_command(CLI::App& app, std::map<std::string, std::string>& settings, VectorsCommand& command);
// Until SIGTERM or Ctrl-C; a second one ends it at once. The exit code. With `json` the URL is printed on stdout.
int serve_vectors(const Config& config, const VectorsCommand& command, bool json);

}  // namespace pandora
