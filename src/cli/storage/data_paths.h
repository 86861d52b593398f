// Where things are on this machine: data, settings, weights, secrets.
#pragma once
#include <string>

#include "base/config.h"

namespace pandora {

struct DataPaths {
  std::string root;  // <data>
  std::string database, vectors, journal, documents, objects, socket, lock, orchestrator_secret;
};
// Of the effective configuration; `home` and XDG_* come from the environment.
Result<DataPaths> data_paths(const Config& config);
std::string models_directory(const Config& config);
std::string config_file_path();
// Where the programs of an instance keep what is said, unless its folder says otherwise.
std::string instance_data_directory(const std::string& instance);
std::string secrets_directory(const std::string& instance);  // of its stores
std::string expanded_path(const std::string& path);          // "~/x" as a shell writes it

// What `write_atomic` makes is for this user alone; containers read some files as another.
Status set_mode(const std::string& path, unsigned mode);

}  // namespace pandora
