// `pandora secrets rotate`: a store gets a new password while it has data.
//
// Each step leaves a state from which the next run goes on, and in which the old or the new password works:
//   NAME.next exists      the new one is made; the store may know it already, the old one may still work
//   NAME.previous exists  the new one is in its place; what reads the file may not have been started again yet
#pragma once

namespace CLI {
class App;
}

namespace pandora {

struct StackInvocation;
void add_secrets_commands(CLI::App& app, StackInvocation& invocation);

}  // namespace pandora
