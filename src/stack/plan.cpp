#include "stack/plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr const char* kAdopted = "PANDORA_VOLUMES_ADOPTED";
constexpr const char* kAside = "PANDORA_VOLUMES_ASIDE";

constexpr unsigned kOthersRead = 04, kOwnerReads = 0400;

std::string ended(const ContainerState& state) {
  if (state.state == "created") return "it was never started";
  if (state.out_of_memory) return "the kernel ended it: it needed more memory than its limit";
  if (!state.error.empty()) return state.error;
  return fmt::format("it has ended with exit code {}", state.exit_code);
}

Step step_up(const ServiceSight& service) {
  const auto step = [&](StepKind kind, std::string cause) { return Step{kind, service.name, std::move(cause)}; };
  if (!service.container) return step(StepKind::kCreate, "it has no container");
  if (!service.hash.empty() && service.container->config_hash != service.hash)
    return step(StepKind::kRecreate, "its configuration has changed");
  if (!service.image_id.empty() && service.container->image_id != service.image_id)
    return step(StepKind::kRecreate, fmt::format("{} is another image now", service.image));
  if (service.state.state == "running" || service.state.state == "restarting")
    return step(StepKind::kKeep, service.state.health.empty() ? "it is running" : "it is " + service.state.health);
  if (service.state.state == "dead") return step(StepKind::kRecreate, "it is dead");
  return step(StepKind::kStart, ended(service.state));
}

// What would go wrong, and is seen before anything is begun.
class Obstacles {
 public:
  Obstacles(const StackSight& sight, const StackFolder& folder) : sight_(sight), folder_(folder) {}

  void add(ErrorCode code, std::string message, std::string remedy) {
    found_.push_back({code, std::move(message), std::move(remedy)});
  }
  void look_at(const ServiceSight& service) {
    ports(service);
    secrets(service);
    volumes(service);
    if (service.state.state == "paused")
      add(ErrorCode::kConflict, fmt::format("{} is paused", service.name),
          fmt::format("docker unpause {}", service.container->name));
  }
  std::vector<Error> take() { return std::move(found_); }

 private:
  void ports(const ServiceSight& service) {
    for (const auto& [address, port] : service.ports) {
      const Listener* listener = listener_on(sight_.listeners, {address, port});
      const auto stranger = listener ? stranger_on(*listener, service.name, folder_, sight_.containers).who : "";
      if (stranger.empty()) continue;
      const StackService* known = find_stack_service(service.name);
      const std::string free = std::to_string(free_port(sight_.listeners, static_cast<std::uint16_t>(port + 1)));
      add(ErrorCode::kConflict, fmt::format("{}, which {} needs, is taken by {}", port, service.name, stranger),
          known ? fmt::format("end it, or set {}={} in .env and run `pandora init --yes`", known->port_variable, free)
                : fmt::format("end it, or publish {} on another port, such as {}", service.name, free));
    }
  }
  void secrets(const ServiceSight& service) {
    for (const auto& secret : service.secrets) {
      if (!secret.facts) {
        add(ErrorCode::kNotFound,
            fmt::format("{} needs the secret {}, and {} cannot be seen", service.name, secret.name, secret.file),
            "put it back: a store keeps the password that it was made with; for a new store `pandora init` makes one");
        continue;
      }
      const unsigned mode = secret.facts->mode;
      const bool is_for_it = !service.user || *service.user == 0 || (mode & kOthersRead) != 0 ||
                             (*service.user == secret.facts->user && (mode & kOwnerReads) != 0);
      if (!is_for_it)
        add(ErrorCode::kPermissionDenied,
            fmt::format("{} runs as user {}, who may not read its secret {} (mode {:04o})", service.name, *service.user,
                        secret.file, mode),
            fmt::format("chmod 0444 {}: its folder keeps others out", secret.file));
    }
  }
  void volumes(const ServiceSight& service) {
    for (const auto& name : service.volumes) {
      const auto found = std::ranges::find(sight_.volumes, name, &Volume::name);
      if (found == sight_.volumes.end()) {
        if (const std::string left = unused_volume(); !left.empty())
          add(ErrorCode::kConflict,
              fmt::format("{} would begin with a new, empty volume {}, while {} of this instance is used by no service",
                          service.name, name, left),
              fmt::format("put the name {} back into the Compose file; if its data is not wanted, docker volume rm {}",
                          left, left));
      } else if (found->instance != folder_.instance && !is_in(kAdopted, name)) {
        add(ErrorCode::kConflict,
            fmt::format("the volume {} is there already and belongs to {}", name,
                        found->instance.empty() ? "no instance" : "instance " + found->instance),
            "give this instance a name of its own: `pandora init --name NAME` in a new folder");
      }
    }
  }
  // In the list of .env: what was taken over from another project, or set aside (name:key:…).
  bool is_in(const char* list, const std::string& name) const {
    const std::string text = "," + folder_.variable(list) + ",";
    return text.find(fmt::format(",{},", name)) != std::string::npos ||
           text.find(fmt::format(",{}:", name)) != std::string::npos;
  }
  // Of this instance, and of no service: where a name in the Compose files has been changed.
  std::string unused_volume() const {
    for (const auto& volume : sight_.volumes) {
      if (volume.instance != folder_.instance || is_in(kAside, volume.name)) continue;
      const bool used = std::ranges::any_of(sight_.services, [&](const ServiceSight& service) {
        return std::ranges::find(service.volumes, volume.name) != service.volumes.end();
      });
      if (!used) return volume.name;
    }
    return "";
  }

