// The commands about the stack: `init`, `lint`. They need no data directory.
#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace pandora {

struct StackInvocation {
  std::function<int(bool json)> run;  // of the command that was given; empty: none of these
};
// Adds the commands; parsing one fills `invocation`, which outlives `app`.
void add_stack_commands(CLI::App& app, StackInvocation& invocation);

}  // namespace pandora
