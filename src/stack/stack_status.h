// How the stack is, now: the Engine asked over its socket, each store over its port, all at the same time.
//
// Compose is not asked: it would take longer than all of the rest. Nothing is changed.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/health_probe.h"
#include "stack/docker_engine.h"
#include "stack/stack_folder.h"

namespace pandora {

enum class ServiceCondition {
  kReady,
  kStarting,    // it runs, does not answer, and its health check still allows it
  kSilent,      // it runs, and does not answer
  kUnhealthy,   // its own health check fails
  kRestarting,  // it ends again and again
  kPaused,
  kEnded,  // by itself
  kStopped,
  kAbsent,  // it has no container
};
std::string_view to_string(ServiceCondition condition);  // "ready", "not answering"

struct ServiceStatus {
  std::string service, container, image;
  ServiceCondition condition = ServiceCondition::kAbsent;
  std::string reason;               // why it is not ready; empty when it is
  Timestamp since;                  // of its start or its end; 0: never
  int restarts = 0;                 // since its container was made
  std::optional<Duration> latency;  // of its answer; none: it did not answer
  std::optional<std::uint64_t> memory_bytes;
  std::vector<std::string> ports;  // "127.0.0.1:5432"
  std::vector<std::string> volumes;
};

using ProbeMaker = std::function<std::unique_ptr<HealthProbe>(const std::string& service)>;
// Of the services whose profile is asked for, and of those that have a container; by name. What has not answered by
// `deadline` is said to be so. What the Engine's client returns.
Result<std::vector<ServiceStatus>> stack_status(const StackFolder& folder, DockerEngine& engine,
                                                const ProbeMaker& probe_of, const Deadline& deadline);

// What is said of a service by what the Engine and its probe have answered. `probe`: none when it has none. Pure.
struct Judgement {
  ServiceCondition condition;
  std::string reason;
};
Judgement judge(const ContainerState& state, const std::optional<Health>& probe);

}  // namespace pandora
