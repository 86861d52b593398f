// Inside stack: how processes are brought to their end. Politely first, then surely, and what had to be killed is said.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "host/process_identity.h"

namespace pandora {

inline constexpr Duration kLeftoverGrace = std::chrono::seconds(2);  // of what the main process leaves behind
inline constexpr Duration kKillPatience = std::chrono::seconds(5);   // until SIGKILL must have worked

struct EndReport {
  std::vector<ProcessEntry> left_behind;  // ran on after the main process had ended, and were ended too
  std::vector<ProcessEntry> killed;       // ended by SIGKILL only
  std::vector<ProcessEntry> survivors;    // even that did not end: they wait in the kernel
};
// SIGTERM to the main process, which ends its own; after `grace` SIGKILL to all that belong to it. Without a main
// process SIGTERM goes to all. `hurry` becoming true ends the grace. Blocks until they have ended, kKillPatience at
// most past the graces. `known`: others that belong to it, although nothing may tie them to the mark any more.
EndReport end_processes(const std::string& mark, const std::optional<ProcessIdentity>& main, Duration grace,
                        const Clock& clock, const std::function<bool()>& hurry, std::vector<ProcessEntry> known = {});
std::string names_of(const std::vector<ProcessEntry>& entries);  // "python (pid 12), python (pid 13)"

// "exited with code 3", "was killed by SIGSEGV"; for the code of an ExitStatus (128 + signal).
std::string describe_exit(int code);

}  // namespace pandora
