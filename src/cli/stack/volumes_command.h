// `pandora volumes …` and `pandora reset`: what the data of the stores is kept in, and how it is let go of.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace pandora {

struct HostContext;
struct StackInvocation;
void add_volumes_commands(CLI::App& app, StackInvocation& invocation);

// What asks before something is destroyed: by name, since "y" is typed too easily.
struct Consent {
  std::string name;        // given by --yes; empty: it is asked for
  bool no_backup = false;  // it is known that no verified backup exists
};
struct ResetOptions {
  std::string directory = ".";
  Consent consent;
};
// The processes of this machine and the containers go, volumes are set aside; for `down --volumes` as well, under the
// name `command`.
int reset_instance(const ResetOptions& options, const std::string& command, const HostContext& context, bool json);

}  // namespace pandora
