// `pandora up`, `down`, `stop`, `restart`, `recreate`, `logs`: observe, plan, apply, wait.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "stack/plan.h"

namespace pandora {

struct StackOptions {
  Goal goal = Goal::kUp;
  std::string command;  // as it was typed: "up"
  std::string directory = ".";
  std::vector<std::string> profiles, services;
  bool dry_run = false;
  std::optional<int> timeout_seconds;  // for each service; none: what its health check allows
};
int run_stack(const StackOptions& options, bool json);

struct LogOptions {
  std::string directory = ".";
  std::vector<std::string> services;
  bool follow = false;
  std::optional<int> tail;
};
// Becomes Compose, whose output is for people; returns only when it could not.
int show_logs(const LogOptions& options);

}  // namespace pandora
