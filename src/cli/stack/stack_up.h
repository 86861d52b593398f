// `pandora up`, `down`, `stop`, `restart`, `recreate`, `logs`: observe, plan, apply, wait.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/stack/host_commands.h"
#include "stack/plan.h"

namespace pandora {

struct StackOptions {
  Goal goal = Goal::kUp;
  std::string command;  // as it was typed: "up"
  std::string directory = ".";
  std::vector<std::string> profiles, services;
  bool dry_run = false;
  std::optional<int> timeout_seconds;  // for each service; none: what its health check allows
  bool containers_only = false;        // also when services are named
  HostUpOptions host;                  // of the processes of this machine, once the containers are ready
};
// `up` without `detach` returns when the processes of this machine have been ended; the containers go on.
int run_stack(const StackOptions& options, const HostContext& context, bool json);

struct LogOptions {
  std::string directory = ".";
  std::vector<std::string> services;
  bool follow = false;
  std::optional<int> tail;
};
// Becomes Compose, whose output is for people; returns only when it could not.
int show_logs(const LogOptions& options);

}  // namespace pandora
