// `pandora host`: the processes of this machine, without the containers; and what `pandora up`, `down` and `status`
// call for their host side.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "host/host_processes.h"
#include "host/host_steps.h"
#include "wire/json_reader.h"

namespace CLI {
class App;
}

namespace pandora {

struct HostUpOptions {
  bool detach = false;  // a supervisor of its own goes on when this command ends
  bool watch = false;
  int timeout_s = 1800;          // until all are ready
  Json beside = Json::object();  // as JSON they are shown in this
};

// What the commands need of the program that calls them.
struct HostContext {
  const Config& config;
  std::map<std::string, std::string> flags;  // settings of the command line
  std::string config_file;                   // that was read, or would be
  std::function<Result<Config>()> reload;    // reads it again
  std::string folder;                        // where an instance may be, whose settings it has then
};

// What `host_up`, or, with `ends`, `host_down` would do, and what is in its way: nothing is changed.
struct HostSight {
  std::vector<HostStep> steps;
  std::vector<Error> obstacles;
};
HostSight look_at_host(const HostContext& context, const HostUpOptions& options, bool ends);
// Starts them, or joins the supervisor that has them. Without `detach` it returns when they have been stopped, by
// Ctrl-C, SIGTERM or `pandora down`. The exit code.
int host_up(const HostContext& context, const HostUpOptions& options, bool json);
// Stops them, and what a supervisor that was killed has left. Nothing to stop is no error. The exit code.
int host_down(const Config& config, bool json);
std::string render_host_rows(const std::vector<HostStatus>& rows);

struct HostCommands {
  std::function<int(const HostContext& context, bool json)> run;  // of the command that was given; empty: none
  std::optional<std::vector<std::string>> write_log;              // pipe, log, bytes, files: needs no configuration
};
void add_host_commands(CLI::App& app, HostCommands& to);
int write_host_log(const std::vector<std::string>& arguments);

}  // namespace pandora
