// `pandora move`: what was carried, whether both sides are equal, and what to do then.
#pragma once
#include <string>

#include "cli/installation.h"

namespace CLI {
class App;
}

namespace pandora {

struct MoveCommand {
  CLI::App* parsed = nullptr;
  std::string to, points;
};
void add_move_command(CLI::App& app, MoveCommand& command);
// 0: both sides are equal; that of kConflict: they are not yet.
int move(Installation& installation, const UserId& user, const MoveCommand& command, bool json);

}  // namespace pandora
