// What will be done, and why: the second of observe → plan → apply. Pure: it can be printed and thrown away.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stack/sight.h"

namespace pandora {

enum class StepKind { kKeep, kPull, kCreate, kRecreate, kStart, kRestart, kStop, kRemove };
std::string_view to_string(StepKind kind);  // "keep", "pull", …

struct Step {
  StepKind kind = StepKind::kKeep;
  std::string service;
  std::string cause;  // "its configuration has changed"
  bool operator==(const Step&) const = default;
};
struct StackPlan {
  std::vector<Step> steps;       // in the order of doing, by kind and then by service
  std::vector<Error> obstacles;  // each with its remedy: with one of them nothing is begun
  std::vector<std::string> of(StepKind kind) const;
};

enum class Goal { kUp, kStop, kDown, kRestart, kRecreate };
// `named`: these services alone; empty: all that are wanted (kUp), or all that have a container.
// An obstacle of code kNotFound: no such service.
StackPlan plan_stack(Goal goal, const StackSight& sight, const StackFolder& folder, const std::set<std::string>& named);

// Who keeps a service from that port; null: nobody listens there.
const Listener* listener_on(const std::vector<Listener>& listeners, const PublishedPort& port);
// Whose a listener is when not that service's: "process 12 (postgres)"; empty: its own.
struct Stranger {
  std::string who;
  std::string container;  // that has the port; empty: it is a process
};
Stranger stranger_on(const Listener& listener, std::string_view service, const StackFolder& folder,
                     const std::vector<Container>& containers);

}  // namespace pandora
