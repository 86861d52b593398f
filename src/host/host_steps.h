// What `HostControl::apply` would do with each process, and why: a plan that can be printed and thrown away. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "host/host_control_wire.h"
#include "host/host_processes.h"

namespace pandora {

enum class HostStepKind { kKeep, kStart, kRestart, kStop };
std::string_view to_string(HostStepKind kind);  // "keep"

struct HostStep {
  HostStepKind kind = HostStepKind::kKeep;
  std::string process;
  std::string cause;  // "its program or its settings have changed"
  bool operator==(const HostStep&) const = default;
};
// `now`: what is there, as `host_status` says; `files`: the pid files beside it. In the order of doing: what is wanted
// no more is stopped, in reverse, before the rest begins, in starting order. Nothing wanted: all of it ends.
std::vector<HostStep> plan_host_steps(const std::vector<HostProcess>& wanted, const std::vector<HostStatus>& now,
                                      const std::vector<LeftProcess>& files);

}  // namespace pandora
