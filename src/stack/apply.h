// Carrying a plan out, by Compose: the third of observe → plan → apply. It decides nothing.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "stack/plan.h"

namespace pandora {

struct ApplyHooks {
  std::function<void(const std::string& line)> doing;    // "starting postgres, vectordb"
  std::function<void(const std::string& line)> waiting;  // while Compose works
  std::function<bool()> cancelled;
};
struct ApplyFailure {
  Error error;
  std::vector<std::string> said;  // by Compose, the last lines
};
struct ApplyTools {
  const ComposeProgram& compose;
  const ComposeFiles& compose_files;  // with every profile: who is meant is said by name
  std::string log;                    // a file for Compose's own output, begun anew by each call
  FileSystem& files;
  ProcessRunner& runner;
  const Clock& clock;
};
// Cancelled, Compose is told to end, and has
// kComposeEnd for it; what it has done by then stays.
inline constexpr Duration kComposeEnd = std::chrono::seconds(10);
inline constexpr std::size_t kLastComposeLines = 20;
// `everything`: the goal is about the whole stack, so that its network goes with its containers.
tl::expected<void, ApplyFailure> apply_plan(const StackPlan& plan, Goal goal, bool everything, const ApplyTools& tools,
                                            const ApplyHooks& hooks);

}  // namespace pandora
