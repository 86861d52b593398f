// The commands about the stack: `init`, `up`, `down` and the like, `lint`. They need no data directory.
#pragma once
#include <functional>

#include "cli/stack/host_commands.h"
#include "cli/stack/stack_status_command.h"

namespace CLI {
class App;
}

namespace pandora {

struct StackInvocation {
  std::function<int(const HostContext& context, bool json)> run;  // of the command that was given; empty: none of these
  std::optional<std::string> folder;                              // that it was told to work in; none: the present one
  StatusOptions status;  // of `status`, which is about the stack where there is one
};
// Adds the commands, and to `status`, which is there already, what it takes in the folder of an instance; parsing one
// fills `invocation`, which outlives `app`.
void add_stack_commands(CLI::App& app, StackInvocation& invocation);

}  // namespace pandora
