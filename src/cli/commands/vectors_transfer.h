// `pandora vectors import` and `export`: whole collections, between servers of Qdrant's API or as lines of JSON.
#pragma once
#include <string>
#include <vector>

#include "base/config.h"

namespace CLI {
class App;
}

namespace pandora {

struct VectorsTransfer {
  const CLI::App *import = nullptr, *export_lines = nullptr;  // asked for when it was parsed
  std::string from, from_key_file, to, to_key_file, file;
  std::vector<std::string> collections;  // empty: all
};

void add_vectors_transfer(CLI::App& vectors, VectorsTransfer& transfer);
// Goes on where an earlier run of the same import was ended. The exit code.
int import_vectors(const Config& config, const VectorsTransfer& transfer, bool json);
int export_vectors(const Config& config, const VectorsTransfer& transfer);

}  // namespace pandora
