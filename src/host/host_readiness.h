// Does a host process answer as it should? Thread-safe; blocks until the deadline at most.
#pragma once
#include <string>

#include "host/host_processes.h"
#include "net/http_client.h"

namespace pandora {

// kQuick: the port and the health path; kWhole: every step of `HostReadiness`.
enum class ProbeDepth { kQuick, kWhole };
struct ProbeAnswer {
  bool ready = false;
  Duration latency{0};
  std::string detail;  // which step does not hold yet, and what was answered instead; empty when it is ready
};
ProbeAnswer probe_host_process(const HostReadiness& readiness, ProbeDepth depth, HttpClient& client, const Clock& clock,
                               const Deadline& deadline);

// Who listens on the port, when that is none of `pids`: "nginx (pid 12)"; empty: nobody, or one of them.
std::string stranger_on_port(std::uint16_t port, const std::vector<int>& pids, const std::string& proc = "/proc");

}  // namespace pandora
