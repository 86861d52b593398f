#include "host/host_steps.h"

#include <algorithm>

#include <fmt/format.h>

#include "host/supervisor.h"

namespace pandora {
namespace {

HostStep step_for(const HostProcess& process, const HostStatus* row, const LeftProcess* file) {
  const auto step = [&](HostStepKind kind, std::string cause) {
    return HostStep{kind, process.name, std::move(cause)};
  };
  const bool waits = row && (row->state == HostState::kWaiting || row->state == HostState::kBackOff);
  if (!row || (row->pid == 0 && !waits)) {
    if (process.cold) return step(HostStepKind::kKeep, "it starts when it is used");
    if (row && row->state == HostState::kFailed) return step(HostStepKind::kStart, "it was given up: " + row->reason);
    return step(HostStepKind::kStart, "it does not run");
  }
  if (file && file->file.fingerprint != fingerprint_of(process))
    return step(HostStepKind::kRestart, "its program or its settings have changed");
  if (row->state == HostState::kLeft) return step(HostStepKind::kKeep, "it runs, and is taken over");
  return step(HostStepKind::kKeep, fmt::format("it is {}", to_string(row->state)));
}

}  // namespace

std::string_view to_string(HostStepKind kind) {
  switch (kind) {
    case HostStepKind::kKeep:
      return "keep";
    case HostStepKind::kStart:
      return "start";
    case HostStepKind::kRestart:
      return "restart";
    case HostStepKind::kStop:
      return "stop";
  }
  return "";
}

std::vector<HostStep> plan_host_steps(const std::vector<HostProcess>& wanted, const std::vector<HostStatus>& now,
                                      const std::vector<LeftProcess>& files) {
  std::vector<HostStep> steps;
  for (auto row = now.rbegin(); row != now.rend(); ++row)
    if (row->pid > 0 && std::ranges::find(wanted, row->name, &HostProcess::name) == wanted.end())
      steps.push_back(
          {HostStepKind::kStop, row->name, wanted.empty() ? "it was asked for" : "it is not wanted any more"});
  for (const auto& process : wanted) {
    const auto row = std::ranges::find(now, process.name, &HostStatus::name);
    const auto file = std::ranges::find(files, process.name, &LeftProcess::name);
    steps.push_back(step_for(process, row == now.end() ? nullptr : &*row, file == files.end() ? nullptr : &*file));
  }
  return steps;
}

}  // namespace pandora
