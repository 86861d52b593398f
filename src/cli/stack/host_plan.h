// What `pandora up` starts on this machine: the model servers of the configuration, the Orchestrator, the Gateway.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/config.h"
#include "host/host_processes.h"

namespace pandora {

struct HostPlanOptions {
  std::map<std::string, std::string> flags;  // settings that were given on the command line
  std::string config_file;                   // that the configuration was read from
  bool watch = false;                        // restart what has changed
};
// One supervisor for each data directory.
Result<HostPlace> host_place(const Config& config);
// The path of this program, also when another has been put in its place meanwhile.
std::string this_program();
// Secrets among the flags, as variables: an environment is its owner's to read, a command line everybody's.
std::map<std::string, std::string> secret_variables(const Config& config);
// Another command's flags, of all but those.
std::vector<std::string> open_flags(const Config& config, const std::map<std::string, std::string>& flags);
// In starting order. kInvalidArgument: a model server that cannot be, a port that is not fixed.
Result<std::vector<HostProcess>> plan_host_processes(const Config& config, const HostPlanOptions& options);

}  // namespace pandora
