#include "stack/stack_status.h"

#include <algorithm>
#include <future>

#include <fmt/format.h>

#include "stack/container_memory.h"

namespace pandora {
namespace {

constexpr int kEndedBySigterm = 143;  // what a shell that was asked to stop returns

// Everything about one container: the Engine and the store itself are asked at the same time.
void look_at(ServiceStatus& status, const Container& container, DockerEngine& engine, const ProbeMaker& probe_of,
             const Deadline& deadline) {
  const bool runs = container.state == "running";
  auto state = std::async(std::launch::async, [&] { return engine.state(container.id, deadline); });
  std::optional<Health> health;
  if (const auto probe = runs ? probe_of(status.service) : nullptr) health = probe->probe(deadline);
  status.container = container.name;
  status.image = container.image;
  status.volumes = container.volumes;
  for (const auto& port : container.ports)
    if (port.published != 0) status.ports.push_back(fmt::format("{}:{}", port.address, port.published));
  if (health && health->state == HealthState::kReady) status.latency = health->latency;
  const auto known = state.get();
  if (!known) {
    status.condition = ServiceCondition::kSilent;
    status.reason = known.error().message;
    return;
  }
  const auto [condition, reason] = judge(*known, health);
  status.condition = condition;
  status.reason = reason;
  status.restarts = known->restarts;
  status.memory_bytes = container_memory(known->pid);
  status.since = runs ? known->started : known->ended;
}

}  // namespace

std::string_view to_string(ServiceCondition condition) {
  switch (condition) {
    case ServiceCondition::kReady:
      return "ready";
    case ServiceCondition::kStarting:
      return "starting";
    case ServiceCondition::kSilent:
      return "not answering";
    case ServiceCondition::kUnhealthy:
      return "unhealthy";
    case ServiceCondition::kRestarting:
      return "restarting";
    case ServiceCondition::kPaused:
      return "paused";
    case ServiceCondition::kEnded:
      return "ended";
    case ServiceCondition::kStopped:
      return "stopped";
    case ServiceCondition::kAbsent:
      return "absent";
  }
  return "";
}

Judgement judge(const ContainerState& state, const std::optional<Health>& probe) {
  using enum ServiceCondition;
  if (state.out_of_memory && state.state != "running")
    return {state.state == "restarting" ? kRestarting : kEnded,
            "it needed more memory than its limit, and the kernel ended it"};
  if (state.state == "restarting") return {kRestarting, fmt::format("it ends with exit code {}", state.exit_code)};
  if (state.state == "paused") return {kPaused, "`docker unpause` lets it go on"};
  if (state.state == "created") return {kStopped, state.error.empty() ? "it was never started" : state.error};
  if (state.state != "running") {
    if (!state.error.empty()) return {kEnded, state.error};
    if (state.exit_code == 0 || state.exit_code == kEndedBySigterm) return {kStopped, "it was stopped"};
    return {kEnded, fmt::format("it has ended with exit code {}", state.exit_code)};
  }
  if (state.health == "unhealthy") return {kUnhealthy, "its own health check fails: " + state.checked};
  if (probe && probe->state != HealthState::kReady)
    return {state.health == "starting" ? kStarting : kSilent, probe->detail};
  if (!probe && state.health == "starting") return {kStarting, "its own health check has not passed yet"};
  return {kReady, ""};
}

Result<std::vector<ServiceStatus>> stack_status(const StackFolder& folder, DockerEngine& engine,
                                                const ProbeMaker& probe_of, const Deadline& deadline) {
  PANDORA_TRY(containers, engine.containers(deadline));
  std::erase_if(containers, [&](const Container& container) {
    return container.project != folder.name || container.service.empty();
  });
  std::vector<ServiceStatus> all(containers.size());
  std::vector<std::future<void>> asked;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    all[i].service = containers[i].service;
    asked.push_back(
        std::async(std::launch::async, [&, i] { look_at(all[i], containers[i], engine, probe_of, deadline); }));
  }
  for (auto& one : asked) one.get();
  for (const auto& service : stack_services())
    if (folder.asks_for(service.profile) && std::ranges::find(all, service.name, &ServiceStatus::service) == all.end())
      all.push_back({.service = std::string(service.name), .reason = "it has no container: `pandora up` makes it"});
  for (auto& status : all)  // on the host's network nothing is published
    if (const StackService* known = find_stack_service(status.service);
        known && status.ports.empty() && status.condition == ServiceCondition::kReady)
      status.ports.push_back(fmt::format("127.0.0.1:{}", folder.port_of(*known)));
  std::ranges::sort(all, {}, &ServiceStatus::service);
  return all;
}

}  // namespace pandora