  const StackSight& sight_;
  const StackFolder& folder_;
  std::vector<Error> found_;
};

Step step_for(Goal goal, const ServiceSight& service) {
  const bool runs = service.state.state == "running" || service.state.state == "restarting";
  switch (goal) {
    case Goal::kUp:
      return step_up(service);
    case Goal::kRecreate:
      return {StepKind::kRecreate, service.name, "it was asked for"};
    case Goal::kRestart:
      return {StepKind::kRestart, service.name, "it was asked for"};
    case Goal::kDown:
      return {StepKind::kRemove, service.name, "it was asked for; its volume stays"};
    case Goal::kStop:
      break;
  }
  return runs ? Step{StepKind::kStop, service.name, "it was asked for"}
              : Step{StepKind::kKeep, service.name, ended(service.state)};
}

}  // namespace

std::string_view to_string(StepKind kind) {
  switch (kind) {
    case StepKind::kKeep:
      return "keep";
    case StepKind::kPull:
      return "pull";
    case StepKind::kCreate:
      return "create";
    case StepKind::kRecreate:
      return "recreate";
    case StepKind::kStart:
      return "start";
    case StepKind::kRestart:
      return "restart";
    case StepKind::kStop:
      return "stop";
    case StepKind::kRemove:
      return "remove";
  }
  return "";
}

std::vector<std::string> StackPlan::of(StepKind kind) const {
  std::vector<std::string> services;
  for (const auto& step : steps)
    if (step.kind == kind) services.push_back(step.service);
  return services;
}

StackPlan plan_stack(Goal goal, const StackSight& sight, const StackFolder& folder,
                     const std::set<std::string>& named) {
  StackPlan plan;
  Obstacles obstacles(sight, folder);
  for (const auto& name : named)
    if (!sight.find(name)) {
      std::vector<std::string> known;
      for (const auto& service : sight.services) known.push_back(service.name);
      obstacles.add(ErrorCode::kNotFound, fmt::format("there is no service {}", name),
                    fmt::format("the services are {}", fmt::join(known, ", ")));
    }
  const bool starts = goal == Goal::kUp || goal == Goal::kRecreate || goal == Goal::kRestart;
  for (const auto& service : sight.services) {
    const bool by_itself = goal == Goal::kUp ? service.is_wanted : service.container.has_value();
    if (named.empty() ? !by_itself : !named.contains(service.name)) continue;
    if (goal != Goal::kUp && goal != Goal::kRecreate && !service.container) {
      if (goal == Goal::kRestart)
        obstacles.add(ErrorCode::kNotFound, fmt::format("{} has no container", service.name),
                      fmt::format("pandora up {}", service.name));
      continue;
    }
    const Step step = step_for(goal, service);
    if (starts && step.kind != StepKind::kKeep) {
      obstacles.look_at(service);
      if (service.image_id.empty() && !service.is_built && step.kind != StepKind::kStart &&
          step.kind != StepKind::kRestart)
        plan.steps.push_back({StepKind::kPull, service.name, fmt::format("{} is not on this machine", service.image)});
    }
    plan.steps.push_back(step);
  }
  std::ranges::stable_sort(plan.steps, {}, &Step::kind);
  plan.obstacles = obstacles.take();
  return plan;
}

const Listener* listener_on(const std::vector<Listener>& listeners, const PublishedPort& port) {
  const auto found = std::ranges::find_if(
      listeners, [&](const Listener& one) { return one.port == port.port && one.keeps(port.address); });
  return found == listeners.end() ? nullptr : &*found;
}

Stranger stranger_on(const Listener& listener, std::string_view service, const StackFolder& folder,
                     const std::vector<Container>& containers) {
  for (const auto& container : containers)
    if (container.project == folder.name && container.service == service && container.state == "running") return {};
  for (const auto& container : containers)
    for (const auto& port : container.ports)
      if (port.published == listener.port && listener.keeps(port.address))
        return {container.project.empty()
                    ? fmt::format("the container {}", container.name)
                    : fmt::format("the container {} of the project {}", container.name, container.project),
                container.name};
  const auto process = process_of(listener.inode);
  return {process ? fmt::format("process {} ({})", process->pid, process->name) : "a process of another user", ""};
}

}  // namespace pandora
